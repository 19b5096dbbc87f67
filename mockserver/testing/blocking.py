"""Methods that wait are refused where waiting would block the event loop that the application runs on."""

from __future__ import annotations

import asyncio

from mockserver.errors import LoopRunningError


def refuse_running_loop(method: str, twin: str) -> None:
    """Raise where an event loop is running in this thread: a wait would stop that loop, and the app on it.

    Args:
        method: The sync method that was called.
        twin: The async method to call instead.

    Raises:
        LoopRunningError: An event loop is running in this thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise LoopRunningError(
        f"{method}() waits, and would block the event loop that is running in this thread: use `await {twin}(...)`"
    )
