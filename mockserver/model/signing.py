"""The signature of a webhook delivery: made and compared here, and nowhere else.

The vendor documents it on the page "webhooks/create": header ``X-Playgent-Signature``, HMAC-SHA256, keyed with the
secret exactly as the caller gave it (nothing stripped, nothing decoded), over the raw bytes of the request body and
nothing else, written as ``sha256=`` and the digest in lower-case hex. Receivers compare in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

#: The request header that carries the signature.
SIGNATURE_HEADER = "X-Playgent-Signature"

#: What comes before the hex digest in the header's value.
PREFIX = "sha256="


def sign(payload: bytes, secret: str) -> str:
    """Return the signature header's value for a body.

    Args:
        payload: The raw bytes of the request body, as they are sent.
        secret: The webhook's secret, as it was given when the webhook was registered.

    Returns:
        ``sha256=`` followed by 64 lower-case hexadecimal digits.

    Raises:
        TypeError: ``payload`` is not bytes. Text has no signature: its encoding is part of what is signed.
    """
    __tracebackhide__ = True  # pytest ends at the line of the test
    if not isinstance(payload, _RAW):
        raise TypeError(f"payload must be bytes, not {type(payload).__name__}: sign the raw body as it is sent")
    inner, outer = _known(secret) if len(secret) <= _LONGEST_KNOWN else _new(secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update(payload)
    outer.update(inner.digest())
    digest: str = outer.hexdigest()
    return PREFIX + digest


def verify(payload: bytes, signature: str | None, secret: str) -> bool:
    """Return whether a signature header's value belongs to a body, comparing in constant time.

    Any value that a sender puts into the header gets an answer: text that is not ASCII, empty, of another
    length, in upper case, without the prefix or missing altogether (None) is simply not the signature.

    Args:
        payload: The raw bytes of the request body, before any parsing.
        signature: The value of the ``X-Playgent-Signature`` header.
        secret: The webhook's secret.

    Returns:
        True if the signature is the one that the vendor would have sent for these bytes.
    """
    __tracebackhide__ = True
    if not isinstance(signature, str):
        return False
    # compare_digest raises on text outside ASCII, so bytes are compared; surrogates come from undecodable headers.
    given = signature.encode(errors="surrogatepass")
    return hmac.compare_digest(sign(payload, secret).encode(), given)


_RAW = (bytes, bytearray, memoryview)
#: The block size of SHA-256, in bytes.
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
#: Longer secrets are not remembered: they would fill the memory.
_LONGEST_KNOWN = 1024


@lru_cache(maxsize=1024)
def _known(secret: str) -> tuple[Any, Any]:
    return _new(secret)


def _new(secret: str) -> tuple[Any, Any]:
    """The two hashes of an HMAC (RFC 2104), which have taken in the key: copying them is four times as fast as anew."""
    # A secret read from the environment may hold surrogates for bytes that are not UTF-8: give those bytes back.
    key = secret.encode(errors="surrogateescape")
    key = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return hashlib.sha256(key.translate(_INNER)), hashlib.sha256(key.translate(_OUTER))
