"""ASGI applications: httpx carries the messages, and what it would normalise is put back as it would be sent."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.delivery.in_process.call import Call, IncompleteAnswerError
from mockserver.delivery.in_process.failures import app_error
from mockserver.delivery.in_process.host import Calls, LoopHost
from mockserver.delivery.in_process.lifespan import AsgiApp, Lifespan
from mockserver.delivery.in_process.loops import LoopEnding
from mockserver.model.messages import Exchange, ExchangeError, Request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: httpx wants a URL; the application gets the parts of the real one.
_PLACEHOLDER = "http://in-process/"


class AsgiHost(LoopHost):
    """Runs an ASGI application on one event loop.

    Args:
        app: The application.
        loop: The loop.
    """

    def __init__(self, app: AsgiApp, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._app = app
        self._calls = Calls()
        self._lifespan = Lifespan(app)

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request; returns when the application is through with it, background tasks included."""
        call = Call(request)
        self.run(functools.partial(self._serve, call))
        return await self._calls.wait(call, timeout)

    def end(self) -> LoopEnding:
        """Shut the application down; what waits for it gets the error ``stopped``."""
        self._calls.stop()
        return super().end()

    async def _start(self) -> ExchangeError | None:
        return await self._lifespan.start()

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
            if isinstance(error, KeyboardInterrupt):
                raise

    async def _answer(self, call: Call) -> None:
        import httpx  # noqa: PLC0415 - an extra, looked for when the route was made

        transport = httpx.ASGITransport(functools.partial(self._exactly, call))
        body = httpx.ByteStream(call.request.body)
        await transport.handle_async_request(httpx.Request(call.method, _PLACEHOLDER, stream=body))

    async def _exactly(self, call: Call, scope: Message, receive: Receive, send: Send) -> None:
        """Call the application with the request as it would come over the network, and record its answer."""
        exact = {**scope, **_scope_of(call), "state": dict(self._lifespan.state)}
        messages = receive if call.closing is None else _Disconnecting(call)
        await self._app(exact, messages, _Recorder(call, send))
        if not call.begun:
            raise IncompleteAnswerError("the application returned without an answer")
        if not call.complete:
            raise IncompleteAnswerError(
                f"the application returned before its answer was complete: {call.body_size} bytes of body came"
            )


class _Disconnecting:
    """The ``receive`` of a request whose connection ends on purpose: its body, or a part of it, and no more.

    Args:
        call: The request.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._told = False

    async def __call__(self) -> Message:
        if self._told:
            return {"type": "http.disconnect"}
        self._told = True
        return {"type": "http.request", "body": self._call.request.body, "more_body": self._call.cut_short}


class _Recorder:
    """The ``send`` of an application: records what it is given.

    Args:
        call: Where it is recorded.
        send: The ``send`` of httpx, which need not keep it as well.
    """

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and not self._call.begun:
            self._call.begin(message["status"], None, message.get("headers", ()))
            await self._send({"type": kind, "status": message["status"], "headers": []})
        elif kind == "http.response.body" and self._call.begun and not self._call.complete:
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r} at this point of the answer")

    async def _body(self, part: bytes, *, more: bool) -> None:
        call = self._call
        enough = not call.add(part)
        if enough or not more:
            call.end()
            await self._send({"type": "http.response.body"})
        if enough and more:
            call.finish()
            call.cancel()
            raise ConnectionResetError("the answer was cut off: nobody reads more of it")  # as ASGI has it for servers


def _scope_of(call: Call) -> dict[str, Any]:
    target = call.request.target
    return {
        "asgi": {"version": "3.0", "spec_version": "2.3"},
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
