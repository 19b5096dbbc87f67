"""The text that a script is read from: its limits, its places, and what its plain scalars mean.

A plain (unquoted) scalar is read by the core schema of YAML 1.2, as far as JSON has such values. So ``on``, ``yes``,
``12:30``, ``1_000``, ``0b1`` and dates are strings, and ``017`` is the number 17.
Source: YAML 1.2.2, section 10.3.2 "Tag Resolution".
"""

from __future__ import annotations

import codecs
import math
import re

from mockserver.errors import Problem
from mockserver.model.fields import Member
from mockserver.model.wording import shown

#: No source may have more bytes than this (16 MiB). A script of 10,000 steps has about one million.
MAX_BYTES = 16 * 1024 * 1024

#: Lists and objects may be nested this deep, aliases written out.
MAX_DEPTH = 64

#: A file may hold this many values, aliases written out: a script of 10,000 steps with 25 values each. So a hostile
#: file is recognised within about a second and 100 MB.
MAX_NODES = 250_000

TOO_DEEP = f"lists and objects are nested deeper than {MAX_DEPTH} levels here: is a bracket not closed?"
TOO_MANY_VALUES = f"the file has more than {MAX_NODES:,} values, aliases written out: use repeat instead of many steps"
EMPTY = "the file is empty: a script has at least a version and steps"

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_FOREIGN_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LINE_BREAK = re.compile("\r\n|[\r\n]")
_HALF = re.compile("[\ud800-\udfff]")
_LONE_HALF = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")


class UnreadableError(Exception):
    """The source cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def decoded(given: bytes | str) -> str:
    """Return the text of a source, without a byte order mark.

    Raises UnreadableError if it is too large, or not UTF-8.
    """
    if len(given) > MAX_BYTES:
        raise UnreadableError(Problem(0, 0, f"the file is too large: at most {MAX_BYTES // 1024**2} MiB are read"))
    if isinstance(given, str):
        half = _HALF.search(given)
        if half:
            raise UnreadableError(bad_character(given, half.start()))
        return given.removeprefix("\ufeff")
    for mark, name in _FOREIGN_MARKS:
        if given.startswith(mark):
            raise UnreadableError(Problem(0, 0, f"the file is written in {name}: save it as UTF-8"))
    source = given.removeprefix(codecs.BOM_UTF8)
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        message = f"byte 0x{source[error.start]:02x} is not UTF-8: save the file as UTF-8"
        before = source[: error.start].decode()
        raise UnreadableError(Problem(*place_of(before, len(before)), message)) from None


def place_of(text: str, index: int) -> tuple[int, int]:
    """Return line and column, both from 1, of the character with this index."""
    lines = _LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def bad_character(text: str, index: int) -> Problem:
    """Return the problem with a character."""
    code = ord(text[index])
    message = f"the character U+{code:04X} is not allowed in a YAML file"
    if not 0xD800 <= code <= 0xDFFF:
        message += f': remove it, or write it as "\\u{code:04x}" in double quotes'
    return Problem(*place_of(text, index), message)


def half_of_a_character(text: str) -> str:
    """Say what is wrong with a text in which half of a surrogate pair is on its own; empty if none is."""
    lone = _LONE_HALF.search(text)
    return f"\\u{ord(lone[0]):04x} is half of a character: such escapes are only allowed in pairs" if lone else ""


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

    Raises a ValueError, in words for the script's author, for a number that JSON or 64 bits cannot hold.
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
        f"the number {cut(text)} does not fit in 64 bits: allowed are {_LEAST} to {_GREATEST}; "
        "put quotes around it to make it text"
    )


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {cut(text)} is too large: a JSON number goes up to about 1.8e308")
    return number


def cut(text: str) -> str:
    """Return a text for a message, cut off where it gets long."""
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"


def twice(key: str, first: Member) -> str:
    """Return the problem of a key that an object has already."""
    return f"the key {shown(key)} is here twice: the first one is in line {first.key_line}"
