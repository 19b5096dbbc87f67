"""Which loop an application runs on, and how it is started and shut down there."""

import asyncio
import concurrent.futures
import contextvars
import gc
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from mockserver import MockServer
from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.in_process import App, AppTransport
from mockserver.delivery.in_process.asgi import Lifespan
from mockserver.model.messages import Request as HttpRequest
from mockserver.model.targets import Target
from tests.delivery.in_process.apps import (
    HOOK,
    URL,
    AsgiProbe,
    Deliver,
    Serve,
    StartResponse,
    WsgiProbe,
    no_lifespan,
    ok,
    start,
    wsgi_ok,
)
from tests.presence import failure, present

TENANT = contextvars.ContextVar("TENANT", default="nobody's")


async def test_it_runs_on_the_loop_of_an_async_test(serve: Serve) -> None:
    """Its pools and locks live there; the lifespan too, before the first request. Replays run it there as well."""
    app = AsgiProbe()
    mock = serve(app)
    assert (await mock.asend("run.failed")).delivered
    report = await mock.areplay({"version": 1, "steps": [{"event": "run.failed", "repeat": 3}]}, speed="max")
    report.raise_for_failures()
    assert set(app.loops) == {asyncio.get_running_loop()}
    assert app.log == ["startup", *["request"] * 4]


async def test_what_others_send_runs_where_the_route_was_made(serve: Serve) -> None:
    """Over the control API, or a sync call in a thread: no caller's loop is known, but the test's own is running."""
    app = AsgiProbe()
    mock = serve(app)
    async with httpx.AsyncClient() as client:
        answer = await client.post(mock.url + "/_mock/events", json={"event": "run.failed"})
    assert answer.is_success
    assert (await asyncio.to_thread(mock.send, "run.failed")).delivered
    assert set(app.loops) == {asyncio.get_running_loop()}
    assert len(app.bodies) == 2


async def test_a_loop_that_waits_for_the_delivery_in_vain_is_a_time_out() -> None:
    """The worst case: the loop is blocked by waiting for a thread that sends. It ends, in time."""
    app = AsgiProbe()
    with MockServer(timeout=0.2) as mock:
        mock.route(URL, to=app)
        mock.register(HOOK)
        thread = threading.Thread(target=mock.send, args=("run.failed",))
        thread.start()
        thread.join(60)
        assert present(mock.deliveries[0].error).message == "no answer within 200ms"
    for _ in range(3):
        await asyncio.sleep(0)
    assert app.loops == []  # nothing waits for it: the application never sees it


def test_from_sync_code_it_runs_on_a_loop_of_its_own(serve: Serve) -> None:
    """Neither in this thread nor in the mock's, and on the same loop every time."""
    app = AsgiProbe()
    threads = set()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        threads.add(threading.current_thread().name)
        await ok(scope, receive, send)

    app._answer = answer
    mock = serve(app)
    assert mock.send("run.failed").delivered
    assert mock.send("run.failed").delivered
    assert threads == {"mockserver-app"}
    assert len(set(app.loops)) == 1
    assert app.log == ["startup", "request", "request"]


def test_wsgi_runs_in_threads_of_its_own(serve: Serve, deliver: Deliver) -> None:
    """One for each request, gone when it has answered."""
    app = WsgiProbe()
    mock = serve(app)
    assert deliver(mock).delivered
    assert deliver(mock).delivered
    mock.reset()
    assert threading.current_thread() not in app.threads
    assert not [thread for thread in app.threads if thread.is_alive()]


