"""An application that raises, hangs or misbehaves is recorded, and never takes the mock with it."""

import asyncio
import contextlib
import gc
import itertools
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import flask
import pytest
from aiohttp import web
from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from mockserver import MockServer
from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.in_process import App, AppTransport, read_destination
from mockserver.model.messages import Close, Exchange, Request
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


async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("no such run\nand more of it")


def wsgi_raises(_environ: dict[str, Any], _start_response: StartResponse) -> None:
    raise ValueError("no such run")


@pytest.mark.parametrize(
    ("app", "message"),
    [(AsgiProbe(raises), "ValueError: no such run …"), (WsgiProbe(wsgi_raises), "ValueError: no such run")],
    ids=["asgi", "wsgi"],
)
def test_an_exception_is_recorded_with_its_traceback(
    serve: Serve, deliver: Deliver, app: AsgiProbe | WsgiProbe, message: str
) -> None:
    """The error names the exception in one line; its detail is the traceback, beginning in the application."""
    sent = deliver(serve(app))
    assert not sent.delivered
    error = present(sent.deliveries[0].error)
    assert failure(error) == ("app", message)
    assert error.detail.startswith("Traceback")
    assert "no such run" in error.detail
    assert "in_process/apps.py" in error.detail.splitlines()[1]
    assert "mockserver/delivery" not in error.detail
    assert deliver(serve(AsgiProbe())).deliveries


def test_starlette_gives_the_exception_and_the_500(serve: Serve, deliver: Deliver) -> None:
    """FastAPI answers 500 and raises again: the record has both, so that the cause is seen."""
    app = FastAPI()

    @app.post("/webhooks/playgent")
    async def receive() -> None:
        raise KeyError("run_id")

    sent = deliver(serve(app))
    assert present(sent.response).status == 500
    assert present(sent.deliveries[0].error).message == "KeyError: 'run_id'"
    assert "in receive" in present(sent.deliveries[0].error).detail


class GroupError(Exception):
    """As ExceptionGroup of Python 3.11."""

    exceptions = (LookupError("inner"),)


@pytest.mark.parametrize(
    ("raised", "message"), [(GroupError(), "LookupError: inner"), (AssertionError(), "AssertionError")]
)
def test_what_an_exception_is_called(serve: Serve, raised: Exception, message: str) -> None:
    """Task groups wrap what is raised in them; one without words has its name alone."""

    async def raising(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise raised

    assert present(serve(AsgiProbe(raising)).send("run.failed").deliveries[0].error).message == message


def test_flask_answers_500_or_raises_as_it_is_configured(serve: Serve) -> None:
    """The page that a client would see; with TESTING, the exception."""
    app = flask.Flask("app")

    @app.post("/webhooks/playgent")
    def receive() -> str:
        raise RuntimeError("broken")

    mock = serve(app)
    sent = mock.send("run.failed")
    assert (present(sent.response).status, sent.deliveries[0].error) == (500, None)
    app.testing = True
    assert present(mock.send("run.failed").deliveries[0].error).message == "RuntimeError: broken"


def test_aiohttp_gives_the_exception_and_the_500(serve: Serve) -> None:
    """What a handler raises is recorded with its traceback, for this delivery and not for the next."""
    calls = itertools.count()

    async def receive(_request: web.Request) -> web.Response:
        if next(calls) == 0:
            raise ValueError("broken")
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhooks/playgent", receive)
    mock = serve(app)
    sent = mock.send("run.failed")
    assert present(sent.response).status == 500
    assert present(sent.deliveries[0].error).message == "ValueError: broken"
    assert "in receive" in present(sent.deliveries[0].error).detail
    assert mock.send("run.failed").delivered


@pytest.mark.parametrize("exit_with", [SystemExit, KeyboardInterrupt, pytest.fail.Exception])
@pytest.mark.parametrize("kind", ["asgi", "wsgi", "aiohttp"])
def test_exits_are_exceptions_too(serve: Serve, kind: str, exit_with: type[BaseException]) -> None:
    """What would end a program fails the attempt, and neither the test run nor the loop of the application ends."""
    exits = [exit_with("bye")]

    async def leave(_scope: Scope, _receive: Receive, send: Send) -> None:
        if exits:
            raise exits.pop()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    def wsgi_leave(_environ: dict[str, Any], start_response: StartResponse) -> list[Any]:
        if exits:
            raise exits.pop()
        start_response("200 OK", [])
        return []

    async def aiohttp_leave(_request: web.Request) -> web.Response:
        if exits:
            raise exits.pop()
        return web.Response()

    if kind == "aiohttp":
        app = web.Application()
        app.router.add_post("/webhooks/playgent", aiohttp_leave)
        mock = serve(app)
    else:
        mock = serve(AsgiProbe(leave) if kind == "asgi" else WsgiProbe(wsgi_leave))
    assert failure(mock.send("run.failed").deliveries[0].error) == ("app", f"{exit_with.__name__}: bye")
    assert mock.send("run.failed").delivered


# On Python 3.10 asyncio.run drops the loop that an older pytest-asyncio left set, whose sockets are open.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
async def test_the_users_interruption_goes_on(mock: MockServer, caplog: pytest.LogCaptureFixture) -> None:
    """Control-C while an application runs on the test's loop ends the test, and leaves nothing to complain about."""
    heard = []
    loop = asyncio.get_running_loop()

    async def interrupted(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyboardInterrupt

    app = AsgiProbe(interrupted, no_lifespan)

    def session() -> None:
        async def test() -> None:
            mock.route(URL, to=app)
            mock.register(HOOK)
            await mock.asend("run.failed")

        try:
            asyncio.run(test())
        except KeyboardInterrupt:
            heard.append("interrupted")

    await loop.run_in_executor(None, session)
    assert heard == ["interrupted"]
    gc.collect()
    assert not caplog.records


async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None: ...


async def unfinished(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})


async def headless(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"abc"})


