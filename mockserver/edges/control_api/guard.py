"""The guard of the control API: a web page must not drive the mock.

A page can send requests to this machine in two ways: from its own origin, which the browser names in ``Origin``, or
with a name of its own that it lets point here (DNS rebinding), which the browser names in ``Host``.
"""

from __future__ import annotations

from collections.abc import Mapping

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def why_foreign(headers: Mapping[str, str], scheme: str, own_host: str) -> str | None:
    """Say why a request is refused, or that it is not.

    Args:
        headers: The request's headers; names are looked up without regard to case.
        scheme: How this server is called: ``http`` or ``https``.
        own_host: The host that it was told to listen on.
    """
    authority = headers.get("Host", "")
    if _hostname(authority) not in _LOOPBACK | {own_host.lower(), f"[{own_host.lower()}]"}:
        return f"the control API does not answer to the host {authority!r}: call it by its loopback address"
    origin = headers.get("Origin")
    if origin is not None and origin.lower() != f"{scheme}://{authority}".lower():
        return f"the control API refuses requests of pages from {origin!r}"
    return None


def _hostname(authority: str) -> str:
    """The host of a Host header, without its port."""
    lowered = authority.lower()
    return lowered.partition("]")[0] + "]" if lowered.startswith("[") else lowered.partition(":")[0]
