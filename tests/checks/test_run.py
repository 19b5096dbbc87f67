"""A run of checks as a whole: what it does when the consumer, the probe or the hook does not work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks.model import Check
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.registry import CHECKS
from mockserver.errors import UsageError
from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock
from tests.checks.checked import SECRET, checked, verdicts
from tests.checks.consumer import Consumer
from tests.checks.judged import Judged, late
from tests.tables import each_row


class BreaksForGood(Consumer):
    """Takes nothing any more once someone has sent nonsense as a signature."""

    broken = False

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        if self.broken or signature == "nonsense":
            self.broken = True
            raise web.HTTPInternalServerError
        return super().is_genuine(body, signature)


class BreaksForAMoment(BreaksForGood):
    """Comes back after some requests, as one that is started again does."""

    left = 3

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        if self.broken:
            self.left -= 1
            self.broken = self.left > 0
        return super().is_genuine(body, signature)


class AlsoCountsOthers(Consumer):
    """Its count grows on its own."""

    @override
    async def read(self) -> float:
        self.count += 1
        return self.count


class LosesItsProbe(Consumer):
    """The probe answers for a while only."""

    asked = 0

    @override
    async def debug(self, request: web.Request) -> web.Response:
        self.asked += 1
        return await super().debug(request) if len(self.handled) < 20 else web.Response(status=503)


async def test_a_target_that_no_one_listens_at_is_unreachable(closed_port: int) -> None:
    """There is no finding at all, and the report says why."""
    report = await checked(f"http://127.0.0.1:{closed_port}/hooks")
    assert "nothing listens" in report.unreachable
    assert report.findings == []
    assert not report.ok


async def test_a_refused_control_makes_everything_else_inconclusive(judged: Judged) -> None:
    """An endpoint that refuses everything would pass all negative checks."""
    report = await judged.report(Consumer(), secret="whsec_another")
    assert verdicts(report, "fail") == {"PG001": "fail: a correct run.completed answered 401"}
    assert set(verdicts(report, "pass")) == {"PG003", "PG061", "PG062"}  # no redirect, and nothing was given away
    assert report.count("inconclusive") == sum(check.procedure is not None for check in CHECKS.values()) - 4
    assert not report.ok


async def test_who_breaks_for_good_fails_the_check_that_broke_it_and_nothing_after_it(judged: Judged) -> None:
    """What comes after it cannot be judged, and that is not held against it."""
    report = await judged.report(BreaksForGood())
    assert set(verdicts(report, "fail")) == {"PG017", "PG006"}
    assert "after that a valid event answered 500" in report.finding("PG017").summary
    assert "since PG017" in report.finding("PG018").summary


async def test_who_comes_back_is_checked_on(judged: Judged) -> None:
    report = await judged.report(BreaksForAMoment())
    assert set(verdicts(report, "fail")) == {"PG017"}
    assert report.finding("PG018").verdict == "pass"
    assert report.count("inconclusive") == 0


@pytest.mark.parametrize(
    ("probe", "path", "why"),
    [
        ("/nowhere", "$.count", "answered 404"),
        ("/count", "$.number", "finds 0 values"),
        ("/count", "$", "must read a number"),
        ("/count", "$$", "is not a JSONPath"),
    ],
)
async def test_a_probe_that_does_not_work_is_wrong_usage_and_nothing_is_sent(
    probe: str, path: str, why: str, judged: Judged
) -> None:
    """A probe that proves nothing must not look like one that does."""
    consumer = Consumer()
    with pytest.raises(UsageError, match=why.replace("$", r"\$")):
        await judged.report(consumer, probe=probe, probe_json=path)
    assert consumer.handled == []


async def test_a_probe_that_stops_working_makes_the_run_unusable(judged: Judged) -> None:
    """The consumer is well: what was given is not."""
    report = await judged.report(LosesItsProbe(), probe="/count", probe_json="$.count")
    assert "answered 503" in report.unusable
    assert verdicts(report, "fail") == {}
    assert not report.ok


async def test_a_count_that_never_rests_cannot_be_used(judged: Judged) -> None:
    with pytest.raises(UsageError, match="still grows after 8 s"):
        await judged.report(AlsoCountsOthers(), probed=True, effect_within=None)


async def test_the_same_seed_makes_the_same_ids(judged: Judged) -> None:
    """Another run with it sends the same objects, so that a finding can be repeated."""
    first, second = Consumer(), Consumer()
    for consumer in (first, second):
        await judged.report(consumer, "wrong_secret", seed=5)
    assert first.seen == second.seen != set()


async def test_without_a_seed_every_run_has_ids_of_its_own(judged: Judged) -> None:
    """A consumer that remembers the last run takes nothing for a duplicate."""
    consumer = Consumer()
    for _ in range(2):
        report = await judged.report(consumer, "PG002", "PG072", "PG078", seed=None, probed=True)
        assert verdicts(report, "fail", "warn", "inconclusive") == {}


async def test_findings_are_reported_as_they_come(judged: Judged) -> None:
    """Each check is announced before it is made, and reported when it is over."""
    service = Mock(read_settings())
    told: list[tuple[str, str]] = []

    def begins(check: Check) -> None:
        told.append(("begin", check.id))

    request = CheckOptions(url=f"{await judged.url(Consumer())}/hooks", secret=SECRET, only=("PG010", "PG011"))
    run = prepare_check(
        service, request, None, begins, lambda finding: told.append((finding.verdict, finding.check.id))
    )
    try:
        await run.run()
    finally:
        await service.stop()
    expected = [(what, check) for check in ("PG001", "PG010", "PG011") for what in ("begin", "pass")]
    assert told == expected


async def test_a_run_that_is_cancelled_ends_at_once_and_keeps_what_it_found(judged: Judged) -> None:
    """Its report has the findings so far, and how many deliveries were made."""
    service = Mock(read_settings())
    found = asyncio.Event()
    request = CheckOptions(url=f"{await judged.url(Consumer())}/hooks", secret=SECRET)
    run = prepare_check(service, request, on_finding=lambda _: found.set())
    task = asyncio.get_running_loop().create_task(run.run())
    await found.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.stop()
    assert run.report.findings
    assert run.report.deliveries


@each_row(
    ("given", "why"),
    [
        ({"secret": ""}, "needs the secret"),
        ({"url": "ftp://127.0.0.1/"}, "not an http"),
        ({"events": ("run.exploded",)}, "unknown event"),
        ({"probe": "http://127.0.0.1:9/", "state": "http://127.0.0.1:9/state"}, "needs {id}"),
        ({"state": "http://127.0.0.1:9/{id}"}, "need --probe"),
        ({"fail_once": "true"}, "need --probe"),
        ({"probe": "nonsense"}, "not an http"),
        ({"only": ("nonsense",)}, "no check 'nonsense'"),
    ],
)
async def test_what_cannot_be_used_is_reported_before_anything_is_sent(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        await checked(**{"url": "http://127.0.0.1:9/hooks", **given})


async def test_only_the_events_that_are_named_are_sent(judged: Judged) -> None:
    """A consumer of one event type is not asked about others, but for one that no one knows."""
    consumer = Consumer()
    report = await judged.report(consumer, events=("run.failed",), probe=consumer.read)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    assert set(consumer.handled) == {"run.failed"}
    assert report.finding("order").verdict == "not tested"


async def test_effects_that_come_too_late_are_said_to_be_unseen(judged: Judged) -> None:
    """It says how long was waited, and how to wait longer; nothing else is claimed."""
    report = await judged.report(late(1, lambda _: 3.0), "PG070", "PG072", probed=True)
    assert set(verdicts(report, "fail")) == {"PG070"}
    assert "no effect within 0.2 s (--effect-within gives more time)" in report.finding("PG070").summary
    assert report.finding("PG072").verdict == "not tested"


@pytest.mark.usefixtures("quick_time")
async def test_a_consumer_that_is_gone_fails_the_last_look() -> None:
    """Whatever ended it: a build must not be green when no one is there any more."""
    consumer = Consumer()
    runner = web.AppRunner(consumer.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service = Mock(read_settings())
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    ended: list[asyncio.Task[None]] = []

    def end(check: Check) -> None:
        if check.id == "PG040":
            ended.append(asyncio.get_running_loop().create_task(runner.cleanup()))

    request = CheckOptions(url=url, secret=SECRET)
    report = await prepare_check(service, request, on_begin=end).run()
    await asyncio.gather(*ended)
    await service.stop()
    assert "PG006" in verdicts(report, "fail")
    assert not report.ok
    assert report.finding("PG061").verdict == "pass"
