"""What is installed here: a peer that is not is found out before anything is measured, and has a row that says so."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

from benchmarks.table import Measurement, missing

T = TypeVar("T")


#: Peers that are no Python packages.
_PROGRAMS = ("wrk", "chromium")


def is_installed(peer: str) -> bool:
    """Whether a package can be imported, or a program be run."""
    return bool(shutil.which(peer)) if peer in _PROGRAMS else find_spec(peer) is not None


def not_installed(what: str, package: str) -> Measurement:
    """Return the row of a peer that is not here."""
    return missing(what, f"{package} is not installed")


def new_loop(kind: str = "uvloop") -> asyncio.AbstractEventLoop:
    """Return a new event loop: ``standard``, or ``uvloop`` where it is installed."""
    if kind == "uvloop" and is_installed("uvloop"):
        import uvloop  # noqa: PLC0415 - optional

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


def run_fast(work: Coroutine[Any, Any, T]) -> T:
    """Run the work of a helper process on the fastest loop that is here."""
    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
