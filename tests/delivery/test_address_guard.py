"""The address guard: this machine and its private networks, and nowhere else."""

import pytest

from mockserver.delivery.address_guard import why_refused
from tests.presence import present
from tests.tables import each_row


@each_row(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "100.64.1.1",
        "2001:0:a:b:c:d:f5ff:fffe",  # Teredo, of 10.0.0.1
    ],
)
def test_home_addresses_may_be_contacted(address: str) -> None:
    """Loopback and private addresses, also inside of IPv6, need no permission."""
    assert why_refused(address, "host") is None


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "2606:4700::1111", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
        "2001:0:a:b:c:d:f7f7:f7f7",  # Teredo, of 8.8.8.8
        # Private for Python, in some versions; neither RFC 1918 nor RFC 4193.
        *("203.0.113.1", "198.18.0.1", "192.0.0.1", "192.0.2.1", "198.51.100.1", "0.1.2.3", "240.0.0.1", "fec0::1"),
    ],
)
def test_public_addresses_need_their_host_named(address: str) -> None:
    """A public address is refused with the option that allows it, and then allowed by the host's name."""
    reason = why_refused(address, "Api.Example.com")
    assert reason is not None
    assert "--allow-host Api.Example.com" in reason
    assert why_refused(address, "Api.Example.com", ["api.example.COM"]) is None
    assert why_refused(address, "other.example.com", ["api.example.com"]) is not None


@each_row(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd20:ce::254%eth0",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_some_addresses_are_never_contacted(address: str) -> None:
    """Cloud metadata, multicast and the unspecified address stay out even when the host is allowed."""
    reason = why_refused(address, "metadata", ["metadata"])
    assert reason is not None
    assert "never" in reason


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"])
def test_a_metadata_address_may_be_contacted_where_it_is_named_itself(address: str) -> None:
    """The test of a metadata service names its address; a name that leads there is not enough."""
    assert why_refused(address, address, [address]) is None
    assert why_refused(address, "innocent.test", ["innocent.test"]) is not None


@each_row(
    ("address", "host", "reason"),
    [
        ("169.254.1.1", "169.254.1.1", "169.254.1.1 is a link-local address"),
        ("100.100.100.200", "cloud.test", "cloud.test (100.100.100.200) is a metadata address"),
        ("224.0.0.1", "224.0.0.1", "224.0.0.1 is not the address of one machine: never contacted"),
        ("8.8.8.8", "dns.test", "dns.test (8.8.8.8) is a public address, and test events stay at home"),
    ],
)
def test_the_reason_says_what_kind_of_address_it_is(address: str, host: str, reason: str) -> None:
    """A name is shown with the address that it led to, and an address once."""
    assert present(why_refused(address, host)).startswith(reason)
