"""The text that a script is read from: that it is text at all, how large it may be, and where its places are."""

from __future__ import annotations

import codecs
import re

from mockserver.errors import Problem

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
    """The source cannot be read any further.

    Args:
        problem: Why.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def decoded(given: bytes | str) -> str:
    """Return the text of a source, without a byte order mark.

    Raises:
        UnreadableError: It is too large, or not UTF-8.
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
    """Return the problem that a character is."""
    code = ord(text[index])
    message = f"the character U+{code:04X} is not allowed in a YAML file"
    if not 0xD800 <= code <= 0xDFFF:
        message += f': remove it, or write it as "\\u{code:04x}" in double quotes'
    return Problem(*place_of(text, index), message)


def half_of_a_character(text: str) -> str:
    """Say what is wrong with a text in which half of a surrogate pair is on its own; empty if none is."""
    lone = _LONE_HALF.search(text)
    return f"\\u{ord(lone[0]):04x} is half of a character: such escapes are only allowed in pairs" if lone else ""
