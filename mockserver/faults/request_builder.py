"""The request of a delivery, byte for byte: the right one, and the one that faults have changed.

Documented: POST, the signature header, the raw body. Ours: the other headers and their order, which is the order that
curl uses, so that a dry run can print commands that send the same bytes.

Faults change a request stage by stage. The stages come in this order, and each fault may rely on what is ready:

``payload``
    The JSON, before it is signed: whatever a fault does here is signed correctly.
``headers``
    The headers, with the right signature of the payload.
``body``
    What is sent instead of what was signed.
``framing``
    The header that says where the body ends, and with it all headers.
``wire``
    The head as bytes; when each of them is written, and how the connection ends.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

import msgspec

from mockserver.faults.fault import ChosenFault, Stage
from mockserver.model.events import encode_payload
from mockserver.model.messages import Request, WireStep
from mockserver.model.records import Event
from mockserver.model.settings import SenderHeaders, header_lines
from mockserver.model.signing import SIGNATURE_HEADER, sign
from mockserver.model.targets import Target

CONTENT_TYPE = "application/json"


class Draft(msgspec.Struct):
    """A request in the making.

    ``payload`` is what is signed, at first the event's own. ``headers``, ``body``, ``content`` (how the body is
    written) and ``opening`` (how the head is) are empty until their stage; ``ending`` is what is done when all is
    written.
    """

    event: Event
    target: Target
    secret: str
    sender: SenderHeaders
    chance: random.Random
    payload: bytes
    body: bytes = b""
    headers: list[tuple[str, bytes]] = []
    opening: list[WireStep] = []
    content: list[WireStep] = []
    ending: list[WireStep] = []

    def header(self, name: str) -> bytes:
        """Return the value of a header that is there."""
        return next(value for known, value in self.headers if known == name)

    def set_header(self, name: str, *values: bytes) -> None:
        """Give a header other values, in its place: none takes it away, two make it come twice."""
        at = next(index for index, (known, _) in enumerate(self.headers) if known == name)
        self.headers[at : at + 1] = [(name, value) for value in values]


def build_request(
    event: Event,
    target: Target,
    secret: str,
    sender: SenderHeaders,
    faults: Sequence[ChosenFault] = (),
    chance: random.Random | None = None,
) -> Request:
    """Build the request of a delivery: every delivery's, with faults or without.

    Faults of the delivery as a whole change nothing here. The others draw from ``chance``, which is always the same
    source by default. Raises a UsageError if a fault changes a field that the payload does not have.
    """
    if faults:
        chance = chance or random.Random(0)  # noqa: S311 - repeatable on purpose
        return _with_faults(Draft(event, target, secret, sender, chance, event.payload), faults)
    payload = event.payload
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


def check_faults(event: str, data: Mapping[str, Any], faults: Sequence[ChosenFault]) -> None:
    """Raise a UsageError, before anything is sent, for faults that cannot be applied to an event's data.

    The data's templates need not be rendered.
    """
    if not faults:
        return
    payload = encode_payload(event, "2024-12-16T10:00:00Z", data)
    sample = Event(event, "2024-12-16T10:00:00Z", payload)
    build_request(sample, Target("http", "localhost", 80, "/"), "secret", (), faults)


def _with_faults(draft: Draft, faults: Sequence[ChosenFault]) -> Request:
    ordered = sorted(faults, key=lambda chosen: chosen.fault.position)
    for stage in get_args(Stage):
        _BEGIN[stage](draft)
        for chosen in ordered:
            if chosen.fault.stage == stage:
                chosen.apply(draft)
    return _request(draft, last=any(chosen.fault.layer != "delivery" for chosen in faults))


def _begin_payload(draft: Draft) -> None:
    """The payload is there from the start."""


def _begin_headers(draft: Draft) -> None:
    draft.headers = [
        ("Host", draft.target.authority.encode("ascii")),
        *((name, value.encode("ascii")) for name, value in draft.sender),
        ("Content-Type", CONTENT_TYPE.encode("ascii")),
        (SIGNATURE_HEADER, sign(draft.payload, draft.secret).encode("ascii")),
    ]


def _begin_body(draft: Draft) -> None:
    draft.body = draft.payload


def _begin_framing(draft: Draft) -> None:
    draft.headers.append(("Content-Length", str(len(draft.body)).encode("ascii")))
    draft.content = [draft.body]


def _begin_wire(draft: Draft) -> None:
    lines = [f"POST {draft.target.path} HTTP/1.1".encode("ascii")]
    lines += [name.encode("ascii") + b": " + value for name, value in draft.headers]
    draft.opening = [b"\r\n".join([*lines, b"", b""])]


_BEGIN = {
    "payload": _begin_payload,
    "headers": _begin_headers,
    "body": _begin_body,
    "framing": _begin_framing,
    "wire": _begin_wire,
}


def _request(draft: Draft, *, last: bool) -> Request:
    head = b"".join(step for step in draft.opening if isinstance(step, bytes))
    plan = _merged([*draft.opening, *draft.content, *draft.ending])
    return Request(draft.target, head, draft.body, () if plan == (head + draft.body,) else plan, last)


def _merged(steps: Sequence[WireStep]) -> tuple[WireStep, ...]:
    """Return the steps with adjacent bytes joined: what can go out in one write does."""
    merged: list[WireStep] = []
    for step in steps:
        before = merged[-1] if merged else None
        if isinstance(step, bytes) and isinstance(before, bytes):
            merged[-1] = before + step
        else:
            merged.append(step)
    return tuple(merged)
