"""A consumer for tests: a real aiohttp server that keeps what it received and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

import mockserver

SECRET = "whsec_test_secret"

#: By no seed: tests that run side by side would look at the same ports.
_ANY = random.SystemRandom()

Answer = Callable[["Received"], Awaitable[web.Response]]


class Received:
    """One request as it came."""

    def __init__(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload

    @property
    def event(self) -> str:
        return str(self.payload["event"])

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def is_signed_with(self, secret: str) -> bool:
        return mockserver.verify(self.body, self.header("X-Playgent-Signature"), secret)


class Consumer:
    """What was received, and how to answer."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.in_flight = self.most_in_flight = 0
        self.answer: Answer = self._ok
        self.url = ""

    async def _ok(self, _: Received) -> web.Response:
        return web.json_response({"ok": True})

    async def handle(self, request: web.Request) -> web.Response:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            received = Received(request.method, request.path_qs, list(request.headers.items()), await request.read())
            self.received.append(received)
            return await self.answer(received)
        finally:
            self.in_flight -= 1

    def answers(self, make: Callable[[Received], web.Response]) -> None:
        """Answer each request with what is made of it."""

        async def answer(received: Received) -> web.Response:
            return make(received)

        self.answer = answer

    def hold(self, until: int = 0) -> asyncio.Event:
        """Answer nothing before the event that this returns is set; it is, once so many are in flight."""
        release = asyncio.Event()

        async def answer(_: Received) -> web.Response:
            if self.in_flight == until:
                release.set()
            await release.wait()
            return web.Response()

        self.answer = answer
        return release

    @property
    def events(self) -> list[str]:
        return [received.event for received in self.received]


@asynccontextmanager
async def consuming() -> AsyncIterator[Consumer]:
    """Serve a consumer on a free port of 127.0.0.1."""
    consumer = Consumer()
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", consumer.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    consumer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield consumer
    finally:
        await runner.cleanup()


def free_port() -> int:
    """A port for a program that cannot choose one itself: none that the system would give to another one meanwhile."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32768
    while True:
        port = _ANY.randrange(10_000, lowest) if lowest > 11_000 else 0
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as server:
            chosen: int = server.getsockname()[1]
            return chosen


async def statuses(*codes: int) -> Answer:
    """Return an answer that gives these statuses one after another, then 200."""
    left = list(codes)

    async def answer(_: Received) -> web.Response:
        return web.Response(status=left.pop(0) if left else 200)

    return answer


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the event loop run until a condition holds; fails after many turns instead of hanging."""
    for _ in range(60_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("the condition never held")
