"""The headers by which a sender says who it is, and those that users add for whatever is in front of their consumer.

A gateway that asks for a key, a tunnel that shows a page to browsers, a router that looks at a header: all of them want
something that the vendor's deliveries do not have. All of this is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mockserver.model.signing import SIGNATURE_HEADER

#: Names and values, in the order in which they are sent; ``User-Agent`` is one of them.
SenderHeaders = tuple[tuple[str, str], ...]

_USER_AGENT = "User-Agent"
#: What a delivery has of its own, in lower case.
_RESERVED = ("host", "content-type", "content-length", "transfer-encoding", "connection", "expect")
#: RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def read_header(line: str) -> tuple[str, str]:
    """Read a header as people write one.

    Args:
        line: Such as ``X-Api-Key: abc``.

    Returns:
        Its name and its value, without spaces around them.

    Raises:
        ValueError: It is none, or one that every delivery has already; the message shows no value.
    """
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not colon or not _TOKEN.fullmatch(name):
        raise ValueError("a header is written as NAME: VALUE, such as X-Api-Key: abc")
    if name.lower() in (*_RESERVED, SIGNATURE_HEADER.lower()):
        raise ValueError(f"{name} is written by the mock itself: `fault` in a script changes what it says")
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"the value of {name} must be printable ASCII, and not empty")
    return name, value


def sender_headers(user_agent: str, lines: Sequence[str]) -> SenderHeaders:
    """Return the headers of every request to a consumer.

    Args:
        user_agent: The User-Agent, where no line says otherwise.
        lines: Headers that can be read.
    """
    added = tuple(map(read_header, lines))
    if any(name.lower() == _USER_AGENT.lower() for name, _ in added):
        return added
    return ((_USER_AGENT, user_agent), *added)


def header_lines(headers: SenderHeaders) -> str:
    """Return headers as they are sent; each line ends with CRLF."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers)
