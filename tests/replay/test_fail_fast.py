"""Fail-fast: no step begins after one that has a problem, and every event is accounted for."""

import asyncio

import pytest
from aiohttp import web

from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock
from tests.receiving import SECRET, Received, consuming, eventually, statuses
from tests.reports.replayed import replayed, script
from tests.tables import each_row

REASON = "stopped after step 1, which has a problem (fail-fast)"


@pytest.mark.parametrize("pacing", ["settled", "timed"])
async def test_nothing_is_begun_after_a_problem(pacing: str) -> None:
    """The step that has it is ended; what comes after it is not sent, for that reason."""
    steps = "- event: run.failed\n  repeat: 3\n- pause: 1h\n- event: run.completed\n  repeat: 4\n"
    report = await replayed(steps, await statuses(500), fail_fast=True, pacing=pacing)
    assert (report.planned, report.delivered, report.failed, report.not_sent) == (7, 2, 1, 4)
    assert report.reasons == {REASON: 4}
    assert not report.ok
    first, last = report.explanations()
    assert first.startswith("flows/night.yaml:4: step 1 (run.failed): expected status 2xx, got 500")
    assert last == REASON


@each_row(
    "problem",
    [
        "- {event: run.failed, repeat: 2, override: {run_id: '{{ 1 // (1 - index) }}'}}\n",
        "- {event: order.shipped, data: {}}\n",
        "- {event: run.failed, expect: {effect: {probe: nobody, change: 1}}}\n",
        "- together:\n    - {event: run.failed, expect: {status: 401}}\n    - {event: run.completed}\n",
    ],
)
async def test_every_kind_of_problem_counts(problem: str) -> None:
    """A template that fails, no subscriber, a probe that fails, one of several at the same time."""
    report = await replayed(f"{problem}- event: run.completed\n", fail_fast=True, extra_events="[order.shipped]")
    assert report.halted.startswith("stopped after step 1")
    assert report.steps[-1].not_sent == {report.halted: 1}


async def test_what_is_lost_on_purpose_or_refused_as_it_must_be_is_no_problem() -> None:
    """The replay goes on to its end."""

    async def answer(received: Received) -> web.Response:
        return web.Response(status=200 if received.is_signed_with(SECRET) else 401)

    steps = "- {event: run.failed, fault: lost}\n- {event: run.failed, fault: wrong_secret}\n- event: run.completed\n"
    report = await replayed(steps, answer, fail_fast=True)
    assert report.ok
    assert (report.delivered, report.failed, report.not_sent, report.halted) == (1, 1, 1, "")


async def test_a_problem_of_the_last_step_stops_nothing() -> None:
    """There was nothing left to send, so the report does not say that it was stopped."""
    report = await replayed("- event: run.failed\n", await statuses(500), fail_fast=True)
    assert (report.ok, report.halted, report.not_sent) == (False, "", 0)


async def test_without_it_the_replay_goes_on() -> None:
    """By default every event is sent, whatever became of those before it."""
    report = await replayed("- event: run.failed\n- event: run.completed\n", await statuses(500))
    assert (report.delivered, report.failed, report.not_sent) == (1, 1, 0)


async def test_what_is_in_flight_is_not_cut_off() -> None:
    """In timed pacing a delivery that was begun gets its answer, although the replay goes no further."""
    service = Mock(read_settings(speed="max", timeout=60, extra_events=["order.shipped"]))
    gate = asyncio.Event()

    async def answer(received: Received) -> web.Response:
        if received.event == "run.failed":
            return web.Response(status=500)
        await gate.wait()
        return web.Response()

    steps = (
        "- event: run.completed\n- event: run.failed\n- {await: registration, events: [order.shipped]}\n"
        "- event: run.completed\n"
    )
    async with consuming() as consumer:
        consumer.answer = answer
        service.register(consumer.url, ["run.completed", "run.failed"], SECRET)
        timed = script(steps, pacing="timed", extra_events="[order.shipped]")
        replay = service.replaying(timed, fail_fast=True)
        running = asyncio.ensure_future(replay.run())
        await eventually(lambda: replay.report.first_unmet == "2")
        service.register(consumer.url, ["order.shipped"], SECRET)
        for _ in range(20):  # turns of the loop in which the replay goes on to the step after the registration
            await asyncio.sleep(0)
        assert not running.done()
        gate.set()
        report = await running
        await service.stop()
    assert (report.delivered, report.failed, report.not_sent) == (1, 1, 1)
