"""What a planned answer of the vendor API may say, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.model.fields import Duration, Field, Fields, MapOf, ObjectOf, Text, Whole, YesOrNo, read_plain

_NO_BODY = (204, 304)
_FRAMING = ("content-length", "transfer-encoding")

#: What a planned answer says, except for its body.
PLANNED_ANSWER_FIELDS: Fields = {
    "status": Field(Whole(200, 599), "the HTTP status; one below 400 needs a body, except for 204 and 304"),
    "times": Field(Whole(1), "how many calls are answered this way, one after another"),
    "headers": Field(
        MapOf(
            Text(pattern=r"[\t\x20-\x7e\x80-\xff]*", expected="text on one line", templates=True, empty=True),
            "headers",
            key="[!#$%&'*+.^_`|~0-9A-Za-z-]+",
            names="the name of a header",
        ),
        "headers to add, or to replace the API's own with",
    ),
    "delay": Field(Duration(0, 3600), "how long to wait before answering, in real time"),
    "refuse": Field(YesOrNo(), "whether the connection is cut off instead, without an answer"),
}


def read_planned_answer(given: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Return the fields of an answer; a UsageError says what is wrong with one."""
    try:
        values = read_plain(given, ObjectOf(PLANNED_ANSWER_FIELDS, "a planned answer"))
    except ValueError as error:
        raise UsageError(str(error)) from None
    _check_answer(values, body)
    headers = tuple(values["headers"].items())
    return {**values, "headers": headers, "body": None if body is None else _as_bytes(body)}


def _check_answer(values: Mapping[str, Any], body: Any) -> None:
    """Refuse what no answer can be."""
    status = values["status"]
    if status in _NO_BODY and body is not None:
        raise UsageError(f"an answer with status {status} has no body: leave body out")
    if status < 400 and status not in _NO_BODY and body is None:
        raise UsageError(f"status {status} is no error, so the answer needs a body of its own: give body as well")
    for name in values["headers"]:
        if name.lower() in _FRAMING:
            raise UsageError(f"{name} cannot be planned: it follows from the body")


def _as_bytes(body: Any) -> bytes:
    try:
        if isinstance(body, (bytes, bytearray, str)):
            return body.encode() if isinstance(body, str) else bytes(body)
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"body cannot be sent: {error}") from None
