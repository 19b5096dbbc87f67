"""Consumers with ways that a test chooses, and one check of one of them, for tests of how it is judged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiohttp import web
from typing_extensions import override

from mockserver.checks.model import Finding
from mockserver.reports.check_report import CheckReport
from tests.checks.checked import SECRET, checked
from tests.checks.consumer import Consumer

#: An event's type and its object's id.
Key = tuple[str, str]
C = TypeVar("C", bound=Consumer)


class Judged:
    """Serves consumers, and checks them.

    Args:
        serve: Serves an aiohttp application: pytest-aiohttp's ``aiohttp_server``.
    """

    def __init__(self, serve: Callable[..., Any]) -> None:
        self._serve = serve

    async def url(self, consumer: Consumer) -> str:
        """Serve a consumer, and return its base URL."""
        server = await self._serve(consumer.app())
        return f"http://127.0.0.1:{server.port}"

    async def report(self, consumer: Consumer, *checks: str, probed: bool = False, **given: Any) -> CheckReport:
        """Make some checks of a consumer, by default all; with a look at its count if ``probed``.

        What is given goes to :func:`checked`; a path becomes a URL of the consumer.
        """
        url = await self.url(consumer)
        more = {"probe": consumer.read, "effect_within": 0.2, **given} if probed else given
        paths = {name: f"{url}{path}" for name, path in more.items() if isinstance(path, str) and path[:1] == "/"}
        return await checked(f"{url}/hooks", only=checks, **{**more, **paths})

    async def finding(self, consumer: Consumer, check: str, **given: Any) -> Finding:
        """Make one check of a consumer."""
        return (await self.report(consumer, check, **given)).finding(check)


def answer_with(status: int, text: str = "", **headers: str) -> web.Response:
    return web.Response(status=status, text=text, headers=headers)


class Hooks(Consumer):
    """Answers with what a test gives, by default as a correct one; keeps the bodies, and what is in them."""

    def __init__(self, **ways: Any) -> None:
        super().__init__()
        vars(self).update(ways)
        self.bodies: list[bytes] = []
        self.payloads: list[dict[str, Any]] = []

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        with contextlib.suppress(ValueError, RecursionError):
            self.payloads.append(json.loads(self.bodies[-1]))
        return await super().webhook(request)


def counting(handled: Sized) -> Callable[[], Awaitable[int]]:
    """A probe that reads how much was handled; not in a thread, as a plain function would."""

    async def probe() -> int:
        return len(handled)

    return probe


@asynccontextmanager
async def by_hand(answer: Callable[[bytes, bytes, bool], Awaitable[int]]) -> AsyncIterator[str]:
    """Serve by hand, as some servers break off what no one waits for, and others do not; yield the URL.

    Args:
        answer: Takes the head of a request, the body as far as it came, and whether that is all; returns a status.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = b""
                while len(body) < length and (piece := await reader.read(length - len(body))):
                    body += piece
                status = await answer(head, body, len(body) == length)
                writer.write(b"HTTP/1.1 %d Answered\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    finally:
        server.close()
        await server.wait_closed()


def hang_up(request: web.Request) -> web.Response:
    """Close the connection without an answer."""
    assert request.transport
    request.transport.abort()
    return web.Response()


def signed(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def _says_whether_it_is_new(*, new: bool) -> web.Response:
    return web.json_response({"status": "handled" if new else "duplicate"})


def believing(answer: Callable[..., web.Response] = _says_whether_it_is_new) -> Hooks:
    """It verifies nothing."""
    return Hooks(is_genuine=lambda *_: True, answer=answer)


def accepting(accepts: Callable[[bytes, str], object]) -> Hooks:
    """It takes signatures that this function of the body and the header takes."""
    return Hooks(is_genuine=lambda body, signature: bool(accepts(body, signature)))


def instead(consumer: C, answer: Callable[[Key], web.Response | None]) -> C:
    """It answers a key with what this function gives, where that gives something, and does not handle the event."""
    take = consumer.take

    async def take_or_not(key: Key) -> web.Response:
        given = answer(key)
        return await take(key) if given is None else given

    consumer.change(take=take_or_not)
    return consumer


def weighing(weight: Callable[[str], float], consumer: Consumer | None = None) -> Consumer:
    """What an event of a type counts for is what this function gives."""
    made = consumer or Consumer()

    def effect(event: str) -> None:
        made.handled.append(event)
        made.count += weight(event)

    made.change(effect=effect)
    return made


def late(step: float, seconds: Callable[[int], float]) -> Consumer:
    """Each effect comes after the seconds that this function returns for the number of effects so far."""
    consumer = Consumer()

    def work() -> None:
        consumer.count += step

    def effect(event: str) -> None:
        consumer.handled.append(event)
        asyncio.get_running_loop().call_later(seconds(len(consumer.handled)), work)

    consumer.change(effect=effect)
    return consumer


class HangsUpOnForgeries(Consumer):
    """Gives no answer to what is not genuine."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        genuine = self.is_genuine(await request.read(), request.headers.get("X-Playgent-Signature", ""))
        return await super().webhook(request) if genuine else hang_up(request)


class BadBody(Hooks):
    """Meets what is no event in its own way."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        response = await super().webhook(request)
        return self.meet(request) if response.status == 400 else response  # type: ignore[attr-defined]
