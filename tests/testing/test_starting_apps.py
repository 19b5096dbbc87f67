"""Applications that register themselves when they start."""

import asyncio
import contextlib
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mockserver import MockServer, StartError, UsageError, WaitTimeoutError
from tests.tables import each_row

BASE = "https://svc.example"
BODY = b'{"url": "https://svc.example/hooks", "events": ["run.failed"], "secret": "whsec_x"}'


class SelfRegistering:
    """An ASGI application whose lifespan registers its webhook, and counts its starts."""

    def __init__(self, problem: str = "") -> None:
        self.url = ""
        self.starts = 0
        self.handled = 0
        self.problem = problem

    def register(self) -> None:
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/v1/webhooks", BODY, headers)).close()

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.starts += 1
            if self.problem:
                await send({"type": "lifespan.startup.failed", "message": self.problem})
                return
            await asyncio.to_thread(self.register)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.handled += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def routed(app: SelfRegistering, **options: Any) -> Iterator[MockServer]:
    with MockServer() as mock:
        app.url = mock.url
        mock.route(BASE, to=app, **options)
        yield mock


WAYS = {
    "waiting": lambda mock, _: mock.wait_for_registration(["run.failed"]),
    "settling": lambda mock, _: mock.settle(),
    "on request": lambda mock, app: mock.start(app),
}


@each_row("way", WAYS.values())
def test_a_routed_application_is_started_once(way: Callable[..., Any]) -> None:
    """By waiting for its registration, for flows, or on request; the delivery finds it running."""
    app = SelfRegistering()
    with routed(app) as mock:
        way(mock, app)
        way(mock, app)
        assert mock.send("run.failed").delivered
    assert (app.starts, app.handled) == (1, 1)


async def test_on_the_loop_of_the_test() -> None:
    """As its pools and locks are at home there."""
    app = SelfRegistering()
    async with MockServer() as mock:
        app.url = mock.url
        mock.route(BASE, to=app)
        await mock.astart(app)
        await mock.await_for_registration(["run.failed"])
        await mock.asettle()
        assert (await mock.asend("run.failed")).delivered
    assert app.starts == 1


def test_who_starts_an_application_alone_says_so() -> None:
    """Then the mock does not, and a time-out says that."""
    app = SelfRegistering()
    with routed(app, lifespan=False) as mock:
        with pytest.raises(WaitTimeoutError, match="lifespan=False"):
            mock.wait_for_registration(timeout=0.01)
        app.register()
        mock.wait_for_registration()
        assert mock.send("run.failed").delivered
    assert app.starts == 0


def test_an_application_that_does_not_start() -> None:
    """The reason is its own; and only what is routed can be started."""
    with routed(SelfRegistering("no database")) as mock:
        with pytest.raises(StartError, match="no database"):
            mock.wait_for_registration()
        with pytest.raises(UsageError, match="no route leads to this application"):
            mock.start(SelfRegistering())
        with pytest.raises(UsageError, match=r"not https://svc\.example"):
            mock.start(BASE)


def test_a_late_registration_of_an_earlier_test_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Its deliveries are refused, in the next test too, until that routes the address itself."""
    app = SelfRegistering()
    with routed(app) as mock:
        mock.reset()
        app.register()
        assert "https://svc.example/hooks is registered, and was routed until the last reset" in caplog.text
        sent = mock.send("run.failed")
        assert "application from before the reset" in str(sent.deliveries[0].error)
        mock.route(BASE, to=app)
        assert mock.send("run.failed").delivered
