"""What went wrong, as a command shows it: scripts that are invalid, a target that cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence

from mockserver.errors import MockServerError, ScriptError, UsageError
from mockserver.model.messages import NEVER_CONNECTED
from mockserver.model.records import Delivery


class InvalidScriptsError(UsageError):
    """Scripts that cannot be replayed.

    Args:
        failures: What is wrong with each of them.
    """

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


class Reach:
    """Whether deliveries come to a consumer at all.

    Attributes:
        why_not: Why not one did; empty as long as there was none, or one of them connected.
    """

    def __init__(self) -> None:
        self.why_not = ""
        self._connected = False

    def note(self, delivery: Delivery) -> None:
        """Note a delivery that has its outcome."""
        error = delivery.error
        if error is None or error.kind not in NEVER_CONNECTED:
            self._connected = True
            self.why_not = ""
        elif not self._connected and not self.why_not:
            self.why_not = f"the target could not be reached: {error.message}"
