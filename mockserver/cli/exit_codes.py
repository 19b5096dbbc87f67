"""The exit codes of the command line, which scripts and CI stages rely on."""

from __future__ import annotations

#: All well.
OK = 0
#: An expectation was not met, or an event was not sent; a check that must pass failed; a signature is not valid.
FAILED = 1
#: Wrong usage, or an invalid script. Nothing was sent.
USAGE = 2
#: The target could not be reached.
UNREACHABLE = 3
#: Stopped with Ctrl-C, as shells count it: 128 and the number of the signal.
INTERRUPTED = 130
#: Whoever read the output has gone (SIGPIPE).
BROKEN_PIPE = 141
#: Stopped with SIGTERM.
TERMINATED = 143
