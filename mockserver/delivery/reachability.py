"""Waiting until a target accepts connections: an application in a container takes a moment to start."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection

from mockserver.delivery.address_guard import why_refused
from mockserver.model.durations import format_duration
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
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        left = max(deadline - loop.time(), _PAUSE)
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation, and the waiting would go on.
        attempt = loop.create_task(_connect(target, allowed_hosts))
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


async def _connect(target: Target, allowed_hosts: Collection[str]) -> str:
    """Connect to the first address that the guard lets through; the answer is why none is."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    refusal = ""
    failure: OSError | None = None
    for address in dict.fromkeys(str(info[4][0]) for info in found):
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
        return "nobody listens there"
    return (isinstance(error, OSError) and error.strerror) or str(error)
