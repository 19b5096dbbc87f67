"""What a plain (unquoted) scalar means: the core schema of YAML 1.2, as far as JSON has such values.

So ``on``, ``yes``, ``12:30``, ``1_000``, ``0b1`` and dates are strings, and ``017`` is the number 17.
Source: YAML 1.2.2, section 10.3.2 "Tag Resolution".
"""

from __future__ import annotations

import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}

_LEAST, _GREATEST = -(2**63), 2**64 - 1
#: More digits than any 64-bit number has in base 8. Longer ones are not even converted: Python refuses, or is slow.
_MOST_DIGITS = 22


def resolve(text: str) -> bool | int | float | str | None:
    """Return the value of a plain scalar.

    Args:
        text: The scalar as it is written.

    Raises:
        ValueError: It is a number that JSON or 64 bits cannot hold; the message says so to the script's author.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_JSON.fullmatch(text):
        raise ValueError(f"JSON has no number {text}: use a finite number, or put quotes around it to make it text")
    return text


def _integer(text: str) -> int:
    base = _BASES.get(text[:2], 10)
    digits = (text[2:] if base != 10 else text.lstrip("+-")).lstrip("0")
    number = int(digits or "0", base) if len(digits) <= _MOST_DIGITS else math.inf
    if text[0] == "-":
        number = -number
    # Infinity fails the comparison, and only an int passes it.
    if isinstance(number, int) and _LEAST <= number <= _GREATEST:
        return number
    raise ValueError(
        f"the number {shortened(text)} does not fit in 64 bits: allowed are {_LEAST} to {_GREATEST}; "
        "put quotes around it to make it text"
    )


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {shortened(text)} is too large: a JSON number goes up to about 1.8e308")
    return number


def shortened(text: str) -> str:
    """Return a text for a message, cut off where it gets long."""
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
