"""The races that break real applications, each one line in a rule: the correct application passes them all."""

from collections.abc import Callable

import pytest

from mockserver import MockServer
from tests.testing.flow_app import ADDRESS, ENDS, MISTAKES, Application


def event_before_the_answer(mock: MockServer, app: Application) -> bool:
    """The event overtakes the 201."""
    mock.flow("POST /v1/runs", deliver="before_answer")
    run_id = app.start()
    mock.settle()
    return app.runs[run_id] == "completed"


def event_between_two_reads(mock: MockServer, app: Application) -> bool:
    """The run ends, and says so, while the application still thinks about what it has read."""
    mock.flow("POST /v1/runs", advance={"reads": 1}, outcome="failed")
    run_id = app.start()
    app.think = mock.settle
    for _ in range(2):
        app.poll()
    return app.runs[run_id] == "failed"


def two_events_for_one_run(mock: MockServer, app: Application) -> bool:
    """A late run.completed after run.failed, for a run that has failed."""
    events = [{"event": "run.failed"}, {"event": "run.completed"}]
    mock.flow("POST /v1/runs", outcome="failed", events=events, advance="manual")
    run_id = app.start()
    end(mock, run_id)
    return app.runs[run_id] == "failed"


def no_event_at_all(mock: MockServer, app: Application) -> bool:
    """The run ends, and no event says so."""
    mock.flow("POST /v1/runs", events=[])
    run_id = app.start()
    mock.settle()
    app.poll()
    return app.runs[run_id] in ENDS


def refused_first(mock: MockServer, app: Application) -> bool:
    """The API is down for one call; then the run is created, once."""
    mock.flow("POST /v1/runs", advance="manual")
    mock.fail_next(503)
    mock.fail_next(429)
    run_id = app.start()
    if len(mock.resources) != 1:
        return False
    end(mock, run_id)
    return app.runs == {run_id: "completed"}


def end(mock: MockServer, run_id: str) -> None:
    """Bring a run to its end, after the application has read the answer to its start: no race of threads decides."""
    while mock.advance(run_id).state not in ENDS:
        pass
    mock.settle()


Race = Callable[[MockServer, Application], bool]
RACES: dict[Race, set[str]] = {
    event_before_the_answer: {"answer_wins", "unknown_dropped"},
    event_between_two_reads: {"stale_read_wins", "never_polls"},
    two_events_for_one_run: {"last_event_wins"},
    no_event_at_all: {"never_polls"},
    refused_first: {"gives_up", "tries_for_ever"},
}


@pytest.mark.mockserver(strict_deliveries=False)  # a lost event is found by that alone; here the application is asked
@pytest.mark.parametrize("race", RACES)
@pytest.mark.parametrize("mistake", ["", *MISTAKES])
def test_each_race_finds_its_mistakes(mockserver: MockServer, race: Race, mistake: str) -> None:
    """A correct application passes every race; one with a mistake fails its own, and passes those of others."""
    app = Application(mockserver.url, mistake)
    mockserver.route(ADDRESS, to=app)
    mockserver.register(f"{ADDRESS}/hooks", events=["run.completed", "run.failed"])
    assert race(mockserver, app) is (mistake not in RACES[race])


def test_every_mistake_is_found_by_a_race() -> None:
    """None of them is there for nothing."""
    assert set().union(*RACES.values()) == set(MISTAKES)
