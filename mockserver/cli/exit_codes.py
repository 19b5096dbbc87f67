"""The exit codes of the command line, which scripts and CI stages rely on."""

from __future__ import annotations

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
