"""What time it is for the mock.

A replay asks its clock for the time and sleeps on it, and on nothing else. There are three kinds:

- :class:`RealClock` runs at a constant speed: 1 is real time, 60 makes a minute of a script last a second.
- :class:`SkippingClock` (speed ``max``) never sleeps: when nothing is going on any more it jumps to the next moment
  that an activity waits for. A night of events takes milliseconds, with the order and the timestamps of the night.
- :class:`SteppedClock` does the same, but never beyond the moment to which it was advanced by hand.

"Something is going on" must be known exactly, or the clock would jump past work that is about to start. So each
activity holds a token: its caller calls ``begin``, its end calls ``end``, sleeping gives the token back and
waking takes it again. :class:`Group` does this for tasks: use it to start and join them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import math
import sys
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol, TypeVar, cast

from mockserver.delivery.event_loop import monotonic
from mockserver.model.settings import Speed

T = TypeVar("T")


def _present() -> float:
    """Return what the process takes for the present, in seconds since 1970."""
    # Not time.time(): on a thread of its own, freezegun lets that go on.
    return dt.datetime.now(dt.timezone.utc).timestamp()


class Clock(Protocol):
    """Gives the time of the mock, in seconds since 1970, and lets activities wait for a moment of it."""

    def now(self) -> float:
        """Return the present moment."""
        ...

    async def sleep_until(self, moment: float) -> None:
        """Return when the clock shows at least ``moment``."""
        ...

    def begin(self) -> None:
        """Take a token: something is going on until :meth:`end`."""
        ...

    def end(self) -> None:
        """Give a token back."""
        ...

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait, with the token held, for something that takes real time: what the consumer does on its own."""
        ...


class RealClock:
    """A clock that runs at a constant speed, from a moment or from the present.

    One that begins in the present and runs at the pace of real time shows what the process takes for the time: a test
    that freezes or moves that sees it in its events. What it sleeps is real time all the same.
    """

    def __init__(self, start: float | None = None, speed: float = 1.0) -> None:
        self._is_the_present = start is None and speed == 1
        self._start = _present() if start is None else start
        self._speed = speed
        self._origin = monotonic()

    def now(self) -> float:
        """Return the present moment."""
        return _present() if self._is_the_present else self._start + (monotonic() - self._origin) * self._speed

    async def sleep_until(self, moment: float) -> None:
        """Sleep until the clock shows ``moment``, or would show it if it were not frozen."""
        end = monotonic() + (moment - self.now()) / self._speed
        # In slices: waits of many days overflow some event loops.
        while (left := end - monotonic()) > 0:  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(min(left, 3600.0))

    def begin(self) -> None:
        """Do nothing: real time runs whatever goes on."""

    def end(self) -> None:
        """Do nothing: real time runs whatever goes on."""

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait: real time runs whatever goes on."""
        return await work


class SkippingClock:
    """A discrete-event clock: it does not move while something goes on, and jumps when nothing does."""

    def __init__(self, start: float | None = None) -> None:
        self._now = _present() if start is None else start
        self._active = 0
        self._limit = math.inf
        self._order = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return the present moment."""
        return self._now

    async def sleep_until(self, moment: float) -> None:
        """Give the token back until the clock has jumped to ``moment``."""
        if moment <= self._now:
            return
        wake = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (moment, self._order, wake))
        self.end()
        try:
            await wake
        except asyncio.CancelledError:
            if wake.cancelled():  # cancelled asleep; once woken, the token is held already
                self.begin()
            raise

    def begin(self) -> None:
        """Take a token."""
        self._active += 1

    def end(self) -> None:
        """Give a token back; when it was the last, jump to the next moment that an activity waits for."""
        self._active -= 1
        if not self._active:
            self._jump()

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait with the token held: the clock must not jump over what the consumer is about to do."""
        return await work

    def _jump(self) -> None:
        while self._sleepers and not self._active and self._sleepers[0][0] <= self._limit:
            self._now = max(self._now, self._sleepers[0][0])
            while self._sleepers and self._sleepers[0][0] <= self._now:
                self._wake(heapq.heappop(self._sleepers)[2])

    def _wake(self, sleeper: asyncio.Future[None]) -> None:
        if not sleeper.done():
            self._active += 1
            sleeper.set_result(None)


class SteppedClock(SkippingClock):
    """A discrete-event clock that is advanced by hand: it jumps, but never beyond the moment it was advanced to."""

    def __init__(self, start: float | None = None) -> None:
        super().__init__(start)
        self._limit = self._now
        self._advancing = asyncio.Lock()
        self._idle: list[asyncio.Future[None]] = []

    async def advance(self, seconds: float) -> None:
        """Let seconds pass: run exactly what becomes due, in order, and return when all of it is over."""
        async with self._advancing:
            await self.idle()
            self._limit = self._now + seconds
            self.begin()
            self.end()
            await self.idle()
            self._now = self._limit

    async def idle(self) -> None:
        """Wait until nothing goes on and nothing is due."""
        if self._active:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def end(self) -> None:
        """Give a token back; when it was the last and nothing is due, wake up what waits for that."""
        super().end()
        if not self._active:
            waiting, self._idle = self._idle, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait without a token: time passes only when it is advanced."""
        self.end()
        try:
            return await work
        finally:
            self.begin()


