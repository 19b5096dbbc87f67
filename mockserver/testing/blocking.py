"""Methods that wait are refused where waiting would block the event loop that the application runs on."""

from __future__ import annotations

import asyncio
import sys
from types import FrameType

from mockserver.errors import LoopRunningError


def refuse_to_block(method: str, twin: str) -> None:
    """Raise where the calling code runs in a task of an event loop: a wait would stop that loop, and the app on it.

    A loop that runs in this thread but not below the caller, as that of Playwright's sync API does in a greenlet of
    its own, is not blocked.

    Args:
        method: The sync method that was called.
        twin: The async method to call instead.

    Raises:
        LoopRunningError: The calling code runs in a task.
    """
    __tracebackhide__ = True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return
    if task is None or not _is_below(getattr(task.get_coro(), "cr_frame", None), sys._getframe()):  # noqa: SLF001 - the documented way to walk one's callers at no cost
        return
    raise LoopRunningError(
        f"{method}() waits, and would block the event loop that is running in this thread: use `await {twin}(...)`"
    )


def _is_below(frame: FrameType | None, top: FrameType | None) -> bool:
    """Whether a coroutine's frame is among the callers; one that cannot be seen is taken to be."""
    if frame is None:
        return True
    while top is not None:
        if top is frame:
            return True
        top = top.f_back
    return False
