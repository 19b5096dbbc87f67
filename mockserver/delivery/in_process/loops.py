"""The event loops that applications run on: which one, and how what runs on it ends.

Ending is the hard part, for the caller that resets or stops the mock may be

- on a thread whose loop is running, perhaps the app's own: waiting would block it, so the ending only begins there, and
  goes on by itself in the next turns of that loop;
- on another thread than a running loop: the ending runs there, and is waited for;
- where the app's loop has paused, as in the teardown of a sync pytest fixture after an async test: the loop is run on
  until the app has ended;
- too late, when the loop is closed: what ran on it was cancelled, and there is nothing left to end.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from mockserver.delivery.in_process.failures import APP_THREAD
from mockserver.delivery.loop_thread import PATIENCE, LoopThread, standard_loop

T = TypeVar("T")

_caller: contextvars.ContextVar[asyncio.AbstractEventLoop | None] = contextvars.ContextVar("caller", default=None)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that is running in this thread, if there is one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def noting_the_loop() -> Iterator[None]:
    """Note the running loop for what is handed to other threads here: its context is copied with it."""
    token = _caller.set(running_loop())
    try:
        yield
    finally:
        _caller.reset(token)


def noted_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that the caller noted."""
    return _caller.get()


async def on_callers_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await something on the loop that was noted, where it runs and is another one; else on this one.

    Args:
        work: What an async function of the caller's returned: it may use what belongs to that loop.
    """
    loop = noted_loop()
    if loop is None or not loop.is_running() or loop is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


class Ending(Protocol):
    """Something that has begun to end."""

    def settle(self) -> None:
        """Wait until it has ended, unless that would block a running loop; never for more than some seconds."""
        ...


class LoopEnding:
    """The ending of what runs on a loop.

    Args:
        loop: The loop.
        thread: The thread that runs it, by its identifier; 0 if it never ran there.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._loop = loop
        self._thread = thread
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def settle(self) -> None:
        """Wait for it, if this thread can; see the module."""
        if self._loop.is_closed() or running_loop() is not None:
            return
        if self._loop.is_running():
            concurrent.futures.wait([self.done], 2 * PATIENCE)
        elif self._thread == threading.get_ident():
            done = asyncio.wrap_future(self.done, loop=self._loop)
            self._loop.run_until_complete(asyncio.wait([done], timeout=2 * PATIENCE))


class ThreadEnding:
    """The ending of threads.

    Args:
        threads: The threads.
        patience: Seconds to wait for each.
    """

    def __init__(self, threads: Sequence[threading.Thread], patience: float) -> None:
        self._threads = threads
        self._patience = patience

    def settle(self) -> None:
        """Wait until they have ended: they wait for no loop of others, so this may block one for a moment."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(self._patience)


class LoopEndedError(Exception):
    """An event loop is closed, so that nothing can run on it any more."""


def app_thread() -> LoopThread:
    """Return a new thread with a loop for applications that are called from sync code."""
    return LoopThread(APP_THREAD, standard_loop())  # the standard loop: apps know it best


def end_thread(thread: LoopThread, endings: Sequence[LoopEnding]) -> Ending:
    """Stop the loop of a thread once everything on it has ended."""

    async def ended() -> None:
        for ending in endings:
            await asyncio.wrap_future(ending.done)

    return ThreadEnding([thread.stop_after(ended())], 2 * PATIENCE)
