"""Hosts: what runs an application, on which event loop, and how it ends. Here is what every interface has in common.

Ending is the hard part, because the caller that resets or stops the mock may be

- on a thread whose loop is running, perhaps the app's own: waiting would block it, so the ending only begins there, and
  goes on by itself in the next turns of that loop;
- on another thread than a running loop: the ending runs there, and is waited for;
- where the app's loop has paused, as in the teardown of a sync pytest fixture after an async test: the loop is run on
  until the app has ended;
- too late, when the loop is closed: what ran on it was cancelled, and there is nothing left to end.
"""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import contextvars
import functools
import logging
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from mockserver.delivery.event_loop import PATIENCE, LoopThread, callers_loop, standard_loop
from mockserver.delivery.in_process.call import APP_THREAD, Call, app_error, may_be_ctrl_c
from mockserver.model.messages import Exchange, ExchangeError, Request
from mockserver.model.quantities import format_duration

T = TypeVar("T")

_caller: contextvars.ContextVar[asyncio.AbstractEventLoop | None] = contextvars.ContextVar("caller", default=None)


@contextmanager
def noting_the_loop() -> Iterator[None]:
    """Note the running loop for what is handed to other threads here: its context is copied with it."""
    token = _caller.set(callers_loop())
    try:
        yield
    finally:
        _caller.reset(token)


def noted_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that the caller noted."""
    return _caller.get()


async def on_callers_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await something on the loop that was noted, where it runs and is another one; else on this one.

    It comes from an async function of the caller's, and may use what belongs to that loop.
    """
    loop = noted_loop()
    if loop is None or not loop.is_running() or loop is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


class Ending(Protocol):
    """Something that has begun to end."""

    def settle(self) -> None:
        """Wait until it has ended, unless that would block a running loop; never for more than a few seconds."""
        ...


class LoopEnding:
    """The ending of what runs on a loop, in the thread with this identifier; 0 if it never ran there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._loop = loop
        self._thread = thread
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def settle(self) -> None:
        """Wait for it, if this thread can; see the module."""
        if self._loop.is_closed() or callers_loop() is not None:
            return
        if self._loop.is_running():
            concurrent.futures.wait([self.done], 2 * PATIENCE)
        elif self._thread == threading.get_ident():
            done = asyncio.wrap_future(self.done, loop=self._loop)
            self._loop.run_until_complete(asyncio.wait([done], timeout=2 * PATIENCE))


class ThreadEnding:
    """The ending of threads, each of which is waited for."""

    def __init__(self, threads: Sequence[threading.Thread], patience: float) -> None:
        self._threads = threads
        self._patience = patience

    def settle(self) -> None:
        """Wait until they have ended: they do not wait for other loops, so this may block one for a moment."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(self._patience)


class LoopEndedError(Exception):
    """An event loop is closed, so that nothing can run on it any more."""


def app_thread() -> LoopThread:
    """Return a new thread with a loop for applications that are called from sync code."""
    return LoopThread(APP_THREAD, standard_loop())  # apps know the standard loop best


def end_thread(thread: LoopThread, endings: Sequence[LoopEnding]) -> Ending:
    """Stop the loop of a thread once everything on it has ended."""

    async def ended() -> None:
        for ending in endings:
            await asyncio.wrap_future(ending.done)

    return ThreadEnding([thread.stop_after(ended())], 2 * PATIENCE)


_logger = logging.getLogger("mockserver.in_process")

_STOPPED = ExchangeError("stopped", "the mock was reset or stopped before the application had answered")


