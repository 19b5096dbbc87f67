"""The vocabulary of fields: kinds of values, and tables of keys.

A kind reads a node of a YAML or JSON file into a value, notes every problem at its place, and describes itself as JSON
Schema. So whatever people write (scripts, faults, retry policies, bodies of the control API, arguments of Python calls)
is described once, in a table, and its reader, its messages and its schema cannot disagree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mockserver.errors import Problem, UsageError
from mockserver.model.quantities import (
    DURATION_FORMS,
    LONGEST,
    format_duration,
    parse_duration,
    parse_size,
    parse_timestamp,
    show_size,
)
from mockserver.model.targets import Target
from mockserver.model.wording import cut_short, did_you_mean, listed, shown


class Node(msgspec.Struct, gc=False):
    """One value of a file, and where it starts: line and column, in characters, counted from 1.

    Lists hold nodes, objects hold members. In place of an alias, the tree holds the very node of the anchor: it is
    shared, not copied, and its place is the anchor's.
    """

    line: int
    column: int
    value: bool | int | float | str | list[Node] | dict[str, Member] | None

    def plain(self) -> Any:
        """Return the value as plain Python; trees are limited in depth and size, so this ends soon."""
        value = self.value
        if isinstance(value, dict):
            return {key: member.node.plain() for key, member in value.items()}
        if isinstance(value, list):
            return [item.plain() for item in value]
        return value


class Member(msgspec.Struct, gc=False):
    """One key of an object, where it starts, and its value."""

    key_line: int
    key_column: int
    node: Node


Schema = dict[str, Any]

#: What a kind returns for a node that is not valid; a problem is noted then.
INVALID: Any = object()

#: After this many problems, reading stops.
MOST_PROBLEMS = 100

#: Only this much of a wrong word is compared with the known ones: comparing a long text takes long.
_LONGEST_WORD = 64


class TooManyProblemsError(Exception):
    """Reading stops: there are more problems than anyone reads at once. All of those before it are noted."""


class Reading:
    """One reading: the event types and retry policies that may be named, and the problems so far."""

    def __init__(
        self, problems: list[Problem], events: tuple[str, ...] = (), policies: Mapping[str, Any] | None = None
    ) -> None:
        self.problems = problems
        self.events = events
        self.policies = policies or {}

    def problem(self, place: Node, message: str) -> None:
        """Note a problem at a node's place."""
        self.problem_at(place.line, place.column, message)

    def problem_at(self, line: int, column: int, message: str) -> None:
        """Note a problem at a place; raises TooManyProblemsError when there are too many to read on."""
        if len(self.problems) >= MOST_PROBLEMS:
            self.problems.append(Problem(line, column, "there are more problems from here on: fix these first"))
            raise TooManyProblemsError
        self.problems.append(Problem(line, column, message))


class Kind:
    """A kind of value. A simple one defines ``expected``, ``parse`` and ``schema``; any other overrides ``read``."""

    #: What a message says is allowed.
    expected: str = "another value"

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the value of a node; INVALID if it is not valid, and a problem is noted."""
        try:
            return self.parse(node.value)
        except ValueError:
            reading.problem(node, f"expected {self.expected}, not {described(node)}")
            return INVALID

    def parse(self, value: Any) -> Any:
        """Return what a plain value means; raises a ValueError if it is not of this kind."""
        raise NotImplementedError

    def show(self, value: Any) -> str:
        """Return a value of this kind as it can be written."""
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON Schema of this kind."""
        raise NotImplementedError


class Field(msgspec.Struct, frozen=True):
    """A key of an object: the kind of its value, what it is for, and whether it must be there."""

    kind: Kind
    doc: str
    required: bool = False


Fields = Mapping[str, Field]


class Text(Kind):
    """A string that is not empty, in which templates mean nothing.

    A ``secret`` is not shown in messages; ``pattern`` is a regular expression without anchors; with ``templates``,
    braces are text like any other, and not a mistake.
    """

    def __init__(
        self,
        *,
        secret: bool = False,
        pattern: str | None = None,
        expected: str = "text",
        templates: bool = False,
        empty: bool = False,
    ) -> None:
        self.expected = expected
        self._empty = empty
        self._secret = secret
        self._pattern = pattern
        self._templates = templates

    def read(self, node: Node, reading: Reading) -> Any:
        value = node.value
        if not isinstance(value, str) or (self._pattern is not None and not re.fullmatch(self._pattern, value)):
            reading.problem(node, f"expected {self.expected}, not {described(node, secret=self._secret)}")
        elif not value.strip() and not self._empty:
            reading.problem(node, f"expected {self.expected}, not an empty string")
        elif "{{" in value and not self._templates:
            reading.problem(node, "templates work in the strings of data and override only")
        else:
            return value
        return INVALID

    def parse(self, value: Any) -> str:
        fits = isinstance(value, str) and (self._pattern is None or re.fullmatch(self._pattern, value))
        if fits and (self._empty or value.strip()):
            return str(value)
        raise ValueError

    def schema(self) -> Schema:
        least = {} if self._empty else {"minLength": 1}
        return {"type": "string", **least, **({"pattern": f"^{self._pattern}$"} if self._pattern else {})}


