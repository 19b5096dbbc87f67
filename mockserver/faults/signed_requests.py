"""The request of a delivery: head and body, byte for byte.

Documented: POST, the signature header, the raw body. Ours: the other headers and their order, which is the order that
curl uses, so that a dry run can print commands that send the same bytes.
"""

from __future__ import annotations

from functools import lru_cache

from mockserver.model.messages import Request
from mockserver.model.sender_headers import SenderHeaders, header_lines
from mockserver.model.signing import SIGNATURE_HEADER, sign
from mockserver.model.targets import Target

CONTENT_TYPE = "application/json"


def signed_request(target: Target, payload: bytes, secret: str, sender: SenderHeaders) -> Request:
    """Build the signed request of a delivery.

    Args:
        target: Where it goes.
        payload: The body, as it is signed and sent.
        secret: The webhook's secret.
        sender: The headers that say who sends it, and what the user adds.
    """
    head = f"{_opening(target, sender)}{sign(payload, secret)}\r\nContent-Length: {len(payload)}\r\n\r\n"
    return Request(target, head.encode("ascii"), payload)


@lru_cache(maxsize=1024)
def _opening(target: Target, sender: SenderHeaders) -> str:
    """Everything before the signature: the same for all deliveries to one target."""
    return (
        f"POST {target.path} HTTP/1.1\r\n"
        f"Host: {target.authority}\r\n"
        f"{header_lines(sender)}"
        f"Content-Type: {CONTENT_TYPE}\r\n"
        f"{SIGNATURE_HEADER}: "
    )
