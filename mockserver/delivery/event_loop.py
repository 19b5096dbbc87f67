"""Event loops: one on a thread of its own, so that one async implementation serves sync and async callers alike.

Sync methods that wait for it are refused where they would block the event loop that the application runs on.

freezegun and time-machine replace the functions of ``time``, wherever a module holds them. What measures, waits and
times out here must not follow; what time it is for an event may, see :class:`mockserver.replay.clock.RealClock`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

from mockserver.errors import LoopRunningError, UsageError

#: Seconds that always run forward, at the pace of real time. Not a plain function of ``time``, nor one that those
#: libraries know of.
monotonic: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime")
    else functools.partial(time.perf_counter)  # Windows
)


def in_real_time(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """Let a loop's timers go by real time, and return it; uvloop's do already."""
    if isinstance(loop, asyncio.BaseEventLoop):
        loop.time = monotonic  # type: ignore[method-assign]
    return loop


T = TypeVar("T")

#: The most seconds that anything may take to end before it is abandoned.
PATIENCE = 5.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop: uvloop's when it is installed, for it is faster, else the standard one."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and only wanted where a loop is made
    except ImportError:
        return standard_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def standard_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop of asyncio, whose timers go by real time.

    Raises a UsageError if gevent has replaced what it waits with.
    """
    if _patched_by_gevent("select"):
        raise UsageError(
            f"gevent has replaced `select`, which the event loop of asyncio waits with: {_WITHOUT_PATCHES} it here"
        )
    return in_real_time(asyncio.new_event_loop())


_WITHOUT_PATCHES = "start `python -m mockserver serve` beside it and use its control API, or do not patch"


def _patched_by_gevent(module: str) -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


def green_threads() -> str:
    """Return the library that has replaced the threads of this process by its own; empty where none has."""
    eventlet = sys.modules.get("eventlet.patcher")
    if _patched_by_gevent("threading"):
        return "gevent"
    return "eventlet" if eventlet is not None and eventlet.is_monkey_patched("thread") else ""


def refuse_green_threads() -> None:
    """Raise a UsageError where a library has replaced threads by its own: an event loop in one blocks the others."""
    if library := green_threads():
        raise UsageError(
            f"{library} has replaced the threads of this process, and the mock needs real ones: {_WITHOUT_PATCHES}"
            " threads here"
        )


class LoopThread:
    """An event loop on a daemon thread. Raises a UsageError where a library has replaced threads."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        refuse_green_threads()
        self.loop = loop or new_event_loop()
        self._work: set[concurrent.futures.Future[Any]] = set()
        self._submitting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop; cancelling the future cancels it."""
        # As asyncio.run_coroutine_threadsafe, with fewer steps between here and the work, each of them slow when a test
        # calls now and then. The work is known first: it may be on the wire before this thread goes on.
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._submitting:  # what cancel_all() does not know yet begins after it
            self._work.add(future)
            self.loop.call_soon_threadsafe(self._begin, work, future)
        return future

    def _begin(self, work: Coroutine[Any, Any, T], future: concurrent.futures.Future[T]) -> None:
        try:
            task = self.loop.create_task(work)
        except BaseException as error:  # a task factory of the user's, or no memory: the caller waits for an end
            self._work.discard(future)
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            raise

        def finish(_: object) -> None:
            self._work.discard(future)
            if task.cancelled():
                future.cancel()
            if future.set_running_or_notify_cancel():
                error = task.exception()
                if error is None:
                    future.set_result(task.result())
                else:
                    future.set_exception(error)

        def cancel(_: object) -> None:
            if not task.done():
                self.loop.call_soon_threadsafe(task.cancel)

        task.add_done_callback(finish)
        future.add_done_callback(cancel)  # called at once if it is cancelled already

    def cancel_all(self) -> None:
        """Cancel every coroutine that was submitted and still runs."""
        with self._submitting:
            begun = tuple(self._work)
        for future in begun:
            future.cancel()

    def wait(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and wait for it. Whatever ends the waiting early cancels it."""
        future = self.submit(work)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the loop and return what it returns: for what changes state that the loop works with."""
        if threading.current_thread() is self._thread:
            return function()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised again where it belongs
                future.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return future.result()

    def stop_after(self, work: Coroutine[Any, Any, Any]) -> threading.Thread:
        """Stop the loop once something is over, and return the thread, which ends then."""
        self.submit(work).add_done_callback(lambda _: self.loop.call_soon_threadsafe(self.loop.stop))
        return self._thread

    def close(self) -> None:
        """Cancel what still runs, stop the loop, and end the thread."""
        self.stop_after(cancel_others()).join()

    def _run_until_stopped(self) -> None:
        while True:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):  # an application in this process exits: that concerns it alone
                continue
            return

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self._run_until_stopped()
            self.loop.run_until_complete(cancel_others())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()


async def cancel_others() -> None:
    """Cancel every other task of the running loop, and wait until they have ended, but not forever."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=PATIENCE)


def callers_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that the calling code runs on, if there is one.

    One that runs in this thread but not below the caller, as that of Playwright's sync API does in a greenlet of its
    own, is none: while the caller waits, nothing happens on it.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    if getattr(type(loop), "run_forever", None) is not asyncio.BaseEventLoop.run_forever:
        return loop  # what runs it cannot be seen among the callers
    runs = asyncio.BaseEventLoop.run_forever.__code__
    return loop if any(frame.f_code is runs for frame in _callers()) else None


def refuse_to_block(method: str, twin: str) -> None:
    """Raise a LoopRunningError, which names the async twin, where a method would block the caller's event loop.

    That is so where the calling code runs in a task of it. A loop that runs in this thread but not below the caller, as
    that of Playwright's sync API does in a greenlet of its own, is not blocked.
    """
    __tracebackhide__ = True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return
    if task is None or not _is_below(getattr(task.get_coro(), "cr_frame", None)):
        return
    raise LoopRunningError(
        f"{method}() waits, and would block the event loop that is running in this thread: use `await {twin}(...)`"
    )


def _is_below(frame: FrameType | None) -> bool:
    """Whether a coroutine's frame is among the callers; one that cannot be seen is taken to be."""
    return frame is None or any(caller is frame for caller in _callers())


def _callers() -> Iterator[FrameType]:
    """The frames of what has called this, the innermost first."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the documented way to walk one's callers at no cost
    while frame is not None:
        yield frame
        frame = frame.f_back
