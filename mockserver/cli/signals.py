"""The signals that stop a command, and what they mean before it has begun."""

from __future__ import annotations

import os
import signal
from types import FrameType

from mockserver.cli import exit_codes

#: The exit code of each signal that stops a command.
STOPPING: dict[signal.Signals, int] = {
    signal.SIGINT: exit_codes.INTERRUPTED,
    signal.SIGTERM: exit_codes.TERMINATED,
}
if hasattr(signal, "SIGHUP"):  # pragma: no branch - Windows has none
    STOPPING[signal.SIGHUP] = exit_codes.HUNG_UP


def end_at_once_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process by their exit codes while it starts; also where it is process 1."""
    for number in STOPPING:
        if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(STOPPING[signal.Signals(number)])
