"""The script format, version 1, written down once: its keys, their kinds, and what they are for.

The reader checks scripts against these tables, and ``mockserver schema`` prints the JSON Schema made of them.
"""

from __future__ import annotations

from typing import Any

from mockserver.faults.reading import Faults
from mockserver.model.events import DOCUMENTED_EVENTS
from mockserver.model.fields import (
    INVALID,
    Duration,
    EventName,
    Field,
    Fields,
    JsonObject,
    Kind,
    ListOf,
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
)
from mockserver.model.nodes import Node
from mockserver.model.retry_policies import Retry
from mockserver.script.expect_fields import ExpectKind
from mockserver.script.flow_fields import NodeList, flow_fields

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
    """The steps: read one by one later, for they depend on the rest of the script."""

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

    Args:
        for_editors: Whether it has what only editors know (their own keywords for messages) or like (that an event
            outside the documented ones must be listed); makers of clients stumble over these.
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
