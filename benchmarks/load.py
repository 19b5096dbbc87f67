"""A client that posts registrations, or runs, as fast as it can: bare protocols on uvloop, in a process of its own.

Prints how many answers a second it got. With a count it stops after that many, and not after the seconds.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

_CONNECTIONS = 16
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_BODIES = {
    "/v1/webhooks": {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": "whsec_benchmark"},
    "/v1/runs": {"test_case_id": "tc_refund", "config": {"parallel": True}},
}


class _Client(asyncio.Protocol):
    """One kept-alive connection with one request at a time."""

    def __init__(self, request: bytes, until: float, most: float) -> None:
        self._request = request
        self._until = until
        self._most = most
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self.count = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        length = _LENGTH.search(self._data, 0, end) if end >= 0 else None
        if length is None or len(self._data) < end + 4 + int(length[1]):
            return
        if not self._data.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 200 ")):
            self._end(RuntimeError(self._data.decode("latin-1")))
            return
        self._data = b""
        self.count += 1
        if perf_counter() < self._until and self.count < self._most:
            cast("asyncio.Transport", self._transport).write(self._request)
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
            cast("asyncio.Transport", self._transport).close()


def _request(host: str, path: str) -> bytes:
    body = json.dumps(_BODIES[path]).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer key\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _load(url: str, seconds: float, path: str = "/v1/webhooks", count: float = math.inf) -> float:
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    request, loop, begin = _request(f"{host}:{port}", path), asyncio.get_running_loop(), perf_counter()
    until = begin + seconds
    clients = []
    for _ in range(_CONNECTIONS):
        _, client = await loop.create_connection(lambda: _Client(request, until, count / _CONNECTIONS), host, port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return sum(client.count for client in clients) / (perf_counter() - begin)


if __name__ == "__main__":
    from benchmarks.peers import run_fast

    _, address, limit, *more = sys.argv
    path, most = (*more, "/v1/webhooks", "inf")[:2] if len(more) != 1 else (more[0], "inf")
    print(run_fast(_load(address, float(limit), path, float(most))))
