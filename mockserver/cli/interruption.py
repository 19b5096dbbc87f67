"""Running async work that Ctrl-C, SIGTERM or a closed output ends at once, and in good order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any

from mockserver.cli import exit_codes
from mockserver.delivery.loop_thread import cancel_others, new_event_loop

_SIGNALS = {signal.SIGINT: exit_codes.INTERRUPTED, signal.SIGTERM: exit_codes.TERMINATED}

#: Seconds that a stopped process gets to end in good order.
_PATIENCE = 1.0


class Interruptible:
    """Work that can be stopped: it is cancelled once, and gets the time to clean up."""

    def __init__(self) -> None:
        self._exit_code = 0
        self._output_error: OSError | None = None
        self._task: asyncio.Task[None] | None = None

    def stop(self, exit_code: int) -> None:
        """Stop the work. Only the first call counts: cleaning up is not to be interrupted."""
        if not self._exit_code and self._task is not None:
            self._exit_code = exit_code
            self._task.cancel()

    def stop_for(self, error: OSError) -> None:
        """Stop the work because the output takes no more."""
        self._output_error = error
        self.stop(exit_codes.BROKEN_PIPE)

    def run(self, work: Coroutine[Any, Any, None]) -> int:
        """Run the work on an event loop of its own.

        Returns:
            Why it was stopped, as an exit code; 0 if it came to its own end.

        Raises:
            OSError: The output took no more.
        """
        loop = new_event_loop()
        try:
            self._task = loop.create_task(work)
            for number, exit_code in _SIGNALS.items():
                self._on_signal(loop, number, exit_code)
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(self._task)
            if self._exit_code:
                _end_soon(self._exit_code)
            loop.run_until_complete(cancel_others())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        if self._exit_code:  # everything has been said: a second Ctrl-C must not make a mess of the exit
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._output_error is not None:
            raise self._output_error
        return self._exit_code

    def _on_signal(self, loop: asyncio.AbstractEventLoop, number: signal.Signals, exit_code: int) -> None:
        try:
            loop.add_signal_handler(number, self.stop, exit_code)
        except NotImplementedError:  # pragma: no cover - Windows, whose loops are woken by signals all the same
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.stop, exit_code))


def _end_soon(exit_code: int) -> None:
    """See to it that the process ends, even where a thread hangs in a name lookup, which nothing can cut short."""
    deadline = threading.Timer(_PATIENCE, os._exit, (exit_code,))
    deadline.daemon = True  # it does not hold up a process that ends by itself
    deadline.start()
