"""Requests as they should be, made with nothing but the standard library."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

from mockserver.faults.registry import read_faults
from mockserver.faults.request_builder import build_request
from mockserver.model.messages import Request
from mockserver.model.records import Event
from mockserver.model.targets import Target

SECRET = "whsec_test"
TIMESTAMP = "2024-12-16T10:00:00Z"
DATA = {"run_id": "run_def456", "name": "Café 😀", "score": 0.5, "tags": ["a", {"deep": True}]}
PAYLOAD = {"event": "run.failed", "timestamp": TIMESTAMP, "data": DATA}
AGENT = "playgent-mockserver"
SENDER = (("User-Agent", AGENT),)


def compact(value: object, **options: Any) -> bytes:
    """JSON as the vendor sends it."""
    return json.dumps(value, **{"ensure_ascii": False, "separators": (",", ":"), **options}).encode()


BODY = compact(PAYLOAD)


def digest(body: bytes, secret: str = SECRET) -> str:
    """The hex digest that belongs in the signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def wire(
    host: str,
    body: bytes = BODY,
    *signatures: bytes,
    sent: bytes | None = None,
    kind: str = "application/json",
    framing: str = "",
) -> bytes:
    """A request's bytes: by default a correct one. No signature given means the right one of the body."""
    lines = ["POST /hooks HTTP/1.1", f"Host: {host}", f"User-Agent: {AGENT}", f"Content-Type: {kind}"]
    head = "\r\n".join([*lines, ""]).encode()
    for signature in signatures or (f"sha256={digest(body)}".encode(),):
        head += b"X-Playgent-Signature: " + signature + b"\r\n"
    head += (framing or f"Content-Length: {len(body)}").encode() + b"\r\n\r\n"
    return head + (body if sent is None else sent)


def event(payload: bytes = BODY, kind: str = "run.failed") -> Event:
    """An event with this payload."""
    return Event(kind, TIMESTAMP, payload)


def faulty(faults: object, url: str = "http://127.0.0.1:5000/hooks", payload: bytes = BODY, **options: Any) -> Request:
    """The request of a delivery with these faults, as scripts write them."""
    seed = options.pop("seed", 0)
    return build_request(
        event(payload, **options), Target.parse(url), SECRET, SENDER, read_faults(faults), random.Random(seed)
    )
