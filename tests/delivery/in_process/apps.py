"""Small applications that show what reached them, and answer as they are told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from mockserver import MockServer, SendResult

URL = "https://your-app.com"
HOOK = URL + "/webhooks/playgent"
SECRET = "whsec_in_process"

StartResponse = Callable[..., Any]
#: Routes the registered URL to an application, and gives the mock.
Serve = Callable[..., MockServer]
#: Sends an event.
Deliver = Callable[[MockServer], SendResult]


class AsgiProbe:
    """A plain ASGI application.

    Args:
        answer: What to do for a request; by default it answers 200.
        lifespan: What to do for the lifespan; by default it takes part, and notes it.
    """

    def __init__(self, answer: Callable[..., Any] | None = None, lifespan: Callable[..., Any] | None = None) -> None:
        self._answer = answer or ok
        self._lifespan = lifespan or self._noted
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.log: list[str] = []
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loops.append(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        self.log.append("request")
        self.scopes.append(scope)
        self.bodies.append(await read(receive))
        await self._answer(scope, receive, send)

    async def _noted(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["pool"] = "a pool"
        self.log.append("startup")
        await send({"type": "lifespan.startup.complete"})
        try:
            assert (await receive())["type"] == "lifespan.shutdown"
            self.log.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        finally:
            self.ended.set()


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    return body


async def ok(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send)
    await send({"type": "http.response.body", "body": b"thanks"})


async def start(send: Send, status: int = 200, headers: Any = ((b"Content-Type", b"text/plain"),)) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def no_lifespan(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotImplementedError("what is a lifespan?")


class WsgiProbe:
    """A plain WSGI application.

    Args:
        answer: What to do; by default it answers 200.
    """

    def __init__(self, answer: Callable[..., Any] | None = None) -> None:
        self._answer = answer or wsgi_ok
        self.environs: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Any:
        self.threads.append(threading.current_thread())
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        return self._answer(environ, start_response)


def wsgi_ok(_environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 Fine", [("Content-Type", "text/plain"), ("X-Name", "J\xfcrgen")])
    return [b"tha", b"nks"]