@pytest.mark.parametrize("kind", ["asgi", "wsgi", "aiohttp"])
def test_a_handler_may_call_the_vendor(serve: Serve, deliver: Deliver, kind: str) -> None:
    """An application that calls the API while it handles an event is answered: there is no deadlock."""
    mock = serve(WsgiProbe())

    def call_the_vendor() -> int:  # blocking, as in many a real handler
        return httpx.post(mock.url + "/v1/webhooks", json={}, headers={"Authorization": "Bearer k"}).status_code

    async def asgi(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, call_the_vendor())
        await send({"type": "http.response.body"})

    def wsgi(_environ: dict[str, Any], start_response: StartResponse) -> list[Any]:
        start_response(f"{call_the_vendor()} X", [])
        return []

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=call_the_vendor())

    app = web.Application()
    app.router.add_post("/webhooks/playgent", handler)
    mock.route(URL, to={"asgi": AsgiProbe(asgi), "wsgi": WsgiProbe(wsgi), "aiohttp": app}[kind])
    assert present(deliver(mock).response).status == 400


async def test_a_handler_may_send_events_itself() -> None:
    """A delivery that causes another one, on the same loop."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/webhooks/playgent":
            assert (await mock.asend("run.completed")).delivered
        await ok(scope, receive, send)

    app = AsgiProbe(answer)
    async with MockServer() as mock:
        mock.route(URL, to=app)
        mock.register(HOOK, events=["run.failed"])
        mock.register(URL + "/other", events=["run.completed"])
        assert (await mock.asend("run.failed")).delivered
    assert app.log == ["startup", "request", "request", "shutdown"]


async def test_the_context_of_the_test_stays_outside(serve: Serve) -> None:
    """As behind a server, an application sees no context variables of the sender."""
    seen = []
    TENANT.set("the test's")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(TENANT.get())
        await ok(scope, receive, send)

    assert (await serve(AsgiProbe(answer)).asend("run.failed")).delivered
    assert seen == ["nobody's"]


def test_a_handler_may_reset_the_mock(serve: Serve) -> None:
    """Its own delivery ends with that, and nothing waits for itself."""

    def answer(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        mock.reset()
        return wsgi_ok(environ, start_response)

    app = WsgiProbe(answer)
    mock = serve(app)
    with pytest.raises(concurrent.futures.CancelledError):
        mock.send("run.failed")
    app.threads[0].join()
    assert mock.deliveries == ()


# ---------------------------------------------------------------- lifespan


def test_it_is_shut_down_when_the_mock_stops_or_is_reset(mock: MockServer) -> None:
    """In order, once, and started anew for the next delivery."""
    app = AsgiProbe()
    for _ in range(2):
        mock.route(URL, to=app)
        mock.register(HOOK)
        assert mock.send("run.failed").delivered
        mock.reset()
    mock.stop()
    assert app.log == ["startup", "request", "shutdown"] * 2


async def test_a_sync_reset_on_the_loop_lets_the_shutdown_follow(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot wait for its own loop; the shutdown is the next thing that happens there."""
    app = AsgiProbe()
    mock = serve(app)
    assert (await mock.asend("run.failed")).delivered
    with monkeypatch.context() as patch:
        patch.setattr("concurrent.futures.wait", lambda *_: pytest.fail("it would wait for its own loop"))
        mock.reset()
    assert app.log == ["startup", "request"]
    await asyncio.to_thread(app.ended.wait, 60)
    assert app.log == ["startup", "request", "shutdown"]


def test_a_loop_that_has_paused_is_run_on_for_the_shutdown(mock: MockServer) -> None:
    """As in the teardown of a sync fixture after an async test: the loop is there, but not running."""
    app = AsgiProbe()
    loop = asyncio.new_event_loop()
    try:
        mock.route(URL, to=app)
        mock.register(HOOK)
        assert loop.run_until_complete(mock.asend("run.failed")).delivered
        mock.reset()
        assert app.log == ["startup", "request", "shutdown"]
    finally:
        loop.close()


def test_a_paused_loop_of_another_thread_is_left_to_that_thread(serve: Serve) -> None:
    """It may not be run from here; the shutdown takes place when it runs again."""
    app = AsgiProbe()
    loop = asyncio.new_event_loop()
    mock = serve(app)
    thread = threading.Thread(target=lambda: loop.run_until_complete(mock.asend("run.failed")))
    thread.start()
    thread.join()
    mock.reset()
    assert app.log == ["startup", "request"]
    loop.run_until_complete(asyncio.to_thread(app.ended.wait, 60))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert app.log == ["startup", "request", "shutdown"]


