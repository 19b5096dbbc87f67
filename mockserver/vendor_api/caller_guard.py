"""The guard of everything that the mock serves: a web page must not drive it.

A page can send requests to this machine in two ways: from its own origin, which the browser names in ``Origin``, or
with a name of its own that it lets point here (DNS rebinding), which the browser names in ``Host``. A numeric address
cannot be made to point elsewhere, nor can ``localhost``, so a request that names one is safe as far as its Host goes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from multidict import MultiMapping

from mockserver.model.settings import Settings

#: A host as the Host header spells it: a name or an IPv4 address, or an IPv6 address in brackets; then the port.
_AUTHORITY = r"(?P<host>[^\s:/@\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?"

_ADVICE = "allow a name with --control-host NAME or MockServer(control_hosts=[...])"


def why_foreign(headers: MultiMapping[str], scheme: str, settings: Settings) -> str | None:
    """Say why a request is refused, or that it is not.

    Args:
        headers: The request's headers.
        scheme: How this server is called: ``http`` or ``https``.
        settings: The host that it listens on, and the other names that it is called by.

    Returns:
        The reason, for the caller; None when the request is welcome.
    """
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    own, allowed = settings.host, settings.control_hosts
    if len(hosts) != 1 or not _is_own(hosts[0].lower(), own, allowed):
        named = " and ".join(map(ascii, hosts)) or "missing"
        return f"the Host header must be a loopback address or localhost; it is {named}: {_ADVICE}"
    if not origins or (
        len(origins) == 1 and _is_own_page(origins[0].lower(), f"{scheme}://{hosts[0]}".lower(), allowed)
    ):
        return None
    return f"web pages of other origins may not call the mock; Origin is {' and '.join(map(ascii, origins))}: {_ADVICE}"


@lru_cache(64)  # callers name the server in one way, again and again
def _is_own(authority: str, own_host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the value of a Host header, in lower case, means this server and nothing else."""
    match = re.fullmatch(_AUTHORITY, authority)
    host = match["host"].strip("[]") if match else ""
    if host == "localhost" or host.endswith(".localhost") or host in (each.lower() for each in (own_host, *allowed)):
        return bool(host)
    address, own = _address(host), _address(own_host)
    # A server that listens everywhere is called by any address of its machine.
    return address is not None and (address.is_loopback or (own is not None and own.is_unspecified))


def _is_own_page(origin: str, own: str, allowed: tuple[str, ...]) -> bool:
    scheme, _, authority = origin.partition("://")
    match = re.fullmatch(_AUTHORITY, authority) if scheme in ("http", "https") else None
    return origin == own or (match is not None and match["host"] in (each.lower() for each in allowed))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
