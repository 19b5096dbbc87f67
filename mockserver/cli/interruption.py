"""Running async work that Ctrl-C, SIGTERM, SIGHUP or a closed output ends at once, and in good order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TextIO

from mockserver.cli import exit_codes
from mockserver.cli.exit_codes import STOPPING
from mockserver.cli.output import ClosedOutput, Printer, Writer
from mockserver.delivery.event_loop import cancel_others, new_event_loop, refuse_green_threads

#: Seconds that a stopped process gets to write what it still has to say, and then to end in good order.
_PATIENCE = 1.0


class Interruptible:
    """Work that can be stopped: it is cancelled once, and gets the time to clean up.

    Args:
        needs_output: Whether it fails where standard output is closed; supervisors start servers so.

    Attributes:
        out: Prints to standard output.
        err: Prints to standard error.

    Raises:
        UsageError: A library has replaced the threads of this process.
    """

    def __init__(self, *, needs_output: bool = True) -> None:
        refuse_green_threads()
        self._exit_code = 0
        self._output_error: OSError | None = None
        self._task: asyncio.Task[None] | None = None
        self._writer = Writer(self._stop_for)
        silent = not needs_output and isinstance(sys.stdout, ClosedOutput)
        self.out = Printer(_nowhere() if silent else sys.stdout, self._writer)
        self.err = Printer(sys.stderr, self._writer)

    def stop(self, exit_code: int) -> None:
        """Stop the work. Only the first call counts: cleaning up is not to be interrupted."""
        if not self._exit_code and self._task is not None:
            self._exit_code = exit_code
            self._task.cancel()

    def run(self, work: Coroutine[Any, Any, None]) -> int:
        """Run the work on an event loop of its own; raises OSError."""
        before = {number: signal.getsignal(number) for number in STOPPING}
        loop = new_event_loop()
        try:
            for number, exit_code in STOPPING.items():
                if before[number] != signal.SIG_IGN or number == signal.SIGINT:  # nohup means what it says
                    self._on_signal(loop, number, exit_code)
            self._run_to_its_end(loop, work)
            self._run_to_its_end(loop, self._write_the_rest())
            if self._exit_code:
                _end_soon(self._exit_code)
            loop.run_until_complete(cancel_others())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            self._writer.close()
            loop.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._exit_code:  # everything has been said: a second Ctrl-C must not make a mess of the exit
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._output_error is not None:
            raise self._output_error
        return self._exit_code

    def _run_to_its_end(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        self._task = loop.create_task(work)
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(self._task)

    async def _write_the_rest(self) -> None:
        """Wait for the reader of the output; when the work was stopped, not for long."""
        self.out.flush()
        self.err.flush()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._writer.drained(), _PATIENCE if self._exit_code else None)

    def _stop_for(self, error: OSError) -> None:
        """Stop the work because the output takes no more."""
        self._output_error = error
        self.stop(exit_codes.BROKEN_PIPE if isinstance(error, BrokenPipeError) else exit_codes.UNWRITABLE)

    def _on_signal(self, loop: asyncio.AbstractEventLoop, number: signal.Signals, exit_code: int) -> None:
        try:
            loop.add_signal_handler(number, self.stop, exit_code)
        except NotImplementedError:  # pragma: no cover - Windows, whose loops are woken by signals all the same
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.stop, exit_code))


def _nowhere() -> TextIO:
    """Open, for as long as the work lasts, what takes everything and keeps nothing."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _end_soon(exit_code: int) -> None:
    """Make sure that the process ends, even where a thread hangs in a name lookup, which nothing can cut short."""
    deadline = threading.Timer(_PATIENCE, os._exit, (exit_code,))
    deadline.daemon = True  # it does not hold up a process that ends by itself
    deadline.start()
