"""The vocabulary in which the script format is described: kinds of values, and tables of keys.

Each kind reads a node into a value, noting every problem with its place, and describes itself as JSON Schema. So the
format is written down once (in :mod:`~mockserver.script.format`), and the reader, the messages and the schema
cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from mockserver.errors import Problem, UsageError
from mockserver.model.durations import DURATION_FORMS, parse_duration, parse_timestamp
from mockserver.model.nodes import Node
from mockserver.model.suggestions import did_you_mean, listed
from mockserver.model.targets import Target

Schema = dict[str, Any]


class Reading:
    """One reading of a script: what is known, and the problems so far.

    Args:
        problems: Where problems are noted.
        events: The event types that a step may name.
        policies: The retry policies that a script may name.
    """

    def __init__(
        self, problems: list[Problem], events: tuple[str, ...], policies: Mapping[str, Any] | None = None
    ) -> None:
        self.problems = problems
        self.events = events
        self.policies = policies or {}

    def problem(self, place: Node, message: str) -> None:
        """Note a problem at a node's place."""
        self.problems.append(Problem(place.line, place.column, message))

    def problem_at(self, line: int, column: int, message: str) -> None:
        """Note a problem at a place."""
        self.problems.append(Problem(line, column, message))


class Kind(Protocol):
    """A kind of value."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the value of a node; None if it is not valid, and a problem noted."""
        ...

    def schema(self) -> Schema:
        """Return the JSON Schema of this kind."""
        ...


class Field(msgspec.Struct, frozen=True):
    """A key of an object: the kind of its value, what it is for, and whether it must be there."""

    kind: Any
    doc: str
    required: bool = False


Fields = Mapping[str, Field]


class Text:
    """A string that is not empty, in which templates mean nothing.

    Args:
        secret: Whether the value must not be shown in messages.
    """

    def __init__(self, *, secret: bool = False) -> None:
        self._secret = secret

    def read(self, node: Node, reading: Reading) -> str | None:
        """Return the string."""
        if not isinstance(node.value, str):
            reading.problem(node, f"expected text, not {described(node, secret=self._secret)}")
        elif not node.value.strip():
            reading.problem(node, "expected text, not an empty string")
        elif "{{" in node.value:
            reading.problem(node, "templates work in the strings of data and override only")
        else:
            return node.value
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string", "minLength": 1}


class Url:
    """An absolute http or https URL that can be delivered to."""

    def read(self, node: Node, reading: Reading) -> str | None:
        """Return the URL."""
        text = Text().read(node, reading)
        if text is None:
            return None
        try:
            Target.parse(text)
        except UsageError as error:
            reading.problem(node, f"{error}; expected a URL such as http://localhost:3000/webhooks/playgent")
            return None
        return text

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string", "pattern": "^https?://"}


class Whole:
    """A whole number in a range.

    Args:
        low: The least.
        high: The greatest.
    """

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._high = high

    def read(self, node: Node, reading: Reading) -> int | None:
        """Return the number."""
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and self._low <= value <= self._high:
            return value
        reading.problem(node, f"expected a whole number from {self._low} to {self._high}, not {described(node)}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "integer", "minimum": self._low, "maximum": self._high}


class Duration:
    """A duration, in seconds."""

    def read(self, node: Node, reading: Reading) -> float | None:
        """Return the seconds."""
        try:
            return parse_duration(node.value)
        except ValueError:
            reading.problem(node, f"expected {DURATION_FORMS}, not {described(node)}")
            return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        number = r"[0-9]+(\.[0-9]+)?"
        return {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": rf"^\s*({number}|({number}(ms|s|m|h|d))+)\s*$"},
            ],
            "examples": ["250ms", "2s", "1m30s", "2h", 5],
        }


class Timestamp:
    """A moment, in seconds since 1970."""

    def read(self, node: Node, reading: Reading) -> float | None:
        """Return the seconds since 1970."""
        try:
            return parse_timestamp(node.value)
        except ValueError:
            reading.problem(node, f"expected an ISO 8601 timestamp such as 2024-12-16T10:00:00Z, not {described(node)}")
            return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].{1,30})?$",
            "examples": ["2024-12-16T10:00:00Z"],
        }


