"""Faults of the body as a whole: too much of it, not what it says it is, or not what was signed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from mockserver.faults.fault import Fault, Parameter
from mockserver.faults.request_builder import Draft
from mockserver.model.fields import Size, Text, Whole

#: The largest body that a fault makes: 64 MiB.
MOST_BYTES = 64 * 1024 * 1024

_PADDING = b'"padding":""'
#: Any string of JSON text, and the colon after it if it is a key.
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?')
HEADER_TEXT = Text(
    pattern=r"[!-~](?:[ -~]*[!-~])?", expected="printable ASCII text with no space at either end", templates=True
)
#: The most bytes of a huge body that are searched for something to tamper with.
_SEARCHED = 65536
_WORD = re.compile(rb"[0-9A-Za-z]")


# --- more than expected, signed correctly


def _large_body(draft: Draft, size: int) -> None:
    at, comma = _end_of_data(draft.payload)
    gap = size - len(draft.payload)
    fill = gap - len(comma + _PADDING)
    if fill >= 0:
        _insert(draft, at, comma + _PADDING[:-1] + b"x" * fill + b'"')
    else:  # no room for a field; none at all if the payload is larger already
        _insert(draft, at, b" " * gap)


def _deep_nesting(draft: Draft, depth: int) -> None:
    at, comma = _end_of_data(draft.payload)
    _insert(draft, at, comma + b'"nested":' + b"[" * depth + b"]" * depth)


def _insert(draft: Draft, at: int, text: bytes) -> None:
    draft.payload = draft.payload[:at] + text + draft.payload[at:]


def _end_of_data(payload: bytes) -> tuple[int, bytes]:
    """Where another field of the data goes (of the payload, if the data is no object), and what is before it."""
    data = bytes(msgspec.json.decode(payload, type=dict[str, msgspec.Raw]).get("data", b""))
    at = payload.rindex(data) + len(data) - 1 if data.startswith(b"{") else payload.rindex(b"}")
    return at, b"" if payload[:at].rstrip().endswith(b"{") else b","


# --- not JSON, signed correctly


def _invalid_json(draft: Draft) -> None:
    at = draft.payload.rindex(b"}")
    draft.payload = draft.payload[:at] + b"]" + draft.payload[at + 1 :]


def _not_utf8(draft: Draft) -> None:
    at = draft.payload.index(b'"') + 1
    draft.payload = draft.payload[:at] + b"\xff" + draft.payload[at + 1 :]


def _empty_body(draft: Draft) -> None:
    draft.payload = b""


# --- not what was signed, or not what the header says


def _wrong_content_type(draft: Draft, type: str) -> None:  # noqa: A002 - the parameter's name in scripts
    draft.set_header("Content-Type", type.encode("ascii"))


def _tampered_body(draft: Draft) -> None:
    at = draft.chance.choice(_changeable(draft.payload))
    new = b"1" if draft.payload[at : at + 1] == b"0" else b"0"
    draft.body = draft.payload[:at] + new + draft.payload[at + 1 :]


def _changeable(payload: bytes) -> Sequence[int]:
    """Where the letters and digits of text values are, so that JSON stays JSON; if there are none, every byte."""
    strings = (found for found in _STRING.finditer(payload[:_SEARCHED]) if not found[2] and b"\\" not in found[1])
    places = [found.start(1) + word.start() for found in strings for word in _WORD.finditer(found[1])]
    return places or range(len(payload))


_BULK_FAULTS = (
    Fault(
        name="large_body",
        layer="body",
        doc="A field `padding` of the data makes the body exactly this large; a larger body stays as it is.",
        stage="payload",
        apply=_large_body,
        parameters=(Parameter(name="size", kind=Size(1, MOST_BYTES), doc="the body's bytes", default=1_000_000),),
        slot="bulk",
    ),
    Fault(
        name="deep_nesting",
        layer="body",
        doc="A field `nested` of the data holds lists within lists.",
        stage="payload",
        apply=_deep_nesting,
        parameters=(Parameter(name="depth", kind=Whole(1, 1_000_000), doc="how many levels", default=10_000),),
        slot="bulk",
    ),
)

_BROKEN_FAULTS = (
    Fault(
        name="invalid_json",
        layer="body",
        doc="The last `}` is a `]`; the signature is right.",
        stage="payload",
        apply=_invalid_json,
        slot="broken",
    ),
    Fault(
        name="not_utf8",
        layer="body",
        doc="The first letter of the first key is the byte 0xFF; the signature is right.",
        stage="payload",
        apply=_not_utf8,
        slot="broken",
    ),
    Fault(
        name="empty_body",
        layer="body",
        doc="There is no body, and the signature is that of no bytes at all.",
        stage="payload",
        apply=_empty_body,
        slot="broken",
    ),
)

BODY_FAULTS = (
    *_BULK_FAULTS,
    *_BROKEN_FAULTS,
    Fault(
        name="wrong_content_type",
        layer="body",
        doc="The Content-Type is not that of JSON.",
        stage="headers",
        apply=_wrong_content_type,
        parameters=(Parameter(name="type", kind=HEADER_TEXT, doc="the header's value", default="text/plain"),),
    ),
    Fault(
        name="tampered_body",
        layer="body",
        doc="One byte of the body was changed after signing: a letter or digit of a text value to 0, or a 0 to 1.",
        stage="body",
        apply=_tampered_body,
        forged=True,
    ),
)
