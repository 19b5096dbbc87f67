"""Wrong forms of what is signed: what consumers make of the body before they verify it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from mockserver.checks.signature_variants.variant import WrongForm

#: How the raw body is reached.
RAW_BODY = (
    "compute the HMAC over the bytes of the request as they came, before any parser: `request.get_data()` in Flask,"
    " `await request.body()` in FastAPI, `request.body` in Django, `express.raw()` in Express"
)

#: Text in which the spellings of JSON differ.
_TELLING = " Zoë 💸 </b> & \u2028"


def telling(data: dict[str, Any]) -> None:
    """Change the data of an event so that each spelling of its JSON is another text; its ids stay.

    Text of several words gets characters that not all spellings write alike, and numbers become whole floats.

    Args:
        data: The data, changed in place.
    """
    data.update({key: _telling(value) for key, value in data.items()})
    if "1.0" not in repr(data):
        data["score"] = 1.0


def _telling(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _telling(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_telling(item) for item in value]
    if isinstance(value, str):
        return value + _TELLING if " " in value else value
    return 1.0 if isinstance(value, float) else value


# ---------------------------------------------------------------- spellings of JSON


def python_json(value: Any, **style: Any) -> str:
    """Write JSON as ``json.dumps`` does."""
    return json.dumps(value, **style)


def compact_json(value: Any, **style: Any) -> str:
    """Write JSON without spaces, and with characters outside ASCII as they are."""
    return json.dumps(value, **{"ensure_ascii": False, "separators": (",", ":"), **style})


def javascript_json(value: Any, indent: int | None = None) -> str:
    """Write JSON as ``JSON.stringify`` does: there are no floats, so 1.0 is 1.

    Very large and very small numbers look otherwise there; the events here have none.
    """
    style: dict[str, Any] = {} if indent is None else {"indent": indent, "separators": (",", ": ")}
    return compact_json(_without_floats(value), **style)


def sorted_javascript_json(value: Any) -> str:
    """Write JSON as ``JSON.stringify`` does, with the keys in order."""
    return compact_json(_without_floats(value), sort_keys=True)


def go_json(value: Any) -> str:
    """Write JSON as Go's ``json.Marshal`` writes a map: keys in order, and nothing that HTML might read as a tag."""
    text = sorted_javascript_json(value)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def php_json(value: Any) -> str:
    """Write JSON as PHP's ``json_encode`` does: slashes escaped, and whatever is not ASCII."""
    return compact_json(value, ensure_ascii=True).replace("/", r"\/")


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_floats(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# ---------------------------------------------------------------- forms


def _message(name: str, mistake: str, message: Callable[[bytes], bytes], fix: str = RAW_BODY) -> WrongForm:
    return WrongForm(name=name, mistake=mistake, fix=fix, message=lambda signed: message(signed.body))


def _spelled(name: str, how: str, write: Callable[[Any], str]) -> WrongForm:
    """A form of a consumer that parses the body and writes it again."""
    mistake = f"verifies the body parsed and written again {how}, not the raw one"
    return _message(name, mistake, lambda body: write(json.loads(body)).encode("utf-8"))


def _data_alone(name: str, how: str, write: Callable[[Any], str]) -> WrongForm:
    mistake = f"verifies only the `data` of the event, written again {how}"
    return _message(name, mistake, lambda body: write(json.loads(body)["data"]).encode("utf-8"))


def _with_time_of_event(body: bytes) -> bytes:
    return str(json.loads(body)["timestamp"]).encode("utf-8") + b"." + body


COMMON_BODY_FORMS = (
    _spelled("python_json", "as `json.dumps` does it", python_json),
    _spelled("javascript_json", "as `JSON.stringify` does it", javascript_json),
    _spelled("sorted_compact", "without spaces and with its keys sorted", lambda v: compact_json(v, sort_keys=True)),
    _spelled("sorted_spaced", "by `json.dumps` with `sort_keys`", lambda value: python_json(value, sort_keys=True)),
    _message("empty", "verifies an empty body: something has read the stream before", lambda _: b""),
)

OTHER_BODY_FORMS = (
    _spelled(
        "python_json_unicode", "by `json.dumps` with `ensure_ascii=False`", lambda v: json.dumps(v, ensure_ascii=False)
    ),
    _spelled("compact_escaped", r"without spaces and with `\u` escapes", lambda v: compact_json(v, ensure_ascii=True)),
    _spelled("php_json", "as PHP's `json_encode` does it", php_json),
    _spelled("go_json", "as Go's `json.Marshal` writes a map", go_json),
    _spelled("sorted_javascript", "by `JSON.stringify` with its keys sorted", sorted_javascript_json),
    _spelled(
        "sorted_compact_escaped",
        r"with its keys sorted, without spaces and with `\u` escapes",
        lambda value: compact_json(value, ensure_ascii=True, sort_keys=True),
    ),
    _spelled("indented", "by `JSON.stringify` with an indent of 2", lambda value: javascript_json(value, indent=2)),
    _spelled("python_indented", "by `json.dumps` with an indent of 2", lambda value: python_json(value, indent=2)),
    _spelled("python_indented_4", "by `json.dumps` with an indent of 4", lambda value: python_json(value, indent=4)),
    _spelled("python_dict", "as Python shows a dict (`str` is not `json.dumps`)", str),
    _data_alone("data_compact", "without spaces", compact_json),
    _data_alone("data_javascript", "as `JSON.stringify` does it", javascript_json),
    _data_alone("data_python", "as `json.dumps` does it", python_json),
    _message("with_line_feed", "puts a line feed after the body", lambda body: body + b"\n"),
    _message(
        "javascript_object",
        "verifies the text `[object Object]`, which JavaScript makes of a parsed body",
        lambda _: b"[object Object]",
    ),
    _message(
        "json_text",
        "writes the body, which is JSON text already, as a JSON string",
        lambda body: compact_json(body.decode("utf-8")).encode("utf-8"),
    ),
    _message(
        "shown_as_bytes",
        "verifies the body with `b'` before it and `'` after it, which is how Python shows bytes",
        lambda body: str(body).encode("ascii"),
        "use the bytes as they are, and never turn them into text with `str()`",
    ),
    _message("body_in_base64", "verifies the body in base64", base64.b64encode),
    _message(
        "hash_of_the_body", "verifies the SHA-256 of the body in hex", lambda b: hashlib.sha256(b).hexdigest().encode()
    ),
    _message(
        "latin1",
        "reads the body as Latin-1 and writes it as UTF-8",
        lambda body: body.decode("latin-1").encode("utf-8"),
    ),
    _message("utf16", "verifies the body in UTF-16", lambda body: body.decode("utf-8").encode("utf-16-le")),
    _message("after_time_of_event", "puts the event's timestamp and a dot before the body", _with_time_of_event),
)
