"""The key ``expect`` of an event step: kinds for its values, and its table of keys."""

from __future__ import annotations

import re
from typing import Any

from mockserver.model.expectations import BodyExpectation, Effect, Expectation
from mockserver.model.fields import (
    INVALID,
    Duration,
    Field,
    Fields,
    JsonValue,
    Kind,
    MapOf,
    Number,
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
from mockserver.model.json_paths import check_path
from mockserver.model.nodes import Node

_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx|any")


class Statuses(Kind):
    """A status, a class of them, ``any``, or a list of these."""

    expected = "a status such as 401, a class such as 2xx, any, or a list of these"

    def read(self, node: Node, reading: Reading) -> Any:
        items = node.value if isinstance(node.value, list) and node.value else [node]
        read = [super(Statuses, self).read(item, reading) for item in items]
        return INVALID if INVALID in read else tuple(read)

    def parse(self, value: Any) -> str:
        text = str(value).lower()
        if isinstance(value, (str, int)) and _STATUS.fullmatch(text):
            return text
        raise ValueError

    def schema(self) -> Schema:
        one: Schema = {"minimum": 100, "maximum": 599, "pattern": f"^({_STATUS.pattern})$"}
        one |= {"errorMessage": f"expected {self.expected}", "patternErrorMessage": f"expected {self.expected}"}
        return {
            "type": ["integer", "string", "array"],
            **one,
            "items": {"type": ["integer", "string"], **one},
            "minItems": 1,
            "examples": ["2xx", 401, [401, 403]],
        }


class JsonPath(Kind):
    """A JSONPath (RFC 9535)."""

    def read(self, node: Node, reading: Reading) -> Any:
        text = Text().read(node, reading)
        if text is INVALID:
            return INVALID
        try:
            check_path(text)
        except ValueError as error:
            reading.problem(node, f"{described(node)} is not a JSONPath such as $.count: {error}")
            return INVALID
        return text

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


BODY_FIELDS: Fields = {
    "equals": Field(Text(), "the whole body"),
    "contains": Field(Text(), "a text that occurs in it"),
    "json": Field(JsonValue(), "JSON that must be in it; objects may have more keys"),
}

EFFECT_FIELDS: Fields = {
    "url": Field(Url(), "what to GET before and after the step"),
    "json": Field(JsonPath(), "the JSONPath of a value in the answer (default: the whole answer)"),
    "probe": Field(Text(), "the name of a probe that the Python API registered, instead of a url"),
    "change": Field(Number(), "by how much the number must have changed; 0 proves that nothing happened"),
    "to": Field(JsonValue(), "what the value must be afterwards"),
    "within": Field(Duration(), "how long to wait for it, in real time (default: not at all)"),
}


class Body(Kind):
    """What the body must be: a text, or an object that says how to compare."""

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node.value, str):
            return BodyExpectation(equals=node.value)
        values = read_object(node, BODY_FIELDS, reading, "the expected body")
        return INVALID if values is None else BodyExpectation(**values)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, object_schema(BODY_FIELDS)]}


class EffectKind(Kind):
    """A change of the consumer's state."""

    def read(self, node: Node, reading: Reading) -> Any:
        values = read_object(node, EFFECT_FIELDS, reading, "an effect")
        if values is None:
            return INVALID
        for one, other in (("url", "probe"), ("change", "to")):
            if (one in values) == (other in values):
                reading.problem(node, f"an effect has either {one} or {other}")
                return INVALID
        return Effect(**values)

    def schema(self) -> Schema:
        return object_schema(EFFECT_FIELDS)


EXPECT_FIELDS: Fields = {
    "status": Field(Statuses(), "what the status of the answer must be"),
    "within": Field(Duration(), "how long the answer may take, in real time"),
    "body": Field(Body(), "what the body of the answer must be"),
    "headers": Field(MapOf(Text(), "headers"), "headers that the answer must have, with their values"),
    "attempts": Field(Whole(1, 100), "after how many attempts it must have succeeded"),
    "effect": Field(EffectKind(), "the change of the consumer's own state that the step must cause"),
}


class ExpectKind(Kind):
    """The whole of ``expect``."""

    def read(self, node: Node, reading: Reading) -> Any:
        values = ObjectOf(EXPECT_FIELDS, "expect").read(node, reading)
        return INVALID if values is INVALID else Expectation(**values)

    def schema(self) -> Schema:
        return object_schema(EXPECT_FIELDS)