def test_a_loop_that_runs_in_another_thread_is_waited_for(serve: Serve) -> None:
    """A reset from a plain thread returns when the application has shut down on its own loop."""
    app = AsgiProbe()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    mock = serve(app)
    assert asyncio.run_coroutine_threadsafe(mock.asend("run.failed"), loop).result(60).delivered
    mock.reset()
    log = list(app.log)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert log == ["startup", "request", "shutdown"]


# On Python 3.10 asyncio.run drops the loop that an older pytest-asyncio left set, whose sockets are open.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
def test_a_closed_loop_is_forgotten(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """asyncio.run has cancelled what was left; there is nothing to say about it."""
    app = AsgiProbe()
    mock = serve(app)
    assert asyncio.run(mock.asend("run.failed")).delivered
    mock.reset()
    mock.stop()
    gc.collect()
    assert app.log == ["startup", "request", "cancelled"]
    assert not caplog.records


def test_a_closed_loop_has_closed_the_port_of_an_aiohttp_application(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """It was served on that loop: it is cleaned up when the loop ends, and no socket is left open."""
    log: list[Any] = []
    mock = serve(aiohttp_app(log))
    assert asyncio.run(mock.asend("run.failed")).delivered
    assert log[-1] == "down"
    mock.reset()
    gc.collect()
    assert not caplog.records


def test_an_application_moves_on_to_the_next_loop(serve: Serve) -> None:
    """Each loop starts it for itself, so a module's application serves a test after the other."""
    app = AsgiProbe()
    mock = serve(app)
    assert asyncio.run(mock.asend("run.failed")).delivered
    assert asyncio.run(mock.asend("run.failed")).delivered
    assert mock.send("run.failed").delivered
    assert len(set(app.loops)) == 3


def test_requests_get_a_copy_of_the_state(serve: Serve) -> None:
    """What the lifespan yields is there for each request, as Starlette documents it."""
    states = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        states.append(dict(scope["state"]))
        scope["state"]["mine"] = True
        await ok(scope, receive, send)

    mock = serve(AsgiProbe(answer))
    mock.send("run.failed")
    mock.send("run.failed")
    assert states == [{"pool": "a pool"}] * 2


def test_a_failed_start_is_recorded_with_each_attempt(serve: Serve) -> None:
    """The message is the cause, its detail the traceback; the application is not asked again."""
    starts = []

    async def lifespan(_app: Any) -> AsyncIterator[Any]:
        starts.append(1)
        if starts:
            raise OSError("no database")
        yield

    mock = serve(FastAPI(lifespan=asynccontextmanager(lifespan)))
    error = present(mock.send("run.failed").deliveries[0].error)
    assert failure(error) == ("app", "the application did not start: OSError: no database")
    assert "Traceback" in error.detail
    assert mock.send("run.failed").deliveries[0].error == error
    assert starts == [1]


async def fails_to_start(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "lifespan.startup.failed"})


async def returns_at_once(_scope: Scope, _receive: Receive, _send: Send) -> None: ...


async def says_odd_things(_scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.odd"})
    await receive()
    await receive()


@pytest.mark.parametrize("lifespan", [no_lifespan, returns_at_once, says_odd_things])
def test_applications_without_lifespan_are_fine(
    serve: Serve, deliver: Deliver, lifespan: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """They raise, return or say odd things, as frameworks without support for it do."""
    assert deliver(serve(AsgiProbe(lifespan=lifespan))).delivered
    assert not caplog.records


async def fails_later(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise OSError("pool is gone")


async def fails_to_stop(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "pool is gone"})


async def hangs_at_the_end(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.Event().wait()


# ---------------------------------------------------------------- aiohttp


def aiohttp_app(log: list[Any], **hooks: Callable[..., Awaitable[None]]) -> web.Application:
    app = web.Application()

    async def up(_app: Any) -> None:
        log.append("up")

    async def down(_app: Any) -> None:
        log.append("down")

    async def receive(_request: web.Request) -> web.Response:
        log.append(asyncio.get_running_loop())
        return web.Response(text="ok")

    app.on_startup.append(hooks.get("up", up))
    app.on_cleanup.append(hooks.get("down", down))
    app.router.add_post("/webhooks/playgent", receive)
    return app


async def test_aiohttp_runs_on_the_loop_of_the_test() -> None:
    """Started before the first request, cleaned up at the end."""
    log: list[Any] = []
    async with MockServer() as mock:
        mock.route(URL, to=aiohttp_app(log))
        mock.register(HOOK)
        first, second = [await mock.asend("run.failed") for _ in range(2)]
    assert present(first.response).text == present(second.response).text == "ok"
    loop = asyncio.get_running_loop()
    assert log == ["up", loop, loop, "down"]
    assert present(second.attempts[0].request).target.url == HOOK


def test_aiohttp_has_a_loop_of_its_own_in_sync_code(serve: Serve) -> None:
    """Like an ASGI application."""
    log: list[Any] = []
    mock = serve(aiohttp_app(log))
    assert mock.send("run.failed").delivered
    mock.reset()
    assert (log[0], log[-1], len(log)) == ("up", "down", 3)


def test_what_aiohttp_itself_refuses_is_an_answer(mock: MockServer) -> None:
    """A request line that is too long for it gets its 400, as over the network."""
    mock.route(URL, to=aiohttp_app([]))
    mock.register(URL + "/" + "a" * 10_000)
    sent = mock.send("run.failed")
    assert (present(sent.response).status, sent.deliveries[0].error) == (400, None)


def raising(error: Exception) -> Callable[..., Awaitable[None]]:
    async def hook(_app: Any) -> None:
        raise error

    return hook


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: AsgiProbe(lifespan=fails_to_start), "it gave no reason"),
        (lambda: aiohttp_app([], up=raising(OSError("no database"))), "OSError: no database"),
        # This one aiohttp raises about loops.
        (lambda: aiohttp_app([], up=raising(RuntimeError("no database"))), "RuntimeError: no database"),
    ],
)
def test_a_start_that_fails_is_recorded(serve: Serve, deliver: Deliver, make: Callable[[], Any], cause: str) -> None:
    """With the cause, as far as it is known."""
    error = deliver(serve(make())).deliveries[0].error
    assert failure(error) == ("app", f"the application did not start: {cause}")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AsgiProbe(lifespan=fails_later), "failed"),
        (lambda: AsgiProbe(lifespan=fails_to_stop), "pool is gone"),
        (lambda: AsgiProbe(lifespan=hangs_at_the_end), "did not shut down within"),
        (lambda: aiohttp_app([], down=raising(OSError("pool is gone"))), "failed to shut down"),
    ],
)
def test_a_bad_end_is_logged(
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], Any],
    words: str,
) -> None:
    """It spoils no test, but it is not silent."""
    monkeypatch.setattr("mockserver.delivery.in_process.asgi.PATIENCE", 0.1)
    mock = serve(make())
    assert mock.send("run.failed").delivered
    mock.reset()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert words in caplog.text


