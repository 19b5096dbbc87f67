"""The key ``expect`` of an event step: kinds for its values, and its table of keys."""

from __future__ import annotations

import re
from typing import Any

from mockserver.model.expectations import BodyExpectation, Effect, Expectation
from mockserver.model.fields import (
    Duration,
    Field,
    Fields,
    ObjectOf,
    Reading,
    Schema,
    Text,
    Url,
    Whole,
    described,
    object_schema,
    read_object,
)
from mockserver.model.nodes import Node

_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx|any")
_STATUS_FORMS = "a status such as 401, a class such as 2xx, any, or a list of these"


class Statuses:
    """A status, a class of them, ``any``, or a list of these."""

    def read(self, node: Node, reading: Reading) -> tuple[str, ...] | None:
        """Return the patterns."""
        if isinstance(node.value, list):
            if not node.value:
                reading.problem(node, f"expected {_STATUS_FORMS}, not an empty list")
            read = (self._one(item, reading) for item in node.value)
            return tuple(status for status in read if status)
        status = self._one(node, reading)
        return (status,) if status else None

    def _one(self, node: Node, reading: Reading) -> str | None:
        text = str(node.value).lower()
        if isinstance(node.value, (str, int)) and _STATUS.fullmatch(text):
            return text
        reading.problem(node, f"expected {_STATUS_FORMS}, not {described(node)}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        one = {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": f"^({_STATUS.pattern})$"},
            ]
        }
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "examples": ["2xx", 401, [401, 403]]}


class JsonValue:
    """Any JSON value."""

    def read(self, node: Node, _: Reading) -> Any:
        """Return the value, in a tuple: null is a value too."""
        return (node.plain(),)

    def schema(self) -> Schema:
        """Return the JSON Schema: anything."""
        return {}


class Number:
    """A number, whole or not, of either sign."""

    def read(self, node: Node, reading: Reading) -> float | None:
        """Return the number."""
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return node.value
        reading.problem(node, f"expected a number, not {described(node)}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "number"}


class JsonPath:
    """A JSONPath (RFC 9535)."""

    def read(self, node: Node, reading: Reading) -> str | None:
        """Return the path."""
        # Imported here: few scripts have an effect to prove, and all others start faster.
        from jsonpath import JSONPathError  # noqa: PLC0415
        from jsonpath import compile as compile_path  # noqa: PLC0415

        text = Text().read(node, reading)
        if text is None:
            return None
        try:
            compile_path(text)
        except JSONPathError as error:
            reading.problem(node, f"{described(node)} is not a JSONPath such as $.count: {str(error).splitlines()[0]}")
            return None
        return text

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string", "minLength": 1}


class HeaderValues:
    """Headers with the values that they must have."""

    def read(self, node: Node, reading: Reading) -> dict[str, str] | None:
        """Return the values by name."""
        if not isinstance(node.value, dict):
            reading.problem(node, f"expected headers as an object (name: value), not {described(node)}")
            return None
        read = {name: Text().read(member.node, reading) for name, member in node.value.items()}
        return {name: value for name, value in read.items() if value is not None}

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}


_BODY_FIELDS: Fields = {
    "equals": Field(Text(), "the whole body"),
    "contains": Field(Text(), "a text that occurs in it"),
    "json": Field(JsonValue(), "JSON that must be in it; objects may have more keys"),
}

_EFFECT_FIELDS: Fields = {
    "url": Field(Url(), "what to GET before and after the step"),
    "json": Field(JsonPath(), "the JSONPath of a value in the answer; the whole answer without"),
    "probe": Field(Text(), "the name of a probe that the Python API registered, instead of a url"),
    "change": Field(Number(), "by how much the number must have changed; 0 proves that nothing happened"),
    "to": Field(JsonValue(), "what the value must be afterwards"),
    "within": Field(Duration(), "how long to wait for it, in real time; not at all without"),
}


class Body:
    """What the body must be: a text, or an object that says how to compare."""

    def read(self, node: Node, reading: Reading) -> BodyExpectation | None:
        """Return the expectation."""
        if isinstance(node.value, str):
            return BodyExpectation(equals=node.value)
        values = read_object(node, _BODY_FIELDS, reading, "the expected body")
        if values is None:
            return None
        if "json" in values:
            (values["json"],) = values["json"]
        return BodyExpectation(**values)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"anyOf": [{"type": "string"}, object_schema(_BODY_FIELDS)]}


class EffectKind:
    """A change of the consumer's state."""

    def read(self, node: Node, reading: Reading) -> Effect | None:
        """Return the effect."""
        values = read_object(node, _EFFECT_FIELDS, reading, "an effect")
        if values is None:
            return None
        for one, other in (("url", "probe"), ("change", "to")):
            if (one in values) == (other in values):
                reading.problem(node, f"an effect has either {one} or {other}")
                return None
        if "to" in values:
            (values["to"],) = values["to"]
        return Effect(**values)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return object_schema(_EFFECT_FIELDS)


EXPECT_FIELDS: Fields = {
    "status": Field(Statuses(), "what the status of the answer must be"),
    "within": Field(Duration(), "how long the answer may take, in real time"),
    "body": Field(Body(), "what the body of the answer must be"),
    "headers": Field(HeaderValues(), "headers that the answer must have"),
    "attempts": Field(Whole(1, 100), "after how many attempts it must have succeeded"),
    "effect": Field(EffectKind(), "the change of the consumer's own state that the step must have"),
}


class ExpectKind:
    """The whole of ``expect``."""

    def read(self, node: Node, reading: Reading) -> Expectation | None:
        """Return the expectation."""
        values = ObjectOf(EXPECT_FIELDS, "expect").read(node, reading)
        return Expectation(**values) if values is not None else None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return object_schema(EXPECT_FIELDS)
