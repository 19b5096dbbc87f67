"""The address guard: test events go to this machine and its private networks, and nowhere else.

It judges addresses, not names: a name can lead anywhere. The sender asks it about each address before it connects.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_SHARED = ip_network("100.64.0.0/10")


def why_refused(address: str, host: str, allowed_hosts: Collection[str] = ()) -> str | None:
    """Say why a delivery must not go to an address, or that it may.

    Loopback and private addresses (RFC 1918, RFC 4193) may be contacted. Link-local ones never: cloud machines serve
    their credentials there. Any other needs its host named by the user.

    Args:
        address: The numeric IPv4 or IPv6 address that is about to be connected to.
        host: The name or address in the URL that led there.
        allowed_hosts: Hosts that the user allowed by name (``--allow-host``); compared without regard to case.

    Returns:
        None if it may be contacted; else one line that says why not and what would allow it.
    """
    judged = _unwrapped(address)
    where = address if address == host else f"{host} ({address})"
    if judged.is_link_local:
        return f"{where} is a link-local address, where cloud machines keep credentials: never contacted"
    if judged.is_multicast or judged.is_unspecified:
        return f"{where} is not the address of one machine: never contacted"
    if host.lower() in {allowed.lower() for allowed in allowed_hosts}:
        return None
    if judged.is_loopback or (judged.is_private and not judged.is_reserved) or _is_shared(judged):
        return None
    return f"{where} is a public address, and test events stay at home: allow it with --allow-host {host}"


def _unwrapped(address: str) -> IPv4Address | IPv6Address:
    """The address that is really meant: IPv4 inside IPv6 (mapped, 6to4, NAT64) is judged as the IPv4 address."""
    parsed = ip_address(address.split("%", 1)[0])
    if isinstance(parsed, IPv4Address):
        return parsed
    if parsed in _NAT64:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed.ipv4_mapped or parsed.sixtofour or parsed


def _is_shared(address: IPv4Address | IPv6Address) -> bool:
    """Carrier-grade NAT space (RFC 6598), which container networks and VPNs use as a private range."""
    return address in _SHARED