def test_an_aiohttp_application_stays_with_its_loop(serve: Serve) -> None:
    """It refuses another one; the message says what to do."""
    app = aiohttp_app([])
    mock = serve(app)
    assert asyncio.run(mock.asend("run.failed")).delivered
    error = present(asyncio.run(mock.asend("run.failed")).deliveries[0].error)
    assert "make a new one for each test" in error.message


# ---------------------------------------------------------------- stops and resets


@pytest.mark.parametrize("kind", ["asgi", "wsgi", "aiohttp start", "aiohttp"])
@pytest.mark.parametrize("ending", ["reset", "stop"])
def test_what_is_in_flight_ends_with_the_mock(kind: str, ending: str) -> None:
    """A delivery that waits for an application is over at once, and nothing is left behind."""
    entered, release = threading.Event(), threading.Event()

    async def hang(*_: Any) -> Any:
        entered.set()
        await asyncio.Event().wait()

    def wsgi_hang(_environ: dict[str, Any], _start_response: StartResponse) -> list[Any]:
        entered.set()
        release.wait(60)
        return []

    aiohttp = web.Application()
    if kind == "aiohttp start":
        aiohttp.on_startup.append(hang)
    aiohttp.router.add_post("/webhooks/playgent", hang)
    app = {"asgi": AsgiProbe(hang), "wsgi": WsgiProbe(wsgi_hang)}.get(kind, aiohttp)
    mock = MockServer().start()
    mock.route(URL, to=app)
    mock.register(HOOK)
    ended = threading.Event()

    def send() -> None:
        try:
            mock.send("run.failed")
        except BaseException:  # noqa: BLE001 - cancelled or failed: the point is that it ends
            pass
        finally:
            ended.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert entered.wait(60)
    getattr(mock, ending)()
    assert ended.wait(60)
    mock.stop()
    release.set()
    sender.join()
    if kind == "wsgi":
        app.threads[0].join()  # type: ignore[attr-defined]


