"""The guard of the control API: a web page must not drive the mock.

A page can send requests to this machine in two ways: from its own origin, which the browser names in ``Origin``, or
with a name of its own that it lets point here (DNS rebinding), which the browser names in ``Host``. A numeric address
cannot be made to point elsewhere, so a request that names one is safe as far as its Host goes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from multidict import MultiMapping

#: A host as the Host header spells it: a name or an IPv4 address, or an IPv6 address in brackets; then the port.
_AUTHORITY = r"(?P<host>[^\s:/@\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?"


def why_foreign(headers: MultiMapping[str], scheme: str, own_host: str) -> str | None:
    """Say why a request is refused, or that it is not.

    Args:
        headers: The request's headers.
        scheme: How this server is called: ``http`` or ``https``.
        own_host: The host that it was told to listen on.

    Returns:
        The reason, for the caller; None when the request is welcome.
    """
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    if len(hosts) != 1 or not _is_own(hosts[0].lower(), own_host.lower()):
        named = " and ".join(map(ascii, hosts)) or "none"
        return f"the control API answers to loopback addresses and localhost as the Host header, not to {named}"
    if origins and [origin.lower() for origin in origins] != [f"{scheme}://{hosts[0]}".lower()]:
        return f"the control API refuses requests of web pages from {' and '.join(map(ascii, origins))}"
    return None


@lru_cache(64)  # callers name the server in one way, again and again
def _is_own(authority: str, own_host: str) -> bool:
    """Whether the value of a Host header, in lower case, means this server and nothing else."""
    match = re.fullmatch(_AUTHORITY, authority)
    host = match["host"].strip("[]") if match else ""
    if host in ("localhost", own_host):
        return True
    address, own = _address(host), _address(own_host)
    # A server that listens everywhere is called by any address of its machine.
    return address is not None and (address.is_loopback or (own is not None and own.is_unspecified))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