async def beheaded_twice(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    await start(send)


async def talkative(scope: Scope, receive: Receive, send: Send) -> None:
    await ok(scope, receive, send)
    await send({"type": "http.response.body", "body": b"and another thing"})


async def with_text(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send, headers=[("X-Name", "text")])


async def cancels_itself(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise asyncio.CancelledError


def wsgi_silent(_environ: dict[str, Any], _start_response: StartResponse) -> list[Any]:
    return []


def wsgi_wrong_status(_environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("fine", [])
    return []


def wsgi_twice(_environ: dict[str, Any], start_response: StartResponse) -> None:
    start_response("200 OK", [])
    start_response("404 Not Found", [])


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (AsgiProbe(silent), "returned without an answer"),
        (AsgiProbe(unfinished), "before its answer was complete: 3 bytes of body came"),
        (AsgiProbe(headless), "unexpected ASGI message 'http.response.body'"),
        (AsgiProbe(beheaded_twice), "unexpected ASGI message 'http.response.start'"),
        (AsgiProbe(talkative), "unexpected ASGI message 'http.response.body'"),
        (AsgiProbe(with_text), "AttributeError"),
        (AsgiProbe(cancels_itself), "was cancelled before it had answered"),
        (WsgiProbe(wsgi_silent), "returned without an answer"),
        (WsgiProbe(wsgi_wrong_status), "ValueError"),
        (WsgiProbe(wsgi_twice), "a second time without exc_info"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_breaches_of_the_interface_are_named(
    serve: Serve, deliver: Deliver, app: AsgiProbe | WsgiProbe, words: str
) -> None:
    """No answer, half of one, or one out of order is an error of the application."""
    error = present(deliver(serve(app)).deliveries[0].error)
    assert error.kind == "app"
    assert words in error.message


def test_wsgi_may_replace_its_answer_when_it_fails(serve: Serve) -> None:
    """With exc_info an application says what went wrong: that is recorded, with the status that it chose."""

    def repentant(_environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        try:
            os.environ["NO SUCH NAME"]
        except KeyError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"sorry"]

    sent = serve(WsgiProbe(repentant)).send("run.failed")
    assert (present(sent.response).status, present(sent.response).reason) == (500, "Oh")
    assert present(sent.deliveries[0].error).message == "KeyError: 'NO SUCH NAME'"


def test_wsgi_may_write_its_answer(serve: Serve) -> None:
    """The write function of the standard works, and what is returned is closed."""
    closed = []

    class Rest(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def writes(_environ: dict[str, Any], start_response: StartResponse) -> Rest:
        write = start_response("200 OK", [])
        write(b"written, ")
        return Rest([b"returned"])

    assert present(serve(WsgiProbe(writes)).send("run.failed").response).body == b"written, returned"
    assert closed == [True]


def test_wsgi_may_start_its_answer_late(serve: Serve) -> None:
    """A generator runs only when it is read."""

    def lazy(_environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        start_response("202 Later", [])
        yield b"x"

    assert present(serve(WsgiProbe(lazy)).send("run.failed").response).status == 202


# ---------------------------------------------------------------- time-outs


@pytest.fixture
def hurried() -> Iterator[MockServer]:
    """For what does not end, however much time it is given."""
    with MockServer(timeout=0.2) as mock:
        mock.register(HOOK)
        yield mock


@pytest.fixture
def patient() -> Iterator[MockServer]:
    """For what has something to do before its time is up: that is long for a busy machine."""
    with MockServer(timeout=2) as mock:
        mock.register(HOOK)
        yield mock


def test_a_hanging_asgi_application_is_cut_off(patient: MockServer, deliver: Deliver) -> None:
    """It is cancelled; the attempt is a time-out, with the part of the answer that came."""
    cancelled = threading.Event()

    async def hang(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send)
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    patient.route(URL, to=AsgiProbe(hang))
    sent = deliver(patient)
    assert failure(sent.deliveries[0].error) == ("timeout", "no complete answer within 2s: 3 bytes of body came")
    assert present(sent.response).body == b"abc"
    assert cancelled.wait(60)


def test_a_hanging_wsgi_application_is_left_alone(hurried: MockServer) -> None:
    """Its thread cannot be stopped, but nothing waits for it, and what it answers later is ignored."""
    entered, release = threading.Event(), threading.Event()

    def hang(environ: dict[str, Any], start_response: StartResponse) -> Any:
        entered.set()
        release.wait(60)
        return wsgi_ok(environ, start_response)

    app = WsgiProbe(hang)
    hurried.route(URL, to=app)
    sent = hurried.send("run.failed")
    assert entered.wait(60)
    release.set()
    app.threads[0].join()
    assert present(sent.deliveries[0].error).message == "no answer within 200ms"
    assert hurried.deliveries[0].response is None


def test_an_application_that_blocks_its_loop_does_not_block_the_mock(hurried: MockServer) -> None:
    """From sync code an application has a loop of its own: while it sleeps, the mock goes on."""
    release = threading.Event()

    async def block(_scope: Scope, _receive: Receive, _send: Send) -> None:
        release.wait(60)

    hurried.route(URL, to=AsgiProbe(block))
    assert present(hurried.send("run.failed").deliveries[0].error).kind == "timeout"
    assert hurried.requests == ()
    release.set()


async def test_an_application_that_blocks_the_tests_loop_is_a_time_out(hurried: MockServer) -> None:
    """The time runs on the mock's side, so even then it is up in time."""
    noticed: list[str] = []

    async def block(_scope: Scope, _receive: Receive, _send: Send) -> None:
        end = time.monotonic() + 60
        while (outcome := hurried.deliveries[0].outcome) == "pending" and time.monotonic() < end:
            time.sleep(0.01)  # noqa: ASYNC251 - that is the mistake
        noticed.append(outcome)

    hurried.route(URL, to=AsgiProbe(block))
    sent = await hurried.asend("run.failed")
    assert present(sent.deliveries[0].error).kind == "timeout"
    assert noticed == ["failed"]


@pytest.mark.parametrize("kind", ["asgi", "aiohttp"])
def test_a_start_that_hangs_is_a_time_out(
    hurried: MockServer, deliver: Deliver, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The message says that it was the start; at the end it is cancelled, as nothing else will stop it."""

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    app = web.Application()
    app.on_startup.append(hang)
    hurried.route(URL, to=app if kind == "aiohttp" else AsgiProbe(lifespan=hang))
    assert failure(deliver(hurried).deliveries[0].error) == ("timeout", "the application did not start within 200ms")
    hurried.reset()
    assert not caplog.records


def answering_then(task: Callable[..., Any]) -> Callable[..., Any]:
    """Answer, and leave a task to be done."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("ok", background=BackgroundTask(task))(scope, receive, send)

    return app


def test_a_background_task_is_waited_for(serve: Serve, deliver: Deliver) -> None:
    """When the event has been sent, what the handler left to be done is done."""
    done = []

    async def later() -> None:
        await asyncio.sleep(0.01)
        done.append(True)

    sent = deliver(serve(AsgiProbe(answering_then(later))))
    assert sent.delivered
    assert done == [True]
    assert sent.attempts[0].exchange.total_ms < 10_000


def test_a_background_task_that_never_ends_does_not_spoil_the_answer(patient: MockServer) -> None:
    """The answer is recorded, with its own time; the task goes on until the mock is reset."""
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    patient.route(URL, to=AsgiProbe(answering_then(forever), no_lifespan))
    sent = patient.send("run.failed")
    assert sent.delivered
    assert sent.attempts[0].exchange.total_ms < 2000
    patient.reset()
    assert ended.wait(60)


def test_a_background_task_that_fails_is_an_error(serve: Serve) -> None:
    """Nothing else would show it: the answer is recorded, and so is the exception."""

    async def later() -> None:
        raise LookupError("gone")

    sent = serve(AsgiProbe(answering_then(later))).send("run.failed")
    assert present(sent.response).status == 200
    assert present(sent.deliveries[0].error).message == "LookupError: gone"


# ---------------------------------------------------------------- faults of the connection


async def exchange_with(app: AsgiProbe | WsgiProbe, head: bytes, body: bytes, plan: tuple[Any, ...]) -> Exchange:
    transport = AppTransport(Http1Transport())
    key = transport.add(cast("App", read_destination(app)))
    try:
        target = Target("https", "your-app.com", 443, "/", key)
        return await transport.exchange(Request(target, b"POST / HTTP/1.1\r\n" + head + b"\r\n\r\n", body, plan), 60)
    finally:
        transport.reset()
        await asyncio.to_thread(transport.settle)


async def test_a_body_that_ends_too_early_in_asgi() -> None:
    """After a part of the body the client is gone; the attempt says so, with what the application made of it."""
    messages = []

    class Reader(AsgiProbe):
        async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
            if scope["type"] == "http":
                messages.extend([await receive(), await receive(), await receive()])
                raise ConnectionError("the client has gone")

    exchange = await exchange_with(Reader(), b"Content-Length: 9", b"half", (b"", Close(message="closed on purpose")))
    assert messages[0] == {"type": "http.request", "body": b"half", "more_body": True}
    assert messages[1:] == [{"type": "http.disconnect"}] * 2
    assert failure(exchange.error) == ("closed", "closed on purpose")
    assert exchange.response is None
    assert "the client has gone" in present(exchange.error).detail


async def test_a_client_that_does_not_wait_for_the_answer() -> None:
    """The application gets the whole request, and its answer goes nowhere."""
    app, wsgi_app = AsgiProbe(), WsgiProbe()
    for each in (app, wsgi_app):
        exchange = await exchange_with(each, b"Content-Length: 5", b"whole", (b"", Close()))
        assert (present(exchange.error).kind, present(exchange.error).detail, exchange.response) == ("closed", "", None)
        assert each.bodies == [b"whole"]


async def test_a_body_in_chunks() -> None:
    """It arrives whole, without a length: WSGI may read it to its end."""
    app = WsgiProbe()
    exchange = await exchange_with(app, b"Transfer-Encoding: chunked", b"whole", (b"5\r\nwhole\r\n0\r\n\r\n",))
    assert present(exchange.response).status == 200
    assert app.bodies == [b"whole"]
    assert app.environs[0]["wsgi.input_terminated"]
    assert "CONTENT_LENGTH" not in app.environs[0]


async def test_aiohttp_gets_faults_of_the_connection_as_they_are(serve: Serve) -> None:
    """It is served over a socket, so all of them reach it."""
    bodies = []

    async def receive(request: web.Request) -> web.Response:
        bodies.append((request.headers["Transfer-Encoding"], await request.json()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhooks/playgent", receive)
    mock = serve(app)
    report = await mock.areplay({"version": 1, "steps": [{"event": "run.failed", "fault": "chunked"}]})
    report.raise_for_failures()
    assert [(coding, body["event"]) for coding, body in bodies] == [("chunked", "run.failed")]


# ---------------------------------------------------------------- answers without end

MEBIBYTE = 1 << 20


async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    while True:
        await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})


async def endless_starlette(scope: Scope, receive: Receive, send: Send) -> None:
    async def parts() -> AsyncIterator[Any]:
        while True:
            yield b"x" * 10_000

    await StreamingResponse(parts())(scope, receive, send)


async def stubborn(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    while True:
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"x" * 300_000, "more_body": True})
        await asyncio.sleep(0)


async def enormous(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    await send({"type": "http.response.body", "body": bytes(100 * MEBIBYTE)})


def wsgi_endless(_environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    return itertools.repeat(b"x" * 10_000)


@pytest.mark.parametrize("answer", [endless, endless_starlette, stubborn, enormous, wsgi_endless])
def test_an_endless_answer_is_cut_off(serve: Serve, deliver: Deliver, answer: Callable[..., Any]) -> None:
    """After a mebibyte reading ends: the answer counts, and its beginning is kept."""
    app = WsgiProbe(answer) if answer is wsgi_endless else AsgiProbe(answer)
    sent = deliver(serve(app))
    assert sent.delivered, str(sent)
    assert (len(present(sent.response).body), present(sent.response).body_size) == (65536, MEBIBYTE)


@pytest.mark.parametrize("size", [65536, 65537])
def test_the_first_64_kib_are_kept(serve: Serve, size: int) -> None:
    """One byte more, and the record says that it is not the whole."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send)
        await send({"type": "http.response.body", "body": b"x" * (size - 1), "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})

    response = present(serve(AsgiProbe(answer)).send("run.failed").response)
    assert (len(response.body), response.body_truncated) == (65536, size > 65536)