class Url(Kind):
    """An absolute http or https URL that can be delivered to."""

    def read(self, node: Node, reading: Reading) -> Any:
        text = Text().read(node, reading)
        if text is INVALID:
            return INVALID
        try:
            Target.parse(text)
        except UsageError as error:
            reading.problem(node, f"{error}; expected a URL such as http://localhost:3000/webhooks/playgent")
            return INVALID
        return text

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^https?://"}


class Whole(Kind):
    """A whole number in a range; 2.0 is the whole number 2, as in JSON."""

    def __init__(self, low: int, high: int | None = None) -> None:
        self.low = low
        self.high = high
        self.expected = f"a whole number from {low}" + ("" if high is None else f" to {high}")

    def parse(self, value: Any) -> int:
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, int) and not isinstance(number, bool) and _between(number, self.low, self.high):
            return number
        raise ValueError

    def schema(self) -> Schema:
        example = {"examples": [self.low]} if self.low else {}  # editors would insert 0
        return {"type": "integer", **_limits(self.low, self.high), **example}


class Number(Kind):
    """A number, whole or not, in a range."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low = low
        self.high = high
        self.expected = "a number"
        if low is not None:
            self.expected += f" from {low:g}" + ("" if high is None else f" to {high:g}")

    def parse(self, value: Any) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and math.isfinite(value) and _between(value, self.low, self.high):
            return value  # type: ignore[no-any-return]  # what is a number has been seen
        raise ValueError

    def schema(self) -> Schema:
        return {"type": "number", **_limits(self.low, self.high)}


class YesOrNo(Kind):
    """True or false."""

    expected = "true or false"

    def parse(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValueError

    def schema(self) -> Schema:
        return {"type": "boolean"}


class Duration(Kind):
    """A duration in a range, in seconds."""

    def __init__(self, low: float = 0.0, high: float = LONGEST) -> None:
        self.low = low
        self.high = high
        bounded = (low, high) != (0.0, LONGEST)
        span = f"a duration such as 250ms or 2s, {format_duration(low)} to {format_duration(high)}"
        self.expected = span if bounded else DURATION_FORMS

    def parse(self, value: Any) -> float:
        seconds = parse_duration(value)
        if self.low <= seconds <= self.high:
            return seconds
        raise ValueError

    def read(self, node: Node, reading: Reading) -> Any:
        try:
            return self.parse(node.value)
        except ValueError as error:
            most = " (ten years at most)" if "ten years" in str(error) else ""
            reading.problem(node, f"expected {self.expected}{most}, not {described(node)}")
            return INVALID

    def show(self, value: Any) -> str:
        return format_duration(value)

    def schema(self) -> Schema:
        number = r"[0-9]+(\.[0-9]+)?"
        return {
            "type": ["number", "string"],
            **_limits(self.low, self.high),
            "pattern": rf"^\s*({number}|({number}(ms|s|m|h|d))+)\s*$",
            **_editor_message(self.expected),
            "examples": ["250ms", "2s", "1m30s", "2h", 5],
        }


class Timestamp(Kind):
    """A moment in whole seconds since 1970: the vendor's timestamps have no fraction."""

    expected = "an ISO 8601 timestamp in whole seconds, such as 2024-12-16T10:00:00Z"

    def parse(self, value: Any) -> float:
        seconds = parse_timestamp(value)
        if seconds.is_integer():
            return seconds
        raise ValueError

    def schema(self) -> Schema:
        return {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].{1,30})?$",
            **_editor_message(self.expected),
            "examples": ["2024-12-16T10:00:00Z"],
        }


