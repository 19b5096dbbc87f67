"""Handles to what goes on behind a test's back: a replay in the background, a clock that is advanced by hand."""

from __future__ import annotations

import asyncio

from mockserver.delivery.event_loop import LoopThread, refuse_to_block
from mockserver.errors import UsageError
from mockserver.model.quantities import parse_duration
from mockserver.replay.replay import RunningReplay
from mockserver.replay.report import Report
from mockserver.server.mock import Mock


class BackgroundReplay:
    """A replay that goes on while the test does something else.

    Args:
        thread: Where it runs.
        running: The replay.
    """

    def __init__(self, thread: LoopThread, running: RunningReplay) -> None:
        self._thread = thread
        self._running = running

    @property
    def report(self) -> Report:
        """What has happened so far; complete when :attr:`done`."""
        return self._running.report

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._running.done

    def stop(self) -> None:
        """End it at once; its report accounts for every event."""
        self._thread.call(self._running.cancel)

    def result(self) -> Report:
        """Wait until it is over, and return its report.

        Raises:
            LoopRunningError: An event loop is running in this thread: use :meth:`aresult`.
        """
        refuse_to_block("result", "aresult")
        return self._thread.wait(self._running.wait())

    async def aresult(self) -> Report:
        """Do as :meth:`result` does, without blocking the running event loop."""
        return await asyncio.wrap_future(self._thread.submit(self._running.wait()))


class ClockControl:
    """What time it is for the mock.

    Args:
        thread: Where the mock runs.
        mock: The mock.
    """

    def __init__(self, thread: LoopThread, mock: Mock) -> None:
        self._thread = thread
        self._mock = mock

    def now(self) -> float:
        """Return the present moment, in seconds since 1970."""
        return self._mock.clock.now()

    def advance(self, by: float | str) -> None:
        """Let time pass on a stepped clock, and return when all that became due is over.

        Args:
            by: A duration such as ``"5m"``, or seconds.

        Raises:
            UsageError: It is no duration, or the clock runs by itself.
            LoopRunningError: An event loop is running in this thread: use :meth:`aadvance`.
        """
        refuse_to_block("advance", "aadvance")
        self._thread.wait(self._mock.advance(_seconds(by)))

    async def aadvance(self, by: float | str) -> None:
        """Do as :meth:`advance` does, without blocking the running event loop."""
        await asyncio.wrap_future(self._thread.submit(self._mock.advance(_seconds(by))))


def _seconds(by: float | str) -> float:
    try:
        return parse_duration(by)
    except ValueError as error:
        raise UsageError(str(error)) from None
