"""The address guard: test events go to this machine and its private networks, and nowhere else.

It judges addresses, not names: a name can lead anywhere. The sender asks it about each address before it connects.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mockserver.model.targets import read_address

Address = IPv4Address | IPv6Address

#: Where deliveries may go, and nowhere else. Not ``ipaddress.is_private``, which holds more, and not the same in every
#: version of Python.
HOME = tuple(
    map(
        ip_network,
        (
            "127.0.0.0/8",  # loopback
            "::1/128",
            "10.0.0.0/8",  # RFC 1918
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7",  # RFC 4193
            "100.64.0.0/10",  # RFC 6598, which container networks and VPNs use as a private range
        ),
    )
)

#: Where cloud machines serve their credentials, outside the link-local ranges or within.
METADATA = tuple(map(ip_address, ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200")))

_BROADCAST = IPv4Address("255.255.255.255")
_NAT64 = ip_network("64:ff9b::/96")


def why_refused(address: str, host: str, allowed_hosts: Collection[str] = ()) -> str | None:
    """Say why a delivery must not go to a numeric address, and what would allow it; None if it may.

    The networks of :data:`HOME` may be contacted. Link-local and metadata addresses may not, as cloud machines serve
    their credentials there; a metadata address may, if that very address is allowed. Any other address may, if the host
    that led there is allowed by name (``--allow-host``), regardless of case.
    """
    return _why_refused(address, host, frozenset(allowed_hosts))


@lru_cache(maxsize=1024)  # each connection asks twice, and most of them lead to one address
def _why_refused(address: str, host: str, allowed_hosts: frozenset[str]) -> str | None:
    judged = _unwrapped(address)
    where = address if address == host else f"{host} ({address})"
    allowed = {each.lower() for each in allowed_hosts}
    if judged.is_link_local or judged in METADATA:
        if judged in METADATA and _names_address(judged, allowed):
            return None
        kind = "link-local" if judged.is_link_local else "metadata"
        return f"{where} is a {kind} address, where cloud machines keep credentials: never contacted"
    if judged.is_multicast or judged.is_unspecified or judged == _BROADCAST:
        return f"{where} is not the address of one machine: never contacted"
    if any(judged.version == network.version and judged in network for network in HOME) or host.lower() in allowed:
        return None
    return f"{where} is a public address, and test events stay at home: allow it with --allow-host {host}"


def _names_address(address: Address, names: Collection[str]) -> bool:
    return any(read_address(name) == address for name in names)


def _unwrapped(address: str) -> Address:
    """The address that is really meant: IPv4 inside IPv6 (mapped, 6to4, Teredo, NAT64) is judged as that."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return parsed
    if parsed in _NAT64:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    if parsed.teredo is not None:
        return parsed.teredo[1]
    return parsed.ipv4_mapped or parsed.sixtofour or parsed