class Size(Kind):
    """A number of bytes in a range, such as ``2MB``, ``64KiB`` or 4096."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high
        self.expected = f"a size from {low} to {high} bytes, such as 2MB, 64KiB or 4096"

    def parse(self, value: Any) -> int:
        size = parse_size(value)
        if self.low <= size <= self.high:
            return size
        raise ValueError

    def show(self, value: Any) -> str:
        return show_size(value)

    def schema(self) -> Schema:
        return {
            "type": ["integer", "string"],
            **_limits(self.low, self.high),
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMmGg][Ii]?)?[Bb]?\s*$",
            **_editor_message(self.expected),
            "examples": ["2MB", "64KiB"],
        }


class OneOf(Kind):
    """One of a few words or numbers."""

    def __init__(self, *choices: str | int) -> None:
        self._choices = choices
        self.expected = listed(map(str, choices))

    def read(self, node: Node, reading: Reading) -> Any:
        try:
            return self.parse(node.value)
        except ValueError:
            hint = hint_for(node.value, map(str, self._choices))
            reading.problem(node, f"expected {self.expected}, not {described(node)}{hint}")
            return INVALID

    def parse(self, value: Any) -> Any:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in self._choices:
            return value
        raise ValueError

    def schema(self) -> Schema:
        return {"enum": list(self._choices)}


class EventName(Kind):
    """An event type: a documented one, or one that the script lists under extra_events."""

    def read(self, node: Node, reading: Reading) -> Any:
        value = node.value
        if isinstance(value, str) and value in reading.events:
            return value
        reading.problem(
            node,
            f"unknown event {described(node)}; known are {', '.join(reading.events)}"
            f" (others must be listed under extra_events){hint_for(value, reading.events)}",
        )
        return INVALID

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


class OrNull(Kind):
    """A value of a kind, or null."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def read(self, node: Node, reading: Reading) -> Any:
        return None if node.value is None else self._kind.read(node, reading)

    def schema(self) -> Schema:
        schema = self._kind.schema()
        types = schema.get("type")
        if types is None:
            return {"anyOf": [schema, {"type": "null"}]}
        return {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]}


class ListOf(Kind):
    """A list of values of one kind."""

    def __init__(self, kind: Kind, *, non_empty: bool = False, most: int | None = None) -> None:
        self._kind = kind
        self._non_empty = non_empty
        self._most = most

    def read(self, node: Node, reading: Reading) -> Any:
        if not isinstance(node.value, list):
            reading.problem(node, f"expected a list, not {described(node)}")
            return INVALID
        if self._non_empty and not node.value:
            reading.problem(node, "expected a list with at least one item, not an empty one")
        if self._most is not None and len(node.value) > self._most:
            reading.problem(node, f"expected a list of at most {self._most} items, not of {len(node.value)}")
            return INVALID
        values = (self._kind.read(item, reading) for item in node.value)
        return tuple(value for value in values if value is not INVALID)

    def schema(self) -> Schema:
        least = {"minItems": 1} if self._non_empty else {}
        most = {} if self._most is None else {"maxItems": self._most}
        return {"type": "array", "items": self._kind.schema(), **least, **most}


class MapOf(Kind):
    """An object with the user's own keys, and values of one kind.

    Messages call it ``title``, such as ``headers``, and its keys ``names``, such as ``the name of a header``; ``key``
    is a regular expression without anchors.
    """

    def __init__(self, kind: Kind, title: str, *, key: str | None = None, names: str = "a key") -> None:
        self._names = names
        self._kind = kind
        self._title = title
        self._key = key

    def read(self, node: Node, reading: Reading) -> Any:
        if not isinstance(node.value, dict):
            reading.problem(node, f"expected {self._title} as an object (name: value), not {described(node)}")
            return INVALID
        values: dict[str, Any] = {}
        for name, member in node.value.items():
            if self._key is not None and not re.fullmatch(self._key, name):
                reading.problem_at(member.key_line, member.key_column, f"{shown(name)} is not {self._names}")
                continue
            value = self._kind.read(member.node, reading)
            if value is not INVALID:
                values[name] = value
        return values

    def schema(self) -> Schema:
        names = {} if self._key is None else {"propertyNames": {"pattern": f"^{self._key}$"}}
        return {"type": "object", **names, "additionalProperties": self._kind.schema()}


class JsonObject(Kind):
    """Any JSON object: the keys are the user's own."""

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node.value, dict):
            return node.plain()
        reading.problem(node, f"expected an object (key: value), not {described(node)}")
        return INVALID

    def schema(self) -> Schema:
        return {"type": "object"}


class JsonValue(Kind):
    """Any JSON value."""

    def read(self, node: Node, reading: Reading) -> Any:  # noqa: ARG002 - no value can be a problem
        return node.plain()

    def schema(self) -> Schema:
        return {}


class ObjectOf(Kind):
    """An object with known keys; messages call it ``title``, such as ``the webhook``."""

    def __init__(self, fields: Fields, title: str) -> None:
        self._fields = fields
        self._title = title

    def read(self, node: Node, reading: Reading) -> Any:
        values = read_object(node, self._fields, reading, self._title)
        return INVALID if values is None else values

    def schema(self) -> Schema:
        return object_schema(self._fields)


