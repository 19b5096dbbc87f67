"""Tests that freeze the time: events carry it, and nothing of ours stands still."""

import asyncio
import datetime as dt
import importlib
import socket
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mockserver import MockServer
from mockserver.delivery import event_loop
from mockserver.delivery.event_loop import in_real_time
from mockserver.model.records import Delivery
from tests.presence import present
from tests.receiving import SECRET

FROZEN = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)


@pytest.fixture(params=["freezegun", "time-machine"])
def frozen(request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    made: AbstractContextManager[Any]
    if request.param == "freezegun":
        made = importlib.import_module("freezegun").freeze_time(FROZEN)
    else:
        made = importlib.import_module("time_machine").travel(FROZEN, tick=False)
    return made


@pytest.fixture(params=["uvloop", "standard loop"])
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "uvloop":
        made = asyncio.new_event_loop
        monkeypatch.setattr(event_loop, "new_event_loop", lambda: in_real_time(made()))


@pytest.mark.full
@pytest.mark.usefixtures("_loop")
@pytest.mark.parametrize("begun", ["before", "within"])
def test_a_silent_consumer_is_given_up_and_retried(frozen: AbstractContextManager[Any], begun: str) -> None:
    """Time-outs and waits go by real time; the event's timestamp is the frozen time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        def deliver(mock: MockServer) -> Delivery:
            mock.register(url, ["run.failed"], SECRET)
            return mock.send("run.failed").deliveries[0]

        if begun == "before":
            with MockServer(timeout=0.5, retry=(0, 0.1)) as mock, frozen:
                delivery = deliver(mock)
        else:
            with frozen, MockServer(timeout=0.5, retry=(0, 0.1)) as mock:
                delivery = deliver(mock)
    assert delivery.event.timestamp == "2020-01-01T00:00:00Z"
    assert [present(attempt.error).kind for attempt in delivery.attempts] == ["timeout", "timeout"]
