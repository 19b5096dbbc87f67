"""Waiting until a target accepts connections: an application in a container takes a moment to start."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from mockserver.delivery.address_guard import why_refused
from mockserver.delivery.name_lookup import NameLookup
from mockserver.model.quantities import format_duration
from mockserver.model.targets import Target

#: Seconds between two attempts.
_PAUSE = 0.1


async def why_unreachable(target: Target, within: float, allowed_hosts: Collection[str]) -> str:
    """Wait until a target accepts a connection. Nothing is sent on it, and it is closed at once.

    Args:
        target: Whom to connect to.
        within: Seconds to wait at most.
        allowed_hosts: Public hosts that may be contacted.

    Returns:
        Why it cannot be reached; empty when it can.
    """
    loop, lookup = asyncio.get_running_loop(), NameLookup()
    deadline = loop.time() + within
    while True:
        left = max(deadline - loop.time(), _PAUSE)
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation, and the waiting would go on.
        attempt = loop.create_task(_connect(target, allowed_hosts, lookup))
        try:
            done, _ = await asyncio.wait({attempt}, timeout=left)
        finally:
            attempt.cancel()
        try:
            reason = "no answer"
            if done:
                return attempt.result()
        except (OSError, UnicodeError) as error:
            reason = _reason(error)
        if loop.time() + _PAUSE > deadline:
            return f"{target.authority} accepted no connection within {format_duration(within)} ({reason})"
        await asyncio.sleep(_PAUSE)


async def _connect(target: Target, allowed_hosts: Collection[str], lookup: NameLookup) -> str:
    """Connect to the first address that the guard lets through; the answer is why none is."""
    refusal = ""
    failure: OSError | None = None
    for _, address in await lookup.find(target.host, target.port):
        refusal = why_refused(address, target.host, allowed_hosts) or ""
        if not refusal:
            try:
                _, writer = await asyncio.open_connection(address, target.port)
            except OSError as error:
                failure = error
                continue
            writer.transport.abort()
            return ""
    if failure is not None:
        raise failure
    return refusal


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (isinstance(error, OSError) and error.strerror) or str(error)