class Host(Protocol):
    """Runs an application. Its methods are called on the mock's loop."""

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request, as a transport does."""
        ...

    def end(self) -> Ending:
        """Shut the application down."""
        ...


class Calls:
    """The requests that an application is working on."""

    def __init__(self) -> None:
        self._calls: set[Call] = set()

    async def wait(self, call: Call, timeout: float) -> Exchange:
        """Wait until the application has finished with a call that was handed to it, or the time is up."""
        self._calls.add(call)
        try:
            await asyncio.wait([asyncio.wrap_future(call.done)], timeout=timeout)
        finally:
            self._calls.discard(call)
            call.give_up()
        return call.exchange(timeout)

    def stop(self) -> None:
        """End every wait."""
        for call in self._calls:
            call.cancel()
            call.finish(_STOPPED)


class LoopHost(abc.ABC):
    """A host whose application lives on an event loop: started there before its first request, and shut down there.

    All that begins with an underscore here runs on that loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._thread = 0
        self._startup: asyncio.Task[ExchangeError | None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @abc.abstractmethod
    async def _start(self) -> ExchangeError | None:
        """Start the application; returns or raises why that failed."""

    @abc.abstractmethod
    async def _shut_down(self) -> None:
        """Shut down the application, which was started, failed to start, or whose start was cancelled.

        Raises a TimeoutError after more than ``PATIENCE``.
        """

    async def start(self, timeout: float) -> ExchangeError | None:
        """Start the application, unless it has been, and return why that failed, if it did.

        Raises LoopEndedError if the loop is closed.
        """
        ready: concurrent.futures.Future[ExchangeError | None] = concurrent.futures.Future()
        ready.set_running_or_notify_cancel()
        self.run(functools.partial(self._report_when_ready, ready))
        await asyncio.wait([asyncio.wrap_future(ready)], timeout=timeout)
        late = f"the application did not start within {format_duration(timeout)}"
        return ready.result() if ready.done() else ExchangeError("timeout", late)

    async def _report_when_ready(self, ready: concurrent.futures.Future[ExchangeError | None]) -> None:
        try:
            ready.set_result(await self._ready())
        except asyncio.CancelledError:
            ready.set_result(ExchangeError("stopped", "stopped before the application had started"))
            raise

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine on the loop, from any thread, in a context of its own, as a server does.

        Raises LoopEndedError if the loop is closed.
        """
        try:
            self.loop.call_soon_threadsafe(self._begin, work, context=contextvars.Context())
        except RuntimeError as error:
            raise LoopEndedError from error

    def end(self) -> LoopEnding:
        """Cancel what the application is working on, and shut it down."""
        ending = LoopEnding(self.loop, self._thread)
        try:
            self.loop.call_soon_threadsafe(self._begin_end, ending)
        except RuntimeError:  # the loop is closed, and what ran on it was cancelled
            ending.done.set_result(None)
        return ending

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._thread = threading.get_ident()
        task = self.loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the user's interruption, which asyncio has raised where it belongs

    def _begin_end(self, ending: LoopEnding) -> None:
        working = tuple(self._tasks)
        self._begin(lambda: self._end(working, ending))

    async def _end(self, working: tuple[asyncio.Task[None], ...], ending: LoopEnding) -> None:
        try:
            await _cancel(working)
            if self._startup is not None:
                await _cancel([self._startup])
                await self._shut_down()
        except asyncio.TimeoutError:
            _logger.warning("an application in this process did not shut down within %g seconds", PATIENCE)
        except Exception as error:
            _logger.warning("an application in this process failed to shut down", exc_info=error)
        finally:
            ending.done.set_result(None)

    async def _ready(self) -> ExchangeError | None:
        """Wait until the application is started, starting it if it is the first time; returns why that failed."""
        if self._startup is None:
            self._startup = self.loop.create_task(self._try_to_start())
        return await asyncio.shield(self._startup)

    async def _try_to_start(self) -> ExchangeError | None:
        try:
            return await self._start()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if may_be_ctrl_c(error):
                raise
            return app_error(error, "the application did not start: ")


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel those that still run, and wait for them."""
    left = [task for task in tasks if task.cancel()]
    if left:
        await asyncio.wait(left, timeout=PATIENCE)
