"""The script format, version 1, written down once: its keys, their kinds, and what they are for.

The reader checks scripts against these tables, and ``mockserver schema`` prints the JSON Schema made of them.
"""

from __future__ import annotations

import re
from typing import Any

from mockserver.faults.registry import Faults
from mockserver.model.events import DOCUMENTED_EVENTS
from mockserver.model.expectations import BodyExpectation, Effect, Expectation
from mockserver.model.fields import (
    INVALID,
    Duration,
    EventName,
    Field,
    Fields,
    JsonObject,
    JsonValue,
    Kind,
    ListOf,
    MapOf,
    Node,
    Number,
    ObjectOf,
    OneOf,
    Reading,
    Schema,
    Text,
    Timestamp,
    Url,
    Whole,
    described,
    object_schema,
    read_object,
)
from mockserver.model.json_values import check_path
from mockserver.model.retry_policies import Retry
from mockserver.script.model import FLOW_ROUTES

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


#: A run with more turns than this would be a conversation of days.
MOST_TURNS = 100

_MOST_CALLS = 1_000_000_000

STATES = tuple(dict.fromkeys(state for route in FLOW_ROUTES.values() for state in route.states))

_READS_FIELDS: Fields = {
    "reads": Field(Whole(1, 1_000_000), "the number of GETs after which it moves one state on", required=True),
}


class States(Kind):
    """How long each state lasts, by its name; which names there are depends on the call."""

    def read(self, node: Node, reading: Reading) -> Any:
        if not isinstance(node.value, dict):
            reading.problem(node, f"expected states as an object (state: duration), not {described(node)}")
            return INVALID
        read = {state: Duration().read(member.node, reading) for state, member in node.value.items()}
        return {state: seconds for state, seconds in read.items() if seconds is not INVALID}

    def schema(self) -> Schema:
        return {
            "type": "object",
            "properties": {state: Duration().schema() for state in STATES},
            "additionalProperties": False,
        }


class AdvanceKind(Kind):
    """What moves a resource on: time, a number of reads, or a manual call."""

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node.value, dict):
            values = read_object(node, _READS_FIELDS, reading, "advance")
            return ("reads", values["reads"]) if values and "reads" in values else INVALID
        if node.value in ("time", "manual"):
            return (str(node.value), 0)
        reading.problem(node, f"expected time, manual or {{reads: 2}}, not {described(node)}")
        return INVALID

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": ["time", "manual"]}, object_schema(_READS_FIELDS)]}


class NodeList(Kind):
    """A list of ``what``, whose items are read one by one later, because they depend on the rest of the script."""

    def __init__(self, what: str, items: Any) -> None:
        self._what = what
        self._items = items

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node.value, list):
            return node.value
        reading.problem(node, f"expected a list of {self._what}, not {described(node)}")
        return INVALID

    def schema(self) -> Schema:
        return {"type": "array", "items": self._items()}


def flow_fields(event_schema: Any) -> Fields:
    """Return the keys of a rule; ``event_schema`` makes the JSON Schema of an event step."""
    return {
        "on": Field(OneOf(*FLOW_ROUTES), "the call that the rule is for", required=True),
        "when": Field(
            JsonObject(),
            "values that fields of the request must have, by dotted path: one value, or a list of allowed ones "
            "(default: every call)",
        ),
        "times": Field(Whole(1, _MOST_CALLS), "how many calls it applies to (default: all)"),
        "states": Field(States(), "how long each state lasts, on the mock's clock (default: no time)"),
        "advance": Field(
            AdvanceKind(),
            "what moves it from state to state: time (the default), {reads: 2} (that number of GETs), or manual "
            "(POST /_mock/resources/{id}/advance)",
        ),
        "outcome": Field(
            OneOf("completed", "failed", "never"),
            "how it ends: completed (the default), failed, or never; of an evaluation, whether it passes",
        ),
        "turns": Field(Whole(1, MOST_TURNS), "how many turns the run has (default: those of its test case, or 3)"),
        "failed_turn": Field(Whole(1, MOST_TURNS), "which turn fails, counted from 1 (default: the second)"),
        "deliver": Field(
            OneOf("after_answer", "before_answer"),
            "whether its events go out after the call was answered (the default) or before: the event overtakes the "
            "answer",
        ),
        "events": Field(
            NodeList("event steps", event_schema),
            "event steps that happen at the end, instead of the documented event of the outcome; [] for none",
        ),
    }


#: More repeats than this are a typing error: at a million a second they would take months.
MOST_REPEATS = 1_000_000_000

_AFTER = Field(Duration(), "how long to wait before this step")

EVENT_FIELDS: Fields = {
    "event": Field(EventName(), "the event type, such as run.failed", required=True),
    "after": _AFTER,
    "repeat": Field(Whole(1, MOST_REPEATS), "how many times it happens"),
    "every": Field(Duration(), "the time from one repeat to the next"),
    "concurrency": Field(Whole(1, 1000), "how many repeats may be in flight at once (default: one after another)"),
    "data": Field(JsonObject(), "the data of the payload, exactly as sent (default: the sample data of the event)"),
    "override": Field(JsonObject(), "values that differ from the sample data, by key or dotted path"),
    "remove": Field(ListOf(Text()), "keys or dotted paths to remove from the sample data"),
    "fault": Field(Faults(), "a deliberate defect of the delivery, or a list of them"),
    "expect": Field(
        ExpectKind(),
        "what the consumer must answer (default: 2xx; 4xx to a forged signature; anything to other faults)",
    ),
    "retry": Field(Retry(), "when a failed attempt is repeated (default: never)"),
}