def read_object(node: Node, fields: Fields, reading: Reading, title: str) -> dict[str, Any] | None:
    """Return the valid values of an object with known keys; None if it is not an object at all.

    Unknown keys, missing ones and invalid values are noted as problems.
    """
    if not isinstance(node.value, dict):
        reading.problem(node, f"expected {title} as an object (key: value), not {described(node)}")
        return None
    values: dict[str, Any] = {}
    for key, member in node.value.items():
        if key in fields:
            value = fields[key].kind.read(member.node, reading)
            if value is not INVALID:
                values[key] = value
        else:
            known = ", ".join(fields) or "none"
            message = f"unknown key {shown(key)} in {title}; known are {known}{hint_for(key, fields)}"
            reading.problem_at(member.key_line, member.key_column, message)
    for key, field in fields.items():
        if field.required and key not in node.value:
            reading.problem(node, f"{title} needs the key {key!r}: {field.doc}")
    return values


def object_schema(fields: Fields, **more: Any) -> Schema:
    """Return the JSON Schema of an object with known keys; ``more`` is what else it says, such as a title."""
    properties = {key: {"description": field.doc, **field.kind.schema()} for key, field in fields.items()}
    required = [key for key, field in fields.items() if field.required]
    schema: Schema = {"type": "object", **more, "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def read_plain(value: Any, kind: Kind, reading: Reading | None = None, name: str = "") -> Any:
    """Read a plain Python value (None, bool, int, float, str, list, tuple or mapping) as a kind reads a node.

    ``name`` is how messages name the value; what is in it follows as a path, such as ``retry.schedule[1]``. The
    problems of ``reading`` stay untouched: a ValueError has a line for each problem of this value.
    """
    places = [name]
    try:
        node = _numbered(value, name, places, 1)
    except RecursionError:
        raise ValueError(f"{name or 'the value'} is nested too deeply, or holds itself") from None
    known = reading or Reading([])
    found = Reading([], known.events, known.policies)
    try:
        result = kind.read(node, found)
    except TooManyProblemsError:
        result = INVALID
    if found.problems:
        raise ValueError("\n".join(_at_path(places[problem.column], problem.message) for problem in found.problems))
    return result


def _numbered(value: Any, place: str, places: list[str], depth: int) -> Node:
    """Return a plain value as a node whose column is the number of its place."""
    number = len(places)
    places.append(place)
    if depth > _DEEPEST and isinstance(value, (Mapping, list, tuple)):
        raise RecursionError
    if isinstance(value, Mapping):
        members = {}
        for key, child in value.items():
            if not isinstance(key, str):
                raise ValueError(_at_path(place, f"the key {shown(key)} is not text: keys are strings"))  # noqa: TRY004
            inside = f"{place}.{key}" if place else key
            key_number = len(places)
            places.append(place)
            members[key] = Member(0, key_number, _numbered(child, inside, places, depth + 1))
        return Node(0, number, members)
    if isinstance(value, (list, tuple)):
        # An item of a list that has no name is shown by the message itself.
        paths = (f"{place}[{index}]" if place else "" for index in range(len(value)))
        items = zip(value, paths, strict=True)
        return Node(0, number, [_numbered(item, path, places, depth + 1) for item, path in items])
    return Node(0, number, value)


#: Values deeper than this are not read: they are a mistake, and would exhaust the stack.
_DEEPEST = 100


def _at_path(place: str, message: str) -> str:
    return f"{place}: {message}" if place else message


def hint_for(word: Any, allowed: Iterable[str]) -> str:
    """Return what a wrong word probably meant, as the end of a message; empty when nothing comes near."""
    return did_you_mean(word[:_LONGEST_WORD], allowed) if isinstance(word, str) else ""


def described(node: Node, *, secret: bool = False) -> str:
    """Return what a node holds, for a message: a short value as written, anything longer by its kind."""
    value = node.value
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if secret:
        return "a value of another kind"
    if isinstance(value, (bool, int, float)):
        return cut_short(_as_json(value), 60)
    return shown(value)


def _as_json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode() if math.isfinite(value) else str(value)
    except OverflowError:  # more than 64 bits
        return "a number of more than 64 bits"


def _between(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _limits(low: float | None, high: float | None) -> Schema:
    """Return the limits of a number as JSON Schema."""
    return {
        **({} if low is None else {"minimum": low}),
        **({} if high is None else {"maximum": high}),
    }


def _editor_message(expected: str) -> Schema:
    """Return what editors show instead of a pattern or a type: keywords that VS Code and its relatives know."""
    return {"errorMessage": f"expected {expected}", "patternErrorMessage": f"expected {expected}"}
