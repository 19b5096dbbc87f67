"""What is made of a consumer that fails once: it must say so, and the retry must have exactly one effect."""

from __future__ import annotations

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.consumer import Consumer


class FailsOnce(Consumer):
    """Fails at the next event when it is told to, in the way that a test chooses."""

    failing = False

    def __init__(self, fail) -> None:
        super().__init__()
        self._fail = fail

    def fail_next(self) -> None:
        self.failing = True

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        if self.failing:
            self.failing = False
            return self._fail(self, key)
        return await super().take(key)


def _swallows(_, __) -> web.Response:
    return web.Response()


def _half_done(consumer: Consumer, key) -> web.Response:
    consumer.effect(key[0])
    return web.Response(status=500)


def _marks_first(consumer: Consumer, key) -> web.Response:
    consumer.seen.add(key)
    return web.Response(status=503)


def _fails(*_) -> web.Response:
    return web.Response(status=500)


@pytest.mark.parametrize(
    ("fail", "told", "retried"),
    [
        (_fails, "pass: the failing handler answered 500", "pass: answered 500, then answered 200: one effect"),
        (
            _swallows,
            "fail: the failing handler answered 200, and the effect is 0, not 1: the event is lost",
            "inconclusive: the failing handler answered 200: no sender tries again",
        ),
        (_half_done, "pass: the failing handler answered 500", "fail: answered 500, then answered 200: 2 effects"),
        (_marks_first, "pass: the failing handler answered 503", "fail: answered 503, then answered 200: no effect"),
    ],
)
async def test_what_becomes_of_a_failure(fail, told, retried, judged):
    """A failure must be told, and the retry must have exactly one effect."""
    consumer = FailsOnce(fail)
    report = await judged.report(consumer, "PG080", "PG081", probed=True, fail_once=consumer.fail_next)
    found = [f"{each.verdict}: {each.summary}" for each in map(report.finding, ("PG080", "PG081"))]
    assert found == [told, retried]


async def test_effects_of_a_retry_are_reported_in_effects_and_not_in_counts(judged):
    """Whatever one event counts for."""
    consumer = FailsOnce(_half_done)

    def effect(_: str) -> None:
        consumer.count += 2

    consumer.effect = effect
    finding = await judged.finding(consumer, "PG081", probed=True, fail_once=consumer.fail_next)
    assert finding.summary == "answered 500, then answered 200: 2 effects"


async def test_a_hook_that_does_nothing_is_no_proof_of_a_failure(judged):
    """The consumer was told to fail, and handled the event: it is the hook that is wrong, and no build is green."""
    for check in ("PG080", "PG081"):
        report = await judged.report(Consumer(), check, probed=True, fail_once=lambda: None)
        assert report.finding(check).verdict == "inconclusive"
        assert "was supposed to fail, but answered 200: check what --fail-once does" in report.unusable
        assert not report.ok


async def test_the_evidence_of_a_retry_shows_the_story_in_its_order(judged):
    """First the failure, then the retry."""
    consumer = FailsOnce(_marks_first)
    report = await judged.report(consumer, "PG081", probed=True, fail_once=consumer.fail_next)
    assert [each.response.status for each in report.finding("PG081").evidence] == [503, 200]
    told = str(report)
    assert told.index("\n  < 503 ") < told.index("\n  < 200 ")
    assert told.startswith("failed: PG081 retry after failure; 2 checks: ")


async def test_a_retry_that_is_refused_loses_the_event(judged):
    """It fails for good, not once."""
    consumer = Consumer()
    taken, failing = consumer.take, []

    async def take(key):
        return web.Response(status=500) if failing else await taken(key)

    consumer.take = take
    finding = await judged.finding(consumer, "PG081", probed=True, fail_once=lambda: failing.append(True))
    assert finding.verdict == "fail"
    assert finding.summary.startswith("answered 500, then answered 500: the event is never handled")
