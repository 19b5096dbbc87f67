"""Faults of the transport: how the bytes of a request are framed and written. The signature is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mockserver.faults.body import MOST_BYTES
from mockserver.faults.fault import Fault, Parameter, Stage
from mockserver.faults.request_builder import Draft
from mockserver.model.fields import Duration, OneOf, Size, Whole
from mockserver.model.messages import AwaitContinue, Close, Pause, WireStep

#: A dripping message comes in this many pieces, or in one piece a second if that makes more.
PIECES = 20

_LONGEST = 3600.0


def _pieces(data: bytes, count: int) -> list[bytes]:
    """Data in about equal pieces, none of them empty."""
    count = min(count, len(data))
    return [data[index * len(data) // count : (index + 1) * len(data) // count] for index in range(count)]


def _dripping(steps: Sequence[WireStep], over: float) -> list[WireStep]:
    """Steps in which the bytes come in pieces, with a pause before each."""
    dripping: list[WireStep] = []
    for step in steps:
        if isinstance(step, bytes):
            pieces = _pieces(step, max(PIECES, math.ceil(over)))
            dripping += (part for piece in pieces for part in (Pause(over / len(pieces)), piece))
        else:
            dripping.append(step)
    return dripping


# --- how the body is framed, and how the headers are written


def _chunked(draft: Draft, chunks: int) -> None:
    at = next(index for index, (name, _) in enumerate(draft.headers) if name == "Content-Length")
    draft.headers[at] = ("Transfer-Encoding", b"chunked")
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in _pieces(draft.body, chunks)]
    draft.content = [b"".join([*framed, b"0\r\n\r\n"])]


def _expect_continue(draft: Draft, within: float) -> None:
    draft.headers.append(("Expect", b"100-continue"))
    draft.content.insert(0, AwaitContinue(within))


def _lowercase_headers(draft: Draft) -> None:
    draft.headers = [(name.lower(), value) for name, value in draft.headers]


# --- when the bytes are written, and how the connection ends


def _truncated_body(draft: Draft, after: int | None) -> None:
    whole = len(draft.body)
    sent = draft.body = draft.body[: min(whole // 2 if after is None else after, whole - 1)]
    draft.content = [sent if isinstance(step, bytes) else step for step in draft.content]
    draft.ending = [Close(message=f"closed on purpose after {len(sent)} of {whole} bytes of body (truncated_body)")]


def _slow_headers(draft: Draft, over: float) -> None:
    draft.opening = _dripping(draft.opening, over)


def _slow_body(draft: Draft, over: float) -> None:
    draft.content = _dripping(draft.content, over)


def _disconnect(draft: Draft, how: str) -> None:
    verb = "reset" if how == "reset" else "closed"
    draft.ending = [Close(how == "reset", f"{verb} on purpose before the answer was read (disconnect)")]


_OVER = Parameter(name="over", kind=Duration(0.001, _LONGEST), doc="how long it takes", default=2.0)
_AFTER = Parameter(
    name="after",
    kind=Size(0, MOST_BYTES),
    doc="how many bytes are sent, at most all but one; without it, half of them",
)
_CHUNKS = Parameter(name="chunks", kind=Whole(1, 10_000), doc="how many chunks", default=3)
_WITHIN = Parameter(
    name="within",
    kind=Duration(0.0, _LONGEST),
    doc="how long it waits; then the body is sent all the same",
    default=1.0,
)
_HOW = Parameter(
    name="how",
    kind=OneOf("close", "reset"),
    doc="`close` (in an orderly way) or `reset`",
    default="close",
)


def _fault(  # one line for each fault below
    name: str, doc: str, stage: Stage, apply: Callable[..., None], *parameters: Parameter, slot: str = ""
) -> Fault:
    return Fault(name=name, layer="transport", doc=doc, stage=stage, apply=apply, parameters=parameters, slot=slot)


TRANSPORT_FAULTS = (
    _fault("chunked", "The body comes in chunks (Transfer-Encoding: chunked).", "framing", _chunked, _CHUNKS),
    _fault(
        "expect_continue",
        "The body waits for the answer 100 Continue (Expect: 100-continue).",
        "framing",
        _expect_continue,
        _WITHIN,
    ),
    _fault("lowercase_headers", "All header names are in lower case.", "framing", _lowercase_headers),
    _fault(
        "truncated_body",
        "Less of the body comes than Content-Length says, then the connection is closed.",
        "wire",
        _truncated_body,
        _AFTER,
        slot="ending",
    ),
    _fault("slow_headers", "The head of the request comes in small pieces.", "wire", _slow_headers, _OVER),
    _fault("slow_body", "The body comes in small pieces.", "wire", _slow_body, _OVER),
    _fault(
        "disconnect",
        "The whole request is sent, then the connection is closed before the answer is read.",
        "wire",
        _disconnect,
        _HOW,
        slot="ending",
    ),
)