TOGETHER_FIELDS: Fields = {
    "together": Field(ListOf(JsonObject(), non_empty=True), "event steps that happen at the same time", required=True),
    "after": _AFTER,
}

PAUSE_FIELDS: Fields = {
    "pause": Field(Duration(), "how long nothing happens", required=True),
}

AWAIT_FIELDS: Fields = {
    "await": Field(OneOf("registration"), "what to wait for: a webhook that the application registers", required=True),
    "events": Field(ListOf(EventName(), non_empty=True), "the events that need a webhook (default: any webhook)"),
    "within": Field(Duration(), "how long to wait, in real time (default: 30s)"),
}

#: The kinds of step, by the key that identifies each.
STEP_FIELDS: dict[str, Fields] = {
    "event": EVENT_FIELDS,
    "together": TOGETHER_FIELDS,
    "pause": PAUSE_FIELDS,
    "await": AWAIT_FIELDS,
}

DEFAULTS_FIELDS: Fields = {key: field for key, field in EVENT_FIELDS.items() if key != "event"}

WEBHOOK_FIELDS: Fields = {
    "url": Field(Url(), "the URL that the events are posted to", required=True),
    "secret": Field(Text(secret=True), "the key of their signatures", required=True),
}


FLOW_FIELDS: Fields = flow_fields(lambda: _step_schema("event"))


class StepList(Kind):
    """The steps: read one by one later, because they depend on the rest of the script."""

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node.value, list):
            return node.value
        reading.problem(node, f"expected a list of steps, not {described(node)}")
        return INVALID

    def schema(self) -> Schema:
        return {"type": "array", "items": {"anyOf": [_step_schema(key) for key in STEP_FIELDS]}}


SCRIPT_FIELDS: Fields = {
    "version": Field(OneOf(1), "the version of the script format: 1", required=True),
    "name": Field(Text(), "what the script is about"),
    "seed": Field(Whole(0, 2**63 - 1), "makes generated ids and values repeatable (default: 0)"),
    "start": Field(Timestamp(), "what the clock shows at the first step, in whole seconds (default: now)"),
    "vars": Field(JsonObject(), "values for templates: {{ name }}"),
    "webhook": Field(ObjectOf(WEBHOOK_FIELDS, "the webhook"), "where the events go when nothing was registered"),
    "pacing": Field(
        OneOf("settled", "timed"),
        "settled (the default): a step starts when the one before it has its final outcome; timed: at its own time",
    ),
    "retry": Field(Retry(), "when failed attempts are repeated, for all event steps"),
    "extra_events": Field(ListOf(Text()), "event types of your own, beyond the documented ones"),
    "defaults": Field(ObjectOf(DEFAULTS_FIELDS, "the defaults"), "keys for every event step that does not have them"),
    "flows": Field(
        NodeList("flows", lambda: object_schema(FLOW_FIELDS)),
        "what becomes of calls of the application; the first rule that matches a call decides",
    ),
    "steps": Field(StepList(), "what happens, in this order; needed where there are no flows"),
}


#: What editors show of each kind of step.
_STEP_TITLES = {
    "event": "an event step",
    "together": "events at the same time",
    "pause": "a pause",
    "await": "waiting for the application",
}


def _step_schema(key: str) -> Schema:
    fields = STEP_FIELDS[key]
    schema = object_schema(fields, title=_STEP_TITLES[key])
    if key == "together":
        schema["properties"]["together"]["items"] = _step_schema("event")
    if key == "event":
        schema["properties"]["event"]["examples"] = list(DOCUMENTED_EVENTS)
    return schema


def script_schema(*, for_editors: bool = True) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the script format.

    ``for_editors`` adds what only editors know (their own keywords for messages) or like (that an event outside the
    documented ones must be listed); generators of clients stumble over these.
    """
    schema = {
        "title": "A script of the playgent-mockserver",
        "description": "Which events happen, when, and with which data. Format version 1.",
        **object_schema(SCRIPT_FIELDS),
        "anyOf": [
            {"required": ["steps"], "properties": {"steps": {"minItems": 1}}},
            {"required": ["flows"], "properties": {"flows": {"minItems": 1}}},
        ],
    }
    if not for_editors:
        return without_editor_messages(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "allOf": _rules()}


def _rules() -> list[Schema]:
    """Return what a table of keys cannot say: which events may be named, and that data is not changed."""
    name = {"enum": list(DOCUMENTED_EVENTS)}
    message = f"known events are {', '.join(DOCUMENTED_EVENTS)}; others must be listed under extra_events"
    known = {"properties": {"event": {**name, "errorMessage": message}, "events": {"items": name}}}
    refused = {
        "enum": [None],
        "errorMessage": "data is sent exactly as it is: write either data, or override and remove",
    }
    exact = {"if": {"required": ["data"]}, "then": {"properties": {"override": refused, "remove": refused}}}
    return [
        {"if": {"not": {"required": ["extra_events"]}}, "then": _for_event_steps(known)},
        _for_event_steps(exact),
    ]


def _for_event_steps(rule: Schema) -> Schema:
    together = {"properties": {"together": {"items": rule}}}
    return {"properties": {"steps": {"items": {"allOf": [rule, together]}}}}


def without_editor_messages(schema: Schema) -> Schema:
    """Return a schema without the keywords that only editors know."""
    kept = {key: value for key, value in schema.items() if key not in ("errorMessage", "patternErrorMessage")}
    return {key: _within(value) for key, value in kept.items()}


def _within(value: Any) -> Any:
    if isinstance(value, list):
        return [_within(item) for item in value]
    return without_editor_messages(value) if isinstance(value, dict) else value
