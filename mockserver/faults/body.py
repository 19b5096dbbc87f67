"""Faults of the body: signed correctly but not the documented JSON or spelled otherwise, or not what was signed.

A consumer that verifies the raw body accepts the signature of all of them but ``tampered_body``; one that parses the
body and verifies what it writes out again refuses the respelled ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.faults.fault import Fault, Parameter
from mockserver.faults.request_builder import Draft
from mockserver.model.events import PathError, change_sample
from mockserver.model.fields import Size, Text, Whole
from mockserver.model.records import Event
from mockserver.model.wording import did_you_mean

_FIRST_KEY = re.compile(rb'\{\s*("[^"\\]*")')
_UNEXPECTED = "unexpected_field"


def _spelled_like(original: bytes, compact: bytes) -> bytes:
    """JSON with the spacing of the payload that it was made from."""
    return msgspec.json.format(compact, indent=0) if original.startswith(b'{"event": ') else compact


def _rewrite(draft: Draft, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    changed = change(msgspec.json.decode(draft.payload))
    draft.payload = _spelled_like(draft.payload, msgspec.json.encode(changed))


# --- other fields


def _extra_fields(draft: Draft) -> None:
    def change(payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "data": {**payload["data"], _UNEXPECTED: {"list": [1, None]}}, _UNEXPECTED: "text"}

    _rewrite(draft, change)


def _missing_field(draft: Draft, field: str | None) -> None:
    _change_field(draft, field, lambda fields, path: change_sample(fields, {}, [path]))


def _null_field(draft: Draft, field: str | None) -> None:
    _change_field(draft, field, lambda fields, path: change_sample(fields, {path: None}, []))


def _wrong_type(draft: Draft, field: str | None) -> None:
    def change(fields: dict[str, Any], path: str) -> dict[str, Any]:
        without = change_sample(fields, {path: None}, [])
        return change_sample(without, {path: _of_another_type(_value_at(fields, path))}, [])

    _change_field(draft, field, change)


def _change_field(draft: Draft, field: str | None, change: Callable[[dict[str, Any], str], dict[str, Any]]) -> None:
    """Change a field of the data or, where that has none of this name, one beside it."""

    def rewritten(payload: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = payload["data"]
        path = _object_id(draft.event, data) if field is None else field
        try:
            return {**payload, "data": change(data, path)}
        except PathError:
            pass
        try:
            return change(payload, path)
        except PathError:
            there = (*data, *payload)
            known = f"there are {', '.join(there)}{did_you_mean(path, there)}"
            raise UsageError(f"{draft.event.type} has no field {path!r} that a fault could change; {known}") from None

    _rewrite(draft, rewritten)


def _object_id(event: Event, data: dict[str, Any]) -> str:
    """The field that holds the id of what an event is about: ``run_id`` for the runs; failing that, the first one."""
    expected = f"{event.type.partition('.')[0]}_id"
    return expected if expected in data else next(iter(data), "data")


def _value_at(fields: Any, path: str) -> Any:
    if path in fields:
        return fields[path]
    for part in path.split("."):
        fields = fields[int(part) if isinstance(fields, list) else part]
    return fields


def _of_another_type(value: Any) -> Any:
    return 12345 if isinstance(value, str) else msgspec.json.encode(value).decode()


# --- the same fields, spelled otherwise


def _sorted_keys(draft: Draft) -> None:
    ordered = msgspec.json.encode(msgspec.json.decode(draft.payload), order="sorted")
    draft.payload = _spelled_like(draft.payload, ordered)


def _duplicate_keys(draft: Draft) -> None:
    draft.payload = _spelled_like(draft.payload, _FIRST_KEY.sub(rb"{\1:null,\1", draft.payload, count=1))


def _spaced_json(draft: Draft) -> None:
    draft.payload = msgspec.json.format(draft.payload, indent=0)


def _pretty_json(draft: Draft) -> None:
    draft.payload = msgspec.json.format(draft.payload, indent=2)


def _escaped_unicode(draft: Draft) -> None:
    text = draft.payload.decode()
    if text.isascii():
        at = text.index('"') + 1
        text = f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}"
    draft.payload = re.sub("[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text).encode("ascii")


def _trailing_newline(draft: Draft) -> None:
    draft.payload += b"\n"


_FIELD = Parameter(
    name="field",
    kind=Text(expected="a key or dotted path, such as run_id or summary.turns_failed", templates=True),
    doc=(
        "a key or dotted path in `data`, or else a field beside it, such as `timestamp`; without it, the id of what"
        " the event is about (`run_id`, `evaluation_id`, `optimization_id`)"
    ),
)


def _fault(name: str, doc: str, apply: Callable[..., None], *parameters: Parameter, slot: str = "") -> Fault:
    """Return a fault that is signed correctly: one line for each below."""
    return Fault(name=name, layer="body", doc=doc, stage="payload", apply=apply, parameters=parameters, slot=slot)


#: In this order they are applied: first the fields, then how they are spelled.
PAYLOAD_FAULTS = (
    _fault(
        "extra_fields",
        f"The payload and its data each have a field that is not documented (`{_UNEXPECTED}`).",
        _extra_fields,
    ),
    _fault("missing_field", "A field is left out.", _missing_field, _FIELD, slot="field"),
    _fault("null_field", "A field is null.", _null_field, _FIELD, slot="field"),
    _fault(
        "wrong_type",
        "A field has a value of another type: a number for text, text for anything else.",
        _wrong_type,
        _FIELD,
        slot="field",
    ),
    _fault("sorted_keys", "The keys are in alphabetical order.", _sorted_keys),
    _fault("duplicate_keys", "The first key is there twice: first with null, then with its value.", _duplicate_keys),
    _fault("spaced_json", "A space follows each colon and comma.", _spaced_json, slot="spacing"),
    _fault("pretty_json", "The JSON is on many lines, indented by two spaces.", _pretty_json, slot="spacing"),
    _fault(
        "escaped_unicode",
        r"Characters outside ASCII are written as `\uXXXX`; when there are none, the first letter of the first key is.",
        _escaped_unicode,
    ),
    _fault("trailing_newline", "A line feed follows the JSON.", _trailing_newline),
)


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


_SIZE = Parameter(name="size", kind=Size(1, MOST_BYTES), doc="the body's bytes", default=1_000_000)
_DEPTH = Parameter(name="depth", kind=Whole(1, 1_000_000), doc="how many levels", default=10_000)

BODY_FAULTS = (
    _fault(
        "large_body",
        "A field `padding` of the data makes the body exactly this large; a larger body stays as it is.",
        _large_body,
        _SIZE,
        slot="bulk",
    ),
    _fault(
        "deep_nesting", "A field `nested` of the data holds lists within lists.", _deep_nesting, _DEPTH, slot="bulk"
    ),
    _fault("invalid_json", "The last `}` is a `]`; the signature is right.", _invalid_json, slot="broken"),
    _fault(
        "not_utf8",
        "The first letter of the first key is the byte 0xFF; the signature is right.",
        _not_utf8,
        slot="broken",
    ),
    _fault(
        "empty_body",
        "There is no body, and the signature is that of no bytes at all.",
        _empty_body,
        slot="broken",
    ),
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
