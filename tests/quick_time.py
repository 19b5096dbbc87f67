"""Time that passes at once where an event loop only waits: a test of three seconds of patience takes milliseconds.

While anything runs, time stands still, however slow or busy the machine is. Where nothing is ready, not even on a
socket, time jumps to the next timer. All that the packages measure is measured by the same clock. While a thread works
for the loop, time is real; of processes and other threads it knows nothing: what waits for them must not use this.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from mockserver.delivery import event_loop

#: The part of all waiting that is real, so that a busy system can carry what was sent over loopback, where it is mostly
#: there at once; the least of it at a time, since systems round up to that; and the most of one wait, in seconds.
_REAL, _LEAST, _MOST = 0.02, 0.001, 0.1


class QuickTime:
    """The clock of an event loop, and the selector that it waits with."""

    def __init__(self, loop: asyncio.BaseEventLoop) -> None:
        self._loop = cast("Any", loop)
        self._selector = self._loop._selector
        self._now = event_loop.monotonic()
        self._owed = 0.0
        self._in_threads = 0

    def time(self) -> float:
        """Give the time in seconds, which is never twice the same."""
        self._now += 1e-6
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Return what is ready; after a wait during which nothing was, the time has passed."""
        ready: list[Any] = self._selector.select(None if timeout is None else 0)
        if ready or not timeout or timeout < 0:
            return ready
        self._owed += min(timeout * _REAL, _MOST)
        if self._in_threads:
            timeout = look = min(timeout, _LEAST)
        else:
            look = self._owed if self._owed >= _LEAST else 0.0
        if look:
            self._owed = 0.0
            ready = self._selector.select(look)
        self._now += 0.0 if ready else timeout
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)

    @contextmanager
    def governing(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the loop, and all that the packages measure, go by this clock."""
        # Every module holds the same partial function, those too that are not yet imported: what it calls is exchanged.
        clock = cast("Any", event_loop.monotonic)
        real = clock.__reduce__()[2]
        with monkeypatch.context() as patch:
            patch.setattr(self._loop, "_selector", self)
            patch.setattr(self._loop, "time", self.time)
            patch.setattr(self._loop, "run_in_executor", self._counted(self._loop.run_in_executor))
            clock.__setstate__((self.time, (), {}, {}))
            try:
                yield
            finally:
                clock.__setstate__(real)

    def _counted(self, run: Callable[..., asyncio.Future[Any]]) -> Callable[..., asyncio.Future[Any]]:
        def run_in_executor(*arguments: Any) -> asyncio.Future[Any]:
            self._in_threads += 1
            future = run(*arguments)
            future.add_done_callback(self._done)
            return future

        return run_in_executor

    def _done(self, _: asyncio.Future[Any]) -> None:
        self._in_threads -= 1


@pytest.fixture
async def quick_time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Let the time of the test's event loop pass at once where it only waits."""
    loop = asyncio.get_running_loop()
    with QuickTime(cast("asyncio.BaseEventLoop", loop)).governing(monkeypatch):
        yield
