"""A fast receiver: a bare protocol on uvloop in a process of its own, which notes when each body was complete.

It answers everything with 200; a path that ends in ``/close`` is answered on a connection that then ends. ``GET`` gives
the moments of the bodies received since the last ``GET``, as JSON: by ``time.perf_counter``, which all processes of a
machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from time import perf_counter
from typing import cast

from benchmarks.peers import run_fast
from benchmarks.processes import child

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
_MOST_MOMENTS = 10_000


class Receiver:
    """The receiver as its users see it.

    Args:
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/hook"

    def moments(self) -> list[float]:
        """Return when bodies were complete, since the last time that this was asked."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/")
            moments: list[float] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return moments


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the block is left."""
    with child(["-m", "benchmarks.receiver"]) as (_, line):
        yield Receiver(int(line))


class _Protocol(asyncio.Protocol):
    def __init__(self, moments: list[float]) -> None:
        self._moments = moments
        self._data = b""
        self._shape = (-1, -1, 0, b"")  # the last request's size, end of head, and where its Content-Length stood
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        known, end, at, text = self._shape
        # Most requests of a connection have one shape: then there is nothing to search for.
        if len(data) == known and not self._data and data.startswith(b"\r\n\r\n", end) and data.startswith(text, at):
            self._answer(data[:end])
            return
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._data, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < size:
                return
            if length:
                self._shape = (size, end, length.start(), length[0])
            head, self._data = self._data[:end], self._data[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        transport = cast("asyncio.Transport", self._transport)
        line = head[: head.find(b"\r\n")]
        if line.startswith(b"GET "):
            transport.write(_as_answer(self._moments))
            self._moments.clear()
            return
        if len(self._moments) < _MOST_MOMENTS:
            self._moments.append(perf_counter())
        if line.endswith(b"/close HTTP/1.1"):
            transport.write(_LAST)
            transport.close()
        else:
            transport.write(_OK)


def _as_answer(moments: list[float]) -> bytes:
    body = json.dumps(moments).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def _serve() -> None:
    moments: list[float] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Protocol(moments), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run_fast(_serve())
