"""Fixtures of the tests of routes into this process."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver import MockServer
from tests.delivery.http1.conftest import serve as serve_raw
from tests.delivery.in_process.apps import HOOK, SECRET, URL, Deliver, Serve

__all__ = ["serve_raw"]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and "mockserver" in thread.name]
    assert not left


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer(timeout=60, strict_deliveries=False) as server:  # each test looks at what it is about
        yield server


@pytest.fixture
def serve(mock: MockServer) -> Serve:
    """Route the registered URL to an application."""

    def serve(app: Any, **options: Any) -> MockServer:
        mock.route(URL, to=app, **options)
        mock.register(HOOK, secret=SECRET)
        return mock

    return serve


@pytest.fixture(params=["sync", "async"])
def deliver(request: pytest.FixtureRequest) -> Deliver:
    """Send an event from sync code, or from a running loop; both return its outcome."""
    if request.param == "sync":
        return lambda mock: mock.send("run.failed")
    return lambda mock: asyncio.run(mock.asend("run.failed"))
