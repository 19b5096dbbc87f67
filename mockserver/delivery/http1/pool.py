"""The connections of one transport: those that wait to be used again, and those in use."""

from __future__ import annotations

import asyncio
from time import perf_counter

from mockserver.delivery.http1.connection import Connection
from mockserver.model.messages import ExchangeError

#: What a kept-alive connection is good for: scheme, host and port.
Key = tuple[str, str, int]


class Pool:
    """Keeps idle connections for a moment; the one that was used last is used first.

    Servers close idle connections too (Node.js after five seconds). Dropping ours earlier makes it rare that a request
    is written to a connection that the server is just closing.

    Args:
        idle_seconds: How long an idle connection is kept.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._idle: dict[Key, list[Connection]] = {}
        self._live: set[Connection] = set()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    def take(self, key: Key) -> Connection | None:
        """Return an idle connection, which is then in use, or None."""
        idle = self._idle.get(key)
        return idle.pop() if idle else None

    def give(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over."""
        self._idle.setdefault(connection.key, []).append(connection)
        if self._sweep_timer is None:
            self._set_timer(self._idle_seconds)

    def remove(self, connection: Connection) -> None:
        """No longer offer a connection, if it is idle."""
        idle = self._idle.get(connection.key)
        if idle and connection in idle:
            idle.remove(connection)

    def add(self, connection: Connection) -> None:
        """Know a new connection, from before it connects, so that ``close`` finds it."""
        self._live.add(connection)

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self._live.discard(connection)
        if not self._live and self._emptied is not None:
            self._emptied.set()
            self._emptied = None

    async def close(self) -> None:
        """Close every connection and return when the last is gone."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        self._idle.clear()
        if not self._live:
            return
        emptied = self._emptied = self._emptied or asyncio.Event()
        for connection in tuple(self._live):
            connection.fail(ExchangeError("stopped", "stopped before the answer was complete"))
        await emptied.wait()
        # The loop closes a socket in the turn in which, or after which, it says that the connection is lost.
        await asyncio.sleep(0)

    def _set_timer(self, seconds: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Drop what has been idle for too long. The oldest of each list is its first."""
        self._sweep_timer = None
        now = perf_counter()
        for key, idle in tuple(self._idle.items()):
            while idle and now - idle[0].idle_since >= self._idle_seconds:
                idle.pop(0).drop()
            if not idle:
                del self._idle[key]
        if self._idle:
            oldest = min(idle[0].idle_since for idle in self._idle.values())
            self._set_timer(max(0.0, oldest + self._idle_seconds - now))