def test_two_mocks_with_the_same_application() -> None:
    """Each is a server of its own to it, and stopping one leaves the other."""
    app = AsgiProbe()
    with MockServer() as one:
        with MockServer() as other:
            for mock in (one, other):
                mock.route(URL, to=app)
                mock.register(HOOK)
                assert mock.send("run.failed").delivered
        assert app.log == ["startup", "request", "startup", "request", "shutdown"]
        assert one.send("run.failed").delivered
    assert app.log[5:] == ["request", "shutdown"]


def test_the_same_application_for_two_addresses(mock: MockServer) -> None:
    """It is started once."""
    app = AsgiProbe()
    for url in (URL, "https://other.example"):
        mock.route(url, to=app)
        mock.register(url)
    assert mock.send("run.failed").delivered
    assert app.log == ["startup", "request", "request"]
    assert {dict(scope["headers"])[b"host"] for scope in app.scopes} == {b"your-app.com", b"other.example"}


async def test_what_was_never_started_need_not_be_stopped() -> None:
    """A host that is ended before its application's turn came has nothing to do."""
    await Lifespan(AsgiProbe()).stop()


async def test_a_delivery_to_a_forgotten_application_is_stopped() -> None:
    """What was on its way when the routes were reset reaches no other application."""
    transport = AppTransport(Http1Transport())
    key = transport.add(App(AsgiProbe(), "asgi", asyncio.get_running_loop()))
    transport.reset()
    assert transport.add(App(AsgiProbe(), "asgi", asyncio.get_running_loop())) != key
    target = Target("https", "your-app.com", 443, "/", key)
    exchange = await transport.exchange(HttpRequest(target, b"POST / HTTP/1.1\r\n\r\n", b""), 60)
    assert present(exchange.error).kind == "stopped"


class LastMoment:
    """A loop that looks as if it ran, and is closed when something is to run on it."""

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return True

    def call_soon_threadsafe(self, *_args: Any, **_options: Any) -> None:
        raise RuntimeError("Event loop is closed")


async def test_a_loop_that_closes_at_the_last_moment() -> None:
    """The delivery is stopped, with the reason."""
    transport = AppTransport(Http1Transport())
    key = transport.add(App(AsgiProbe(), "asgi", cast("asyncio.AbstractEventLoop", LastMoment())))
    target = Target("https", "your-app.com", 443, "/", key)
    exchange = await transport.exchange(HttpRequest(target, b"POST / HTTP/1.1\r\n\r\n", b""), 60)
    assert present(exchange.error).message == "the event loop that the application ran on is closed"
    await transport.close()
    transport.settle()
