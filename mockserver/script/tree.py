"""From the bytes of a script to a tree of nodes: JSON by the rules of JSON, anything else as YAML.

The two differ in ways that surprise: in JSON, a key may be of any length and its colon on the next line, and a
character beyond U+FFFF is written as two escapes. Python's own decoder reports no places, so values are put together
here; strings, which are most of a document, are read by its scanner in C.
"""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # not in the type stubs
from typing import Any

from mockserver.errors import Problem
from mockserver.model.fields import Member, Node, Reading, TooManyProblemsError
from mockserver.script.source import (
    MAX_DEPTH,
    MAX_NODES,
    TOO_DEEP,
    TOO_MANY_VALUES,
    UnreadableError,
    decoded,
    half_of_a_character,
    resolve,
    twice,
)
from mockserver.script.yaml_parser import HAS_LIBYAML
from mockserver.script.yaml_reader import read_yaml

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_BREAK = re.compile(r"\r\n|[\r\n]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"n": ("null", None), "t": ("true", True), "f": ("false", False)}


class _NotJsonError(ValueError):
    """The text is not JSON."""


def read_json(text: str, reading: Reading) -> Node | None:
    """Read a JSON object or list.

    Args:
        text: The text.
        reading: Where problems are noted: keys that occur twice, numbers of more than 64 bits.

    Returns:
        Its tree; None if it is not JSON, and then no problem is noted.

    Raises:
        UnreadableError: It is too large or nested too deeply.
        TooManyProblemsError: It has too many problems.
    """
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    known = len(reading.problems)
    try:
        return _JsonReader(text, reading).read()
    except (_NotJsonError, JSONDecodeError):
        del reading.problems[known:]
        return None


class _JsonReader:
    """Reads a text from its start to its end; `_line` and `_line_start` say where the last line began."""

    def __init__(self, text: str, reading: Reading) -> None:
        self._text = text
        self._reading = reading
        self._line = 1
        self._line_start = 0
        self._nodes = 0

    def read(self) -> Node:
        node, index = self._value(self._skip(0), 1)
        if self._skip(index) != len(self._text):
            raise _NotJsonError
        return node

    def _skip(self, index: int) -> int:
        """Return the index of the next character that is no white space."""
        following = self._text[index : index + 2]
        if not following[:1].isspace():
            return index
        end: int = _SPACE.match(self._text, index).end()  # type: ignore[union-attr]  # it always matches
        if following[0] != " " or end > index + 1:
            for found in _LINE_BREAK.finditer(self._text, index, end):
                self._line += 1
                self._line_start = found.end()
        return end

    def _value(self, index: int, depth: int) -> tuple[Node, int]:
        line, column = self._line, index - self._line_start + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise UnreadableError(Problem(line, column, TOO_MANY_VALUES))
        first = self._text[index : index + 1]
        if first == '"':
            value, end = self._string(index)
            return Node(line, column, value), end
        if first in ("{", "["):
            if depth > MAX_DEPTH:
                raise UnreadableError(Problem(line, column, TOO_DEEP))
            if first == "[":
                items, end = self._items(index + 1, depth)
                return Node(line, column, items), end
            members, end = self._members(index + 1, depth)
            return Node(line, column, members), end
        if first in _WORDS and self._text.startswith(_WORDS[first][0], index):
            word, meaning = _WORDS[first]
            return Node(line, column, meaning), index + len(word)
        number = _NUMBER.match(self._text, index)
        if number is None:
            raise _NotJsonError
        return Node(line, column, self._number(number[0], line, column)), number.end()

    def _items(self, index: int, depth: int) -> tuple[list[Node], int]:
        items: list[Node] = []
        index = self._skip(index)
        if self._text.startswith("]", index):
            return items, index + 1
        while True:
            item, index = self._value(index, depth + 1)
            items.append(item)
            index, closed = self._next(index, "]")
            if closed:
                return items, index

    def _members(self, index: int, depth: int) -> tuple[dict[str, Member], int]:
        members: dict[str, Member] = {}
        index = self._skip(index)
        if self._text.startswith("}", index):
            return members, index + 1
        while True:
            line, column = self._line, index - self._line_start + 1
            if not self._text.startswith('"', index):
                raise _NotJsonError
            key, index = self._string(index)
            index = self._skip(index)
            if not self._text.startswith(":", index):
                raise _NotJsonError
            node, index = self._value(self._skip(index + 1), depth + 1)
            if key in members:
                self._reading.problem_at(line, column, twice(key, members[key]))
            else:
                members[key] = Member(line, column, node)
            index, closed = self._next(index, "}")
            if closed:
                return members, index

    def _next(self, index: int, closing: str) -> tuple[int, bool]:
        """Return the index after a comma and white space, or that after the end of the list or object."""
        index = self._skip(index)
        following = self._text[index : index + 1]
        if following == closing:
            return index + 1, True
        if following != ",":
            raise _NotJsonError
        return self._skip(index + 1), False

    def _string(self, index: int) -> tuple[str, int]:
        text, end = scanstring(self._text, index + 1, True)
        wrong = "" if text.isascii() else half_of_a_character(text)
        if wrong:
            self._reading.problem_at(self._line, index - self._line_start + 1, wrong)
            return "\ufffd", end
        return text, end

    def _number(self, text: str, line: int, column: int) -> Any:
        try:
            return resolve(text)
        except ValueError as error:
            self._reading.problem_at(line, column, str(error))
            return 0  # a number, so that nothing else is said about this value


def read_tree(source: bytes | str, reading: Reading, *, libyaml: bool = HAS_LIBYAML) -> Node | None:
    """Read a YAML or JSON text. Never raises, whatever it holds.

    Args:
        source: UTF-8 bytes, or text.
        reading: Where everything that is wrong is noted, in the order of the text.
        libyaml: Whether libyaml may read it; the results are the same without.

    Returns:
        The text's value. It is there even when there are problems, as long as the text could be read to its end, so
        that more can be found; None otherwise.
    """
    try:
        text = decoded(source)
        node = read_json(text, reading)
        return read_yaml(text, reading, libyaml=libyaml) if node is None else node
    except UnreadableError as stop:
        reading.problems.append(stop.problem)
    except TooManyProblemsError:
        pass  # the last of them says so
    return None