class OneOf:
    """One of a few words or numbers.

    Args:
        *choices: What is allowed.
    """

    def __init__(self, *choices: str | int) -> None:
        self._choices = choices

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the choice."""
        value = node.value
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in self._choices:
            return value
        words = [str(choice) for choice in self._choices]
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        reading.problem(node, f"expected {listed(words)}, not {described(node)}{hint}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"enum": list(self._choices)}


class EventName:
    """An event type: a documented one, or one that the script lists under extra_events."""

    def read(self, node: Node, reading: Reading) -> str | None:
        """Return the event type."""
        value = node.value
        if isinstance(value, str) and value in reading.events:
            return value
        hint = did_you_mean(value, reading.events) if isinstance(value, str) else ""
        reading.problem(
            node,
            f"unknown event {described(node)}; known are {', '.join(reading.events)}"
            f" (others must be listed under extra_events){hint}",
        )
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema: any text, for extra_events may add to the documented types."""
        return {"type": "string", "minLength": 1}


class ListOf:
    """A list of values of one kind.

    Args:
        kind: The kind of its items.
        non_empty: Whether it must have an item.
    """

    def __init__(self, kind: Kind, *, non_empty: bool = False) -> None:
        self._kind = kind
        self._non_empty = non_empty

    def read(self, node: Node, reading: Reading) -> tuple[Any, ...] | None:
        """Return the valid items."""
        if not isinstance(node.value, list):
            reading.problem(node, f"expected a list, not {described(node)}")
            return None
        if self._non_empty and not node.value:
            reading.problem(node, "expected a list with at least one item, not an empty one")
        values = (self._kind.read(item, reading) for item in node.value)
        return tuple(value for value in values if value is not None)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        schema: Schema = {"type": "array", "items": self._kind.schema()}
        return {**schema, "minItems": 1} if self._non_empty else schema


class JsonObject:
    """Any JSON object: the keys are the user's own."""

    def read(self, node: Node, reading: Reading) -> dict[str, Any] | None:
        """Return the object."""
        if isinstance(node.value, dict):
            value: dict[str, Any] = node.plain()
            return value
        reading.problem(node, f"expected an object (key: value), not {described(node)}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "object"}


class ObjectOf:
    """An object with known keys.

    Args:
        fields: The keys.
        title: What it is, for messages: ``the webhook``.
    """

    def __init__(self, fields: Fields, title: str) -> None:
        self._fields = fields
        self._title = title

    def read(self, node: Node, reading: Reading) -> dict[str, Any] | None:
        """Return the valid values by key."""
        return read_object(node, self._fields, reading, self._title)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return object_schema(self._fields)


def read_object(node: Node, fields: Fields, reading: Reading, title: str) -> dict[str, Any] | None:
    """Read an object with known keys.

    Args:
        node: The object's node.
        fields: Its keys.
        reading: Where problems are noted: unknown keys, missing ones, invalid values.
        title: What it is, for messages: ``a script``.

    Returns:
        The valid values by key; None if it is not an object at all.
    """
    if not isinstance(node.value, dict):
        reading.problem(node, f"expected {title} as an object (key: value), not {described(node)}")
        return None
    values: dict[str, Any] = {}
    for key, member in node.value.items():
        if key in fields:
            value = fields[key].kind.read(member.node, reading)
            if value is not None:
                values[key] = value
        else:
            hint = did_you_mean(key, fields)
            known = ", ".join(fields)
            reading.problem_at(
                member.key_line, member.key_column, f"unknown key {key!r} in {title}; known are {known}{hint}"
            )
    for key, field in fields.items():
        if field.required and key not in node.value:
            reading.problem(node, f"{title} needs the key {key!r}: {field.doc}")
    return values


def object_schema(fields: Fields) -> Schema:
    """Return the JSON Schema of an object with known keys."""
    properties = {key: {"description": field.doc, **field.kind.schema()} for key, field in fields.items()}
    required = [key for key, field in fields.items() if field.required]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def described(node: Node, *, secret: bool = False) -> str:
    """Return what a node holds, for a message: a short value as written, anything longer by its kind."""
    value = node.value
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if secret:
        return "a value of another kind"
    shown = msgspec.json.encode(value).decode() if not isinstance(value, str) else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
