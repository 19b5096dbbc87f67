"""Time that goes on, also while a test has frozen or moved the clock of its process.

freezegun and time-machine replace the functions of ``time``, wherever a module holds them. What measures, waits and
times out here must not follow; what time it is for an event may, see :class:`mockserver.replay.clock.RealClock`.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable

#: Seconds that always run forward, at the pace of the real time. Not a plain function of ``time``, nor one that those
#: libraries know of.
monotonic: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime")
    else functools.partial(time.perf_counter)  # Windows
)


def in_real_time(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """Let a loop's timers go by real time, and return it; uvloop's do already."""
    if isinstance(loop, asyncio.BaseEventLoop):
        loop.time = monotonic  # type: ignore[method-assign]
    return loop
