"""ASGI applications: each request is one call of the application, with the parts of the request as they would be sent.

https://asgi.readthedocs.io/en/latest/specs/www.html, and lifespan.html beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.delivery.event_loop import PATIENCE
from mockserver.delivery.in_process.call import CLIENT, Call, IncompleteAnswerError, app_error, may_be_ctrl_c
from mockserver.delivery.in_process.host import Calls, LoopEnding, LoopHost
from mockserver.model.messages import Exchange, ExchangeError, Request

Message = MutableMapping[str, Any]


class AsgiHost(LoopHost):
    """Runs an ASGI application on one event loop, and its lifespan too, unless the test runs that itself."""

    def __init__(self, app: AsgiApp, loop: asyncio.AbstractEventLoop, *, lifespan: bool = True) -> None:
        super().__init__(loop)
        self._runs_lifespan = lifespan
        self._app = app
        self._calls = Calls()
        self._lifespan = Lifespan(app)

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request; returns when the application has finished with it, background tasks included."""
        call = Call(request)
        self.run(functools.partial(self._serve, call))
        return await self._calls.wait(call, timeout)

    def end(self) -> LoopEnding:
        """Shut the application down; what waits for it gets the error ``stopped``."""
        self._calls.stop()
        return super().end()

    async def _start(self) -> ExchangeError | None:
        return await self._lifespan.start() if self._runs_lifespan else None

    async def _shut_down(self) -> None:
        await self._lifespan.stop()

    async def _serve(self, call: Call) -> None:
        if not call.wanted:  # it was given up before its turn came
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is run as one
        call.cancel = lambda: _cancel(self.loop, task)
        try:
            call.starting = True
            problem = await self._ready()
            call.starting = False
            if problem is None:
                await self._answer(call)
            call.finish(problem)
        except IncompleteAnswerError as error:
            call.finish(ExchangeError("app", str(error)))
        except asyncio.CancelledError:
            call.finish(ExchangeError("app", "the application was cancelled before it had answered"))
            raise
        except BaseException as error:
            call.finish(app_error(error))
            if may_be_ctrl_c(error):
                raise

    async def _answer(self, call: Call) -> None:
        """Call the application with the request as it would come over the network, and record its answer."""
        answered = asyncio.Event()
        scope = {**_scope_of(call), "state": dict(self._lifespan.state)}
        await self._app(scope, _Receive(call, answered), _Send(call, answered))
        if not call.begun:
            raise IncompleteAnswerError("the application returned without an answer")
        if not call.complete:
            raise IncompleteAnswerError(
                f"the application returned before its answer was complete: {call.body_size} bytes of body came"
            )


class _Receive:
    """The ``receive`` of an application: the body, or the part of it that comes, then the end of the connection.

    The connection lasts until the answer is complete, unless a fault ends it.
    """

    def __init__(self, call: Call, answered: asyncio.Event) -> None:
        self._call = call
        self._answered = answered
        self._given = False

    async def __call__(self) -> Message:
        if not self._given:
            self._given = True
            more = self._call.closing is not None and self._call.cut_short
            return {"type": "http.request", "body": self._call.request.body, "more_body": more}
        if self._call.closing is None:
            await self._answered.wait()
        return {"type": "http.disconnect"}


class _Send:
    """The ``send`` of an application: records what it is given, and sets ``answered`` when the answer is complete."""

    def __init__(self, call: Call, answered: asyncio.Event) -> None:
        self._call = call
        self._answered = answered

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and not self._call.begun:
            self._call.begin(message["status"], None, message.get("headers", ()))
        elif kind == "http.response.body" and self._call.begun and not self._call.complete:
            self._body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r} at this point of the answer")

    def _body(self, part: bytes, *, more: bool) -> None:
        call = self._call
        enough = not call.add(part)
        if enough or not more:
            call.end()
            self._answered.set()
        if enough and more:
            call.finish()
            call.cancel()
            raise ConnectionResetError("the answer was cut off: no more of it is read")  # as ASGI has it for servers


def _scope_of(call: Call) -> dict[str, Any]:
    target = call.request.target
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "root_path": "",
        "client": CLIENT,
        "method": call.method,
        "scheme": target.scheme,
        "path": unquote_to_bytes(call.path).decode("utf-8", "replace"),
        "raw_path": call.path,
        "query_string": call.query,
        "headers": [(name.lower(), value) for name, value in call.headers],
        "server": (target.host, target.port),
    }


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # a closed loop has cancelled it
        loop.call_soon_threadsafe(task.cancel)


_logger = logging.getLogger("mockserver.in_process")

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Lifespan:
    """One run of an application's lifespan, from its start to its end; each request gets a copy of its ``state``."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._told_to_start = False
        self._failure: ExchangeError | None = None
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> ExchangeError | None:
        """Start it, and return why that failed, if it did. An application need not know of lifespans."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._started.wait()
        return self._failure

    async def stop(self) -> None:
        """Wait until the application has shut down; after ``PATIENCE`` it is cancelled (TimeoutError)."""
        if self._task is None:
            return
        self._stopping.set()
        patience = PATIENCE if self._started.is_set() else 0  # one that hangs in its start will never see it
        await asyncio.wait([self._task], timeout=patience)
        if self._task.cancel() and patience:
            raise asyncio.TimeoutError

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if may_be_ctrl_c(error):
                raise
            if self._started.is_set() and self._failure is None:
                _logger.warning("the lifespan of an application in this process failed", exc_info=error)
        finally:
            self._started.set()  # it raised or returned instead of starting: like servers, assume that it has none

    async def _receive(self) -> dict[str, str]:
        if not self._told_to_start:
            self._told_to_start = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._started.set()
        elif message["type"] == "lifespan.startup.failed":
            self._failure = _startup_failure(message.get("message", ""))
            self._started.set()
        elif message["type"] == "lifespan.shutdown.failed":
            _logger.warning("an application in this process failed to shut down: %s", message.get("message", ""))


def _startup_failure(message: str) -> ExchangeError:
    """The failure as an error. Starlette's message is a whole traceback, whose last line says what it was."""
    lines = message.strip().splitlines() or ["it gave no reason"]
    return ExchangeError("app", f"the application did not start: {lines[-1]}", message)
