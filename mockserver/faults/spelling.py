"""Faults of the payload's JSON that are signed correctly: other fields than documented, or the same spelled otherwise.

A consumer that verifies the raw body accepts every one of these signatures; one that parses the body and verifies what
it writes out again refuses the respelled ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.faults.fault import Fault, Parameter
from mockserver.faults.request_builder import Draft
from mockserver.model.fields import Text
from mockserver.model.records import Event
from mockserver.model.sample_changes import PathError, change_sample
from mockserver.model.suggestions import did_you_mean

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
