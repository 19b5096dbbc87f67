"""The connections of one transport: those that wait to be used again, and those in use."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

from mockserver.delivery.real_time import monotonic
from mockserver.model.messages import ExchangeError

#: What a kept-alive connection is good for: scheme, host and port.
Key = tuple[str, str, int]


class Pooled(Protocol):
    """A connection, as far as the pool has to do with it."""

    key: Key
    idle_since: float

    def is_closing(self) -> bool:
        """Whether it is known to be at its end, without a look at the socket."""
        ...

    def is_alive(self) -> bool:
        """Whether the other side has neither closed it nor said anything while it was idle."""
        ...

    def drop(self) -> None:
        """Close it now."""
        ...

    def fail(self, error: ExchangeError) -> None:
        """End the exchange in flight, if there is one, with an error; close it."""
        ...


AnyConnection = TypeVar("AnyConnection", bound=Pooled)

#: Idle for longer, in seconds, a connection is looked at before it is used: its end may have come unnoticed.
_TRUSTED = 0.05


class Pool(Generic[AnyConnection]):
    """Keeps idle connections for a moment; the one that was used last is used first.

    Servers close idle connections too (Node.js after five seconds). Dropping ours earlier makes it rare that a request
    is written to a connection that the server is just closing.

    Args:
        idle_seconds: How long an idle connection is kept.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._idle: dict[Key, list[AnyConnection]] = {}
        self._live: set[AnyConnection] = set()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    def take(self, key: Key, now: float) -> AnyConnection | None:
        """Return an idle connection, which is then in use, or None.

        Args:
            key: What it must be good for.
            now: The present, by ``monotonic``.
        """
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if not connection.is_closing() and (now - connection.idle_since < _TRUSTED or connection.is_alive()):
                return connection
            connection.drop()
        return None

    def give(self, connection: AnyConnection) -> None:
        """Keep a connection whose exchange is over."""
        self._idle.setdefault(connection.key, []).append(connection)
        if self._sweep_timer is None:
            self._set_timer(self._idle_seconds)

    def remove(self, connection: AnyConnection) -> None:
        """No longer offer a connection, if it is idle."""
        idle = self._idle.get(connection.key)
        if idle and connection in idle:
            idle.remove(connection)

    def add(self, connection: AnyConnection) -> None:
        """Take in a new connection, before it connects, so that ``close`` finds it."""
        self._live.add(connection)

    def forget(self, connection: AnyConnection) -> None:
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
            connection.fail(ExchangeError("stopped", "interrupted before the answer was complete: outcome unknown"))
        await emptied.wait()
        # The loop closes a socket in the turn in which, or after which, it says that the connection is lost.
        await asyncio.sleep(0)

    def _set_timer(self, seconds: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Drop what has been idle for too long. The oldest of each list is its first."""
        self._sweep_timer = None
        now = monotonic()
        for key, idle in tuple(self._idle.items()):
            while idle and now - idle[0].idle_since >= self._idle_seconds:
                idle.pop(0).drop()
            if not idle:
                del self._idle[key]
        if self._idle:
            oldest = min(idle[0].idle_since for idle in self._idle.values())
            self._set_timer(max(0.0, oldest + self._idle_seconds - now))
