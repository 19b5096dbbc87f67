"""A TCP server whose every byte, pause and reset a test decides."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable

import psutil
import pytest

from mockserver.delivery.event_loop import monotonic
from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.http1 import connection as connection_module
from mockserver.model.messages import Request
from mockserver.model.targets import Target

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#: Starts a server; the fixtures that give one stop it after the test.
Serve = Callable[..., Awaitable["RawServer"]]


def a_request(url: str, body: bytes = b'{"event":"run.failed"}') -> Request:
    """A request as the signer makes them, spelled in a way that no general client would."""
    target = Target.parse(url)
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nX-Playgent-Signature:sha256=00\r\n"
        f"CONTENT-LENGTH:  {len(body)}\r\n\r\n"
    )
    return Request(target, head.encode(), body)


class Peer:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    async def read(self) -> bytes:
        """Whatever comes next; empty at the end of the connection, however it came."""
        try:
            return await self._loop.sock_recv(self._sock, 65536)
        except ConnectionError:
            return b""

    async def request(self) -> bytes:
        """The next whole request; empty when there is none."""
        while not (match := re.match(rb"(?s).*?content-length: *(\d+).*?\r\n\r\n", self._buffer, re.IGNORECASE)) or len(
            self._buffer
        ) < match.end() + int(match[1]):
            data = await self.read()
            if not data:
                return b""
            self._buffer += data
        end = match.end() + int(match[1])
        request, self._buffer = self._buffer[:end], self._buffer[end:]
        return request

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    async def answer(self, data: bytes = OK) -> bytes:
        """Read a request and answer it."""
        request = await self.request()
        if request:
            await self.send(data)
        return request

    async def closed(self) -> None:
        """Wait until the other side has closed."""
        while await self.read():
            pass

    def end(self) -> None:
        """No more will be sent."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._sock.close()


Behaviour = Callable[[Peer], Awaitable[object]]


class RawServer:
    """Runs a behaviour for each connection that it accepts."""

    def __init__(self, behaviour: Behaviour, host: str = "127.0.0.1", port: int = 0) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.setblocking(False)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.peers: list[Peer] = []
        self._tasks = [asyncio.ensure_future(self._accept())]

    @property
    def url(self) -> str:
        return (
            f"http://[{self.host}]:{self.port}/hooks" if ":" in self.host else f"http://{self.host}:{self.port}/hooks"
        )

    @property
    def accepted(self) -> int:
        return len(self.peers)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            sock.setblocking(False)
            self.peers.append(Peer(sock, len(self.peers)))
            self._tasks.append(asyncio.ensure_future(self._serve(self.peers[-1])))

    async def _serve(self, peer: Peer) -> None:
        try:
            await self._behaviour(peer)
        except (ConnectionError, OSError):
            pass  # the client has gone, which some tests want
        finally:
            peer.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()
        broken = [error for error in outcomes if isinstance(error, Exception)]
        if broken:
            raise broken[0]


async def keep_answering(peer: Peer) -> None:
    while await peer.answer():
        pass


def open_sockets_to(port: int) -> int:
    """How many sockets of this process are the client's end of a connection to a port."""
    # An address that is not there is an empty tuple.
    return sum(c.raddr[1:2] == (port,) for c in psutil.Process().net_connections("inet"))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds that no event signals."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)


def time_passes(transport: Http1Transport, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what runs out within this time run out now, on connections that are not being made any more."""
    monkeypatch.setattr(connection_module, "monotonic", lambda: monotonic() + seconds)
    for connection in list(transport._pool._live):
        connection._on_timer()


class Gate(asyncio.Event):
    """An event that is waited for with a limit, so that a broken test ends."""

    async def passed(self) -> None:
        await asyncio.wait_for(self.wait(), 60)
