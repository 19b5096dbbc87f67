"""The kinds of values that parameters of faults take: read, shown, described in words and as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mockserver.faults.fault import KindName, Parameter
from mockserver.model.durations import format_duration, parse_duration
from mockserver.model.suggestions import listed

_UNITS = {"GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "KiB": 2**10, "kB": 10**3, "B": 1}
_FACTORS = {"": 1, **{unit.lower(): factor for unit, factor in _UNITS.items()}}
_SIZE = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{0,3})\s*")
_HEADER_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class Kind(msgspec.Struct, frozen=True):
    """A kind of value.

    Args:
        read: Turns what was written into the value; ValueError if it is not of this kind. Limits are checked after it.
        show: Writes a value as it can be read again.
        expected: What a message says is allowed.
        schema: The JSON Schema.
    """

    read: Callable[[Any, Parameter], Any]
    show: Callable[[Any], str]
    expected: Callable[[Parameter], str]
    schema: Callable[[Parameter], dict[str, Any]]


def read_value(value: Any, parameter: Parameter) -> Any:
    """Read the value of a parameter.

    Raises:
        ValueError: It is not of the parameter's kind, or beyond its limits; the message says what is allowed.
    """
    kind = KINDS[parameter.kind]
    try:
        read = kind.read(value, parameter)
    except ValueError:
        read = None
    if read is None or (isinstance(read, (int, float)) and not parameter.low <= read <= parameter.high):
        raise ValueError(f"{parameter.name} must be {kind.expected(parameter)}, not {shown(value)}")
    return read


def show_value(value: Any, parameter: Parameter) -> str:
    """Write the value of a parameter as scripts do."""
    return KINDS[parameter.kind].show(value)


def parse_size(value: object) -> int:
    """Read a number of bytes: ``2MB`` (two million), ``64KiB`` (65536), or a bare number.

    Raises:
        ValueError: It is none of these, or not a whole number of bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not match or match[2].lower() not in _FACTORS:
        raise ValueError(f"{value!r} is not a size")
    size = float(match[1]) * _FACTORS[match[2].lower()]
    if not size.is_integer():
        raise ValueError(f"{value!r} is not a whole number of bytes")
    return int(size)


def show_size(size: int) -> str:
    """Write a number of bytes in the largest unit that needs no fraction."""
    unit = next(unit for unit, factor in _UNITS.items() if size % factor == 0 and (size or unit == "B"))
    return str(size) if unit == "B" else f"{size // _UNITS[unit]}{unit}"


def shown(value: Any) -> str:
    """Return what was written, for a message: a short value as it is, anything longer by its kind."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"an object with the keys {', '.join(map(str, value))}"[:80] if value else "an empty object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return text if len(text := repr(value)) <= 60 else f"{text[:57]}..."


def _read_count(value: Any, _: Parameter) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError


def _read_path(value: Any, _: Parameter) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError


def _read_text(value: Any, _: Parameter) -> str:
    if isinstance(value, str) and _HEADER_TEXT.fullmatch(value):
        return value
    raise ValueError


def _read_choice(value: Any, parameter: Parameter) -> str:
    if isinstance(value, str) and value in parameter.choices:
        return value
    raise ValueError


def _pattern(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, **more}


_NUMBER = r"[0-9]+(\.[0-9]+)?"

KINDS: dict[KindName, Kind] = {
    "duration": Kind(
        read=lambda value, _: parse_duration(value),
        show=format_duration,
        expected=lambda parameter: (
            f"a duration such as 250ms or 2s, {format_duration(parameter.low)} to {format_duration(parameter.high)}"
        ),
        schema=lambda parameter: {
            "anyOf": [
                {"type": "number", "minimum": parameter.low, "maximum": parameter.high},
                _pattern(rf"^\s*({_NUMBER}|({_NUMBER}(ms|s|m|h|d))+)\s*$", examples=["250ms", "2s"]),
            ]
        },
    ),
    "count": Kind(
        read=_read_count,
        show=str,
        expected=lambda parameter: f"a whole number from {parameter.low:.0f} to {parameter.high:.0f}",
        schema=lambda parameter: {"type": "integer", "minimum": parameter.low, "maximum": parameter.high},
    ),
    "size": Kind(
        read=lambda value, _: parse_size(value),
        show=show_size,
        expected=lambda parameter: (
            f"a size from {parameter.low:.0f} to {parameter.high:.0f} bytes, such as 2MB, 64KiB or 4096"
        ),
        schema=lambda parameter: {
            "anyOf": [
                {"type": "integer", "minimum": parameter.low, "maximum": parameter.high},
                _pattern(rf"^\s*{_NUMBER}\s*([KkMmGg][Ii]?)?[Bb]?\s*$", examples=["2MB", "64KiB"]),
            ]
        },
    ),
    "path": Kind(
        read=_read_path,
        show=str,
        expected=lambda _: "a key or dotted path, such as run_id or summary.turns_failed",
        schema=lambda _: _pattern(r"\S"),
    ),
    "text": Kind(
        read=_read_text,
        show=str,
        expected=lambda _: "printable ASCII text with no blank at either end",
        schema=lambda _: _pattern(r"^[!-~]([ -~]*[!-~])?$"),
    ),
    "choice": Kind(
        read=_read_choice,
        show=str,
        expected=lambda parameter: listed(parameter.choices),
        schema=lambda parameter: {"enum": list(parameter.choices)},
    ),
}
