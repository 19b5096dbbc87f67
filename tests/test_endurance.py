"""The endurance run of ``benchmarks/``, small: it passes, and it notices what it is there to notice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.accounting import Watch
from benchmarks.chaotic_consumer import number_in
from benchmarks.endurance import chaotic_run, script_text
from mockserver.delivery.http1 import Http1Transport
from mockserver.model.events import encode_payload
from mockserver.model.messages import Exchange, Request, Response
from mockserver.model.records import Attempt, Delivery, Event, Outcome
from mockserver.model.settings import Settings, read_settings
from mockserver.model.targets import Target
from mockserver.replay.report import StepReport
from mockserver.script.model import Script
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from tests.tables import each_row

ROOT = Path(__file__).resolve().parent.parent
URL = "http://127.0.0.1:9/hooks"
REQUEST = Request(Target.parse(URL), b"", b"")
EVENTS = 1000
#: More than enough on any machine; nothing is judged by it.
SECONDS = 300.0


def a_script(events: int = EVENTS) -> Script:
    return read_script(script_text(events, URL, seed=3), load_catalog())


def a_delivery(*attempts: tuple[int, float, int]) -> Delivery:
    """Return a delivery with these attempts: number, time and status."""
    payload = encode_payload("run.failed", "2024-12-16T10:00:00Z", {"number": [5, 2]})
    made = tuple(Attempt(number, at, REQUEST, Exchange(Response(status))) for number, at, status in attempts)
    outcome: Outcome = "delivered" if made[-1].delivered else "failed"
    return Delivery(1, Event("run.failed", "2024-12-16T10:00:00Z", payload), "wh_1", URL, "test", made, outcome)


def endurance(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.endurance", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.full
def test_a_small_run_accounts_for_every_event() -> None:
    """Chaos, a killed consumer, Ctrl-C and SIGTERM: every event is accounted for, and nothing is left behind.

    MOCKSERVER_ENDURANCE_EVENTS sets how many: with 1000000 it takes minutes.
    """
    events = os.environ.get("MOCKSERVER_ENDURANCE_EVENTS", "5000")
    done = endurance("--events", events, "--seed", "6", "--seconds", str(SECONDS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every event is accounted for" in done.stdout
    assert re.search(r"restarts [1-9]", done.stdout)
    assert re.search(r"exit code +130\n", done.stdout)
    assert re.search(r"exit code +143\n", done.stdout)


@pytest.mark.full
def test_too_few_events_are_refused() -> None:
    """A script with fewer events than its steps need is not run."""
    done = endurance("--events", "10")
    assert done.returncode == 2
    assert "at least 1000" in done.stderr


@pytest.mark.parametrize("events", [1000, 12_345, 1_000_000])
def test_the_script_plans_as_many_events_as_asked_for(events: int) -> None:
    """The shares of the steps add up to the whole."""
    assert a_script(events).planned == events


def test_a_run_stopped_by_its_time_adds_up() -> None:
    """When its time is up, what was not sent is in the report, with the reason, and nothing is wrong."""
    outcome = chaotic_run(50_000, 2, seconds=0.2)
    assert not outcome.problems
    assert dict(outcome.rows)["not sent: the replay was stopped"]


@pytest.mark.full
def test_a_claim_that_the_consumer_cannot_confirm_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock that says 200 where nothing was sent does not get away with it."""
    honest = Http1Transport.exchange

    async def lying(transport: Http1Transport, request: Request, timeout: float) -> Exchange:
        if number_in(request.body) == 5:
            return Exchange(Response(200))
        return await honest(transport, request, timeout)

    monkeypatch.setattr(Http1Transport, "exchange", lying)
    problems = chaotic_run(EVENTS, 1, SECONDS).problems
    assert [problem for problem in problems if problem.startswith("event 5: 1 times delivered by the report, 0 times")]


@pytest.mark.full
def test_an_answer_that_gets_lost_in_the_mock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole 2xx of the consumer that the mock takes for another answer is not explained away."""
    honest = Http1Transport.exchange

    async def deaf(transport: Http1Transport, request: Request, timeout: float) -> Exchange:
        exchange = await honest(transport, request, timeout)
        return Exchange(Response(500)) if number_in(request.body) == 5 else exchange

    monkeypatch.setattr(Http1Transport, "exchange", deaf)
    problems = chaotic_run(EVENTS, 1, SECONDS).problems
    assert [problem for problem in problems if problem.startswith("event 5: 0 times delivered")]


@pytest.mark.full
def test_an_event_that_is_not_counted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that leaves an event out disagrees with its deliveries."""
    honest = StepReport.count

    def careless(step: StepReport, deliveries: list[Delivery]) -> None:
        if number_in(deliveries[0].event.payload) != 5:
            honest(step, deliveries)

    monkeypatch.setattr(StepReport, "count", careless)
    problems = chaotic_run(EVENTS, 1, SECONDS).problems
    assert [problem for problem in problems if problem.startswith("step 1: reported")]


@pytest.mark.full
def test_too_many_in_flight_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock that does not keep to the limit of its settings does not get away with it."""

    def unlimited(**chosen: object) -> Settings:
        return read_settings(**chosen | {"max_concurrency": 1000})

    monkeypatch.setattr("benchmarks.endurance.read_settings", unlimited)
    problems = chaotic_run(3 * EVENTS, 1, SECONDS).problems
    assert any("exchanges were in flight, 100 are allowed" in problem for problem in problems)


@each_row(
    "attempts",
    [
        [(2, 0.0, 500), (1, 1.0, 200)],
        [(1, 5.0, 500), (2, 4.0, 200)],
        [(1, 0.0, 500), (2, 0.5, 200)],
        [(1, 0.0, 500), (2, 1.0, 500), (3, 4.9, 200)],
    ],
)
def test_attempts_out_of_order_are_noticed(attempts: list[tuple[int, float, int]]) -> None:
    """Attempts whose numbers, times or waits are not those of the retry policy are a problem."""
    watch = Watch(a_script())
    watch.note(a_delivery(*attempts))
    assert "not in order" in watch.observed.problems[0]


def test_attempts_in_order_are_no_problem() -> None:
    """Attempts as the retry policy has them are fine."""
    watch = Watch(a_script())
    watch.note(a_delivery((1, 0.0, 500), (2, 1.0, 500), (3, 5.0, 200)))
    assert not watch.observed.problems
    assert watch.observed.outcomes == {"delivered": 1}
