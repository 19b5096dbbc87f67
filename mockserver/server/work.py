"""What a mock is doing: deliveries that a caller waits for, and that a reset ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from mockserver.replay.clock import AnyClock, SteppedClock

T = TypeVar("T")


class Work:
    """The tasks that are in progress, each holding a token of its clock until it is over."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def carry(self, work: Coroutine[Any, Any, None], clock: AnyClock) -> None:
        """Do something until it is over or is cancelled; on a stepped clock, until nothing more of it is due."""
        task = self._begin(work, clock)
        if isinstance(clock, SteppedClock):
            await clock.idle()
        else:
            await _over(task)
        if task.done() and not task.cancelled():
            task.result()

    async def finish(self, work: Coroutine[Any, Any, T], clock: AnyClock) -> T | None:
        """Do something, whatever the clock, and return its result; None if it is cancelled."""
        task = self._begin(work, clock)
        await _over(task)
        return None if task.cancelled() else task.result()

    def cancel(self) -> None:
        """End everything. Those who wait for it go on as if it were over."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """End everything, and return when it has ended."""
        self.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, work: Coroutine[Any, Any, T], clock: AnyClock) -> asyncio.Task[T]:
        clock.begin()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: clock.end())
        return task


async def _over(task: asyncio.Task[Any]) -> None:
    """Wait until a task is over, however it ends; ending the wait ends the task."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
