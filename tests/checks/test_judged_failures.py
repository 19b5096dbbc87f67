"""What is made of a consumer that fails once: it must say so, and the retry must have exactly one effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks.context import status_of
from tests.checks.consumer import Consumer
from tests.checks.judged import Judged, instead, weighing

#: What becomes of one event, given its key.
Fail = Callable[[Consumer, tuple[str, str]], web.Response]


class FailsOnce(Consumer):
    """Fails at the next event on request, in the way that a test chooses."""

    failing = False

    def __init__(self, fail: Fail) -> None:
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


def _swallows(_: object, __: object) -> web.Response:
    return web.Response()


def _half_done(consumer: Consumer, key: tuple[str, str]) -> web.Response:
    consumer.effect(key[0])
    return web.Response(status=500)


def _marks_first(consumer: Consumer, key: tuple[str, str]) -> web.Response:
    consumer.seen.add(key)
    return web.Response(status=503)


def _fails(*_: object) -> web.Response:
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
async def test_what_becomes_of_a_failure(fail: Fail, told: str, retried: str, judged: Judged) -> None:
    """A failure must be answered as one, and the retry must have exactly one effect."""
    consumer = FailsOnce(fail)
    report = await judged.report(consumer, "PG080", "PG081", probed=True, fail_once=consumer.fail_next)
    found = [f"{each.verdict}: {each.summary}" for each in map(report.finding, ("PG080", "PG081"))]
    assert found == [told, retried]


async def test_effects_of_a_retry_are_reported_in_effects_and_not_in_counts(judged: Judged) -> None:
    """Whatever one event counts for."""
    consumer = FailsOnce(_half_done)
    weighing(lambda _: 2, consumer)
    finding = await judged.finding(consumer, "PG081", probed=True, fail_once=consumer.fail_next)
    assert finding.summary == "answered 500, then answered 200: 2 effects"


async def test_a_hook_that_does_nothing_is_no_proof_of_a_failure(judged: Judged) -> None:
    """The consumer was to fail, and handled the event: it is the hook that is wrong, and no build is green."""
    for check in ("PG080", "PG081"):
        report = await judged.report(Consumer(), check, probed=True, fail_once=lambda: None)
        assert report.finding(check).verdict == "inconclusive"
        assert "was supposed to fail, but answered 200: check what --fail-once does" in report.unusable
        assert not report.ok


async def test_the_evidence_of_a_retry_shows_the_story_in_its_order(judged: Judged) -> None:
    consumer = FailsOnce(_marks_first)
    report = await judged.report(consumer, "PG081", probed=True, fail_once=consumer.fail_next)
    assert [status_of(each) for each in report.finding("PG081").evidence] == [503, 200]
    told = str(report)
    assert told.index("\n  < 503 ") < told.index("\n  < 200 ")
    assert told.startswith("failed: PG081 retry after failure; 2 checks: ")


async def test_a_retry_that_is_refused_loses_the_event(judged: Judged) -> None:
    """It fails for good, not once."""
    failing: list[bool] = []
    consumer = instead(Consumer(), lambda _: web.Response(status=500) if failing else None)
    finding = await judged.finding(consumer, "PG081", probed=True, fail_once=lambda: failing.append(True))
    assert finding.verdict == "fail"
    assert finding.summary.startswith("answered 500, then answered 500: the event is never handled")