AnyClock = RealClock | SkippingClock | SteppedClock


def make_clock(speed: Speed, start: float | None = None) -> AnyClock:
    """Return the clock for a speed, from a moment in seconds since 1970, or from the present."""
    if speed == "stepped":
        return SteppedClock(start)
    return SkippingClock(start) if speed == "max" else RealClock(start, speed)


class Group:
    """Tasks that belong together, and hold their clock while they run.

    Use it as an async context manager: leaving it waits for all tasks; leaving it by an exception, or being cancelled,
    cancels them first. The first exception of a task cancels the others and is raised.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._room = 0

    async def __aenter__(self) -> Group:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.wait_below(1)
        finally:
            await self._end_all()
        if error is None and self._failure is not None:
            raise self._failure

    async def _end_all(self) -> None:
        """Cancel what is left and see it end, even when this is cancelled meanwhile: nothing may go on unjoined."""
        cancelled: asyncio.CancelledError | None = None
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a task."""
        self._clock.begin()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def wait_below(self, count: int) -> None:
        """Wait until fewer than ``count`` tasks are running; the clock may jump meanwhile."""
        if len(self._tasks) < count:
            return
        self._room = count
        self._waiter = asyncio.get_running_loop().create_future()
        self._clock.end()
        try:
            await self._waiter
        except asyncio.CancelledError:
            if self._waiter.cancelled():
                self._clock.begin()
            raise
        finally:
            self._waiter = None

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            for other in self._tasks:
                other.cancel()
        if self._waiter is not None and not self._waiter.done() and len(self._tasks) < self._room:
            # The token of this task goes to the waiter: between the two, the clock must not jump.
            self._waiter.set_result(None)
        else:
            self._clock.end()


class Work:
    """The tasks that are in progress, each holding a token of its clock until it is over."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()  # those of them that cancel() has met
        self._left: asyncio.Future[None] | None = None

    async def carry(self, work: Coroutine[Any, Any, None], clock: AnyClock) -> None:
        """Do something until it is over or is cancelled; on a stepped clock, until nothing more of it is due."""
        if not isinstance(clock, SteppedClock):
            await self._carry_here(work, clock)
            return
        task = self._begin(work, clock)
        await clock.idle()
        if task.done() and not task.cancelled():
            task.result()

    async def _carry_here(self, work: Coroutine[Any, Any, None], clock: AnyClock) -> None:
        """Do something in the task that asks for it: one of its own would have to be begun, and waited for."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        clock.begin()
        try:
            await work
        except asyncio.CancelledError:
            if task not in self._ended or (sys.version_info >= (3, 11) and task.uncancel()):
                raise  # something else ends the task
        finally:
            clock.end()
            self._leave(task)

    async def finish(self, work: Coroutine[Any, Any, T], clock: AnyClock) -> T | None:
        """Do something, whatever the clock, and return its result; None if it is cancelled."""
        task = self._begin(work, clock)
        await _over(task)
        return None if task.cancelled() else task.result()

    def cancel(self) -> None:
        """End everything. What waits for it goes on as if it were over."""
        for task in self._tasks - self._ended:
            self._ended.add(task)
            task.cancel()

    async def stop(self) -> None:
        """End everything, and return when it has ended."""
        self.cancel()
        while self._tasks:
            self._left = asyncio.get_running_loop().create_future()
            await self._left

    def _begin(self, work: Coroutine[Any, Any, T], clock: AnyClock) -> asyncio.Task[T]:
        clock.begin()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._leave)
        task.add_done_callback(lambda _: clock.end())
        return task

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._ended.discard(task)
        if self._left is not None and not self._left.done():
            self._left.set_result(None)


async def _over(task: asyncio.Task[Any]) -> None:
    """Wait until a task is over, however it ends; ending the wait ends the task."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
