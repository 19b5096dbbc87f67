"""The exit codes of the command line, which CI stages rely on, and the signals and errors that lead to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType

from mockserver.errors import MockServerError, ScriptError, UsageError

#: All well.
OK = 0
#: An expectation was not met, or an event was not sent; a check that must pass failed; a signature is not valid.
FAILED = 1
#: Wrong usage, or an invalid script. Nothing was sent.
USAGE = 2
#: The target, or the mock that a command talks to, could not be reached.
UNREACHABLE = 3
#: A report, or the output, could not be written.
UNWRITABLE = 4
#: Stopped with SIGHUP, as shells count it: 128 and the number of the signal.
HUNG_UP = 129
#: Stopped with Ctrl-C.
INTERRUPTED = 130
#: The reader of the output has gone (SIGPIPE).
BROKEN_PIPE = 141
#: Stopped with SIGTERM.
TERMINATED = 143


#: The exit code of each signal that stops a command.
STOPPING: dict[signal.Signals, int] = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
if hasattr(signal, "SIGHUP"):  # pragma: no branch - Windows has none
    STOPPING[signal.SIGHUP] = HUNG_UP


def end_at_once_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process by their exit codes while it starts; also where it is process 1."""
    for number in STOPPING:
        if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(STOPPING[signal.Signals(number)])


class InvalidScriptsError(UsageError):
    """Scripts that cannot be replayed."""

    def __init__(self, failures: Sequence[UsageError]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(str(failure) for failure in failures))

    def lines(self) -> list[str]:
        """Return every problem, each on a line of its own, then what that means."""
        problems = 0
        lines: list[str] = []
        for failure in self.failures:
            if isinstance(failure, ScriptError):
                problems += len(failure.problems)
                lines.append(str(failure))
            else:
                lines.append(f"mockserver: {failure}")
        if problems:
            found = f"{problems} problem{'s' if problems > 1 else ''}"
            lines.append(f"mockserver: {found} found: nothing was sent")
        return lines


class UnreachableError(MockServerError):
    """The mock that a command talks to does not answer; the message says why and what to do."""


class UnwritableError(MockServerError):
    """A result could not be written. The work is done, and its outcome was shown."""
