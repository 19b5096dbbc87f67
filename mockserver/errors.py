"""Every exception that this package raises on purpose.

.. code-block:: text

    MockServerError                 the base of them all
    ├── UsageError                  a wrong argument or setting; nothing was done
    │   ├── ScriptError             a script that cannot be replayed; holds every Problem of the file
    │   └── LoopRunningError        a waiting sync method, called where an event loop is running
    ├── StartError                  the server could not start, for example a port in use, or an application
    ├── WaitTimeoutError            what was waited for did not come in time
    ├── DeliveryError               deliveries failed, or an assertion on them did; also an AssertionError
    │   └── NobodySubscribedError   an event went nowhere, as no active webhook is subscribed to it
    └── CheckError                  a consumer gets something wrong that it must get right; also an AssertionError

Exit codes of the command line follow from the branch: ``UsageError`` 2, ``StartError`` 2, ``DeliveryError`` 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong in a script.

    Args:
        line: Line of the offending value, counted from 1; 0 when the problem is the whole file.
        column: Column of it, counted from 1; 0 when the problem is the whole file.
        message: What is wrong; what is allowed; what was probably meant.
    """

    line: int
    column: int
    message: str

    def located(self, source: str) -> str:
        """The problem as ``file:line:column: message``, the form that editors and terminals can follow."""
        return f"{source}:{self.line}:{self.column}: {self.message}" if self.line else f"{source}: {self.message}"


class MockServerError(Exception):
    """The base of every exception that this package raises on purpose."""


class UsageError(MockServerError):
    """A wrong argument, setting or combination of them. Nothing was done."""


class ScriptError(UsageError):
    """A script that cannot be replayed.

    Args:
        source: Where the script came from, as its reader knows it: a path, or ``<script>``.
        problems: Everything that is wrong with it, in the order of the file.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.located(source) for problem in self.problems))


class LoopRunningError(UsageError):
    """A sync method that waits was called in a thread whose event loop is running: it would block that loop."""


class StartError(MockServerError):
    """The server, or an application in this process, could not start; the message says why and what to do."""


class WaitTimeoutError(MockServerError):
    """What was waited for did not come in time; the message says what did come."""


class DeliveryError(MockServerError, AssertionError):
    """Deliveries failed, or are not what an assertion said. An ``AssertionError``, so that tests fail, not crash."""


class NobodySubscribedError(DeliveryError):
    """An event went nowhere: no active webhook is subscribed to it. The message shows what is registered."""


class CheckError(MockServerError, AssertionError):
    """A consumer gets something wrong that it must get right; the message is a table of what, and how to fix it."""
