"""From the bytes of a script to a tree of nodes: JSON by the rules of JSON, anything else as YAML.

The two differ in ways that surprise: in JSON, a key may be of any length and its colon on the next line, and a
character beyond U+FFFF is written as two escapes. Python's own decoder reports no places, so values are put together
here; strings, which are most of a document, are read by its scanner in C.
"""

from __future__ import annotations

import re
from bisect import bisect_right
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

_LINE_BREAK = re.compile(r"\r\n|[\r\n]")
_SPACE = r"[ \t\r\n]*"
_PLAIN_STRING = r'"([^"\\\x00-\x1f]*)"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_KEY = re.compile(f"{_PLAIN_STRING}{_SPACE}:{_SPACE}")
_OPENING = re.compile(f"{_SPACE}[{{[]")
_COLON = re.compile(f"{_SPACE}:{_SPACE}")
#: What follows a value: a comma, the end of the list or object around it, or nothing.
_FOLLOWING = f"{_SPACE}([,\\]}}]?){_SPACE}"
_NEXT = re.compile(_FOLLOWING)
_SCALAR = re.compile(f"(?:{_PLAIN_STRING}|({_NUMBER})|(null|true|false)){_FOLLOWING}")
_WORDS = {"null": None, "true": True, "false": False}


class _NotJsonError(ValueError):
    """The text is not JSON."""


def read_json(text: str, reading: Reading) -> Node | None:
    """Return the tree of a JSON object or list; None if it is not JSON, and then no problem is noted.

    Problems are keys that occur twice, and numbers of more than 64 bits. Raises UnreadableError if it is too large or
    nested too deeply, TooManyProblemsError if it has too many problems.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return None
    known = len(reading.problems)
    try:
        return _JsonReader(text, reading).read(opening.end() - 1)
    except (_NotJsonError, JSONDecodeError):
        del reading.problems[known:]
        return None


class _JsonReader:
    """Reads a text from its start to its end.

    Each method that reads a part returns it, and the index of what follows it and white space.
    """

    def __init__(self, text: str, reading: Reading) -> None:
        self._text = text
        self._reading = reading
        self._lines = [0, *(found.end() for found in _LINE_BREAK.finditer(text)), len(text) + 1]  # where each begins
        self._line = 1
        self._nodes = 0

    def read(self, start: int) -> Node:
        node, end, following = self._value(start, 1)
        if following or end != len(self._text):
            raise _NotJsonError
        return node

    def _place(self, index: int) -> tuple[int, int]:
        if index >= self._lines[self._line]:
            self._line = bisect_right(self._lines, index)
        return self._line, index - self._lines[self._line - 1] + 1

    def _value(self, index: int, depth: int) -> tuple[Node, int, str]:
        """Read a value, and what is between it and the next."""
        line, column = self._place(index)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise UnreadableError(Problem(line, column, TOO_MANY_VALUES))
        opening = self._text[index : index + 1]
        value: Any
        if opening in ("[", "{"):
            if depth > MAX_DEPTH:
                raise UnreadableError(Problem(line, column, TOO_DEEP))
            value, index = (self._items if opening == "[" else self._members)(index + 1, depth + 1)
        elif scalar := _SCALAR.match(self._text, index):
            value, number, word, following = scalar.groups()
            if value is None:
                value = _WORDS[word] if word else self._number(number, line, column)
            return Node(line, column, value), scalar.end(), following
        elif opening == '"':
            value, index = self._string(index)
        else:
            raise _NotJsonError
        found = _NEXT.match(self._text, index)
        assert found is not None  # noqa: S101 - it matches nothing, too
        return Node(line, column, value), found.end(), found[1]

    def _items(self, index: int, depth: int) -> tuple[list[Node], int]:
        items: list[Node] = []
        index, following = self._begin(index, "]")
        while following == ",":
            item, index, following = self._value(index, depth)
            items.append(item)
        if following != "]":
            raise _NotJsonError
        return items, index

    def _members(self, index: int, depth: int) -> tuple[dict[str, Member], int]:
        members: dict[str, Member] = {}
        index, following = self._begin(index, "}")
        while following == ",":
            line, column = self._place(index)
            plain = _KEY.match(self._text, index)
            key, index = (plain[1], plain.end()) if plain else self._escaped_key(index)
            node, index, following = self._value(index, depth)
            if key in members:
                self._reading.problem_at(line, column, twice(key, members[key]))
            else:
                members[key] = Member(line, column, node)
        if following != "}":
            raise _NotJsonError
        return members, index

    def _begin(self, index: int, closing: str) -> tuple[int, str]:
        """Return where the first item is, as if after a comma; for an empty list, its end."""
        found = _NEXT.match(self._text, index)
        if found is None or found[1] not in ("", closing):
            raise _NotJsonError
        return found.end(), found[1] or ","

    def _escaped_key(self, index: int) -> tuple[str, int]:
        if not self._text.startswith('"', index):
            raise _NotJsonError
        key, index = self._string(index)
        colon = _COLON.match(self._text, index)
        if colon is None:
            raise _NotJsonError
        return key, colon.end()

    def _string(self, index: int) -> tuple[str, int]:
        text, end = scanstring(self._text, index + 1, True)
        wrong = "" if text.isascii() else half_of_a_character(text)
        if wrong:
            self._reading.problem_at(*self._place(index), wrong)
            return "\ufffd", end
        return text, end

    def _number(self, text: str, line: int, column: int) -> Any:
        if len(text) <= 18 and text.isdecimal():  # nearly all are
            return int(text)
        try:
            return resolve(text)
        except ValueError as error:
            self._reading.problem_at(line, column, str(error))
            return 0  # a number, so that nothing else is said about this value


def read_tree(source: bytes | str, reading: Reading, *, libyaml: bool = HAS_LIBYAML) -> Node | None:
    """Return the tree of a YAML or JSON text, noting what is wrong in the order of the text. Never raises.

    The tree is there even when there are problems, as long as the text could be read to its end, so that more can be
    found; None otherwise. Without ``libyaml``, the results are the same.
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
