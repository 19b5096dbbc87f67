"""What an application raised, as a reader wants to see it."""

from __future__ import annotations

import threading
import traceback
from types import TracebackType

from mockserver.model.messages import ExchangeError

#: The name of the thread of applications that are called from sync code.
APP_THREAD = "mockserver-app"

_OURS = "mockserver.delivery.in_process"


def app_error(error: BaseException, prefix: str = "") -> ExchangeError:
    """Return an exception of an application as the error of an exchange.

    Args:
        error: What it raised. A group with one exception in it, as task groups raise it, counts as that exception.
        prefix: What to say before it.
    """
    error = _only_one(error)
    lines = str(error).splitlines() or [""]
    message = f"{prefix}{type(error).__name__}: {lines[0]}{' …' if len(lines) > 1 else ''}"
    shown = traceback.format_exception(type(error), error, _theirs(error.__traceback__))
    return ExchangeError("app", message.removesuffix(": "), "".join(shown))


def may_be_ctrl_c(error: BaseException) -> bool:
    """Whether what an application raised may be the user's interruption: not on the thread that is there for it."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread().name != APP_THREAD


def _only_one(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _only_one(inner[0]) if len(inner) == 1 else error


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that lead from here to the application."""
    first = trace
    while first is not None and str(first.tb_frame.f_globals.get("__name__", "")).startswith(_OURS):
        first = first.tb_next
    return first or trace
