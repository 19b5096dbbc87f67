"""Hosts: what runs an application. Here is what those of every interface have in common."""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import contextvars
import functools
import logging
import threading
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

from mockserver.delivery.in_process.call import Call
from mockserver.delivery.in_process.failures import app_error, may_be_ctrl_c
from mockserver.delivery.in_process.loops import Ending, LoopEndedError, LoopEnding
from mockserver.delivery.loop_thread import PATIENCE
from mockserver.model.messages import Exchange, ExchangeError, Request
from mockserver.model.quantities import format_duration

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
        """Wait until the application is through with a call, or the time is up.

        Args:
            call: A call that was handed to the application.
            timeout: Seconds to wait.
        """
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

    Args:
        loop: The loop. All that begins with an underscore here runs on it.
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
        """Shut the application down: it was started, failed to start, or its start was cancelled.

        Raises:
            asyncio.TimeoutError: It took more than ``PATIENCE``.
        """

    async def start(self, timeout: float) -> ExchangeError | None:
        """Start the application, unless it has been, and return why that failed, if it did.

        Args:
            timeout: Seconds that it may take.

        Raises:
            LoopEndedError: The loop is closed.
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

        Raises:
            LoopEndedError: The loop is closed.
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
