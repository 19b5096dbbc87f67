"""The keys of a rule under ``flows``: kinds for their values, and the table that reader, schema and page share."""

from __future__ import annotations

from typing import Any

from mockserver.model.fields import (
    INVALID,
    Duration,
    Field,
    Fields,
    JsonObject,
    Kind,
    OneOf,
    Reading,
    Schema,
    Whole,
    described,
    object_schema,
    read_object,
)
from mockserver.model.nodes import Node
from mockserver.script.flow_routes import FLOW_ROUTES

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
    """What moves it on: time, a number of reads, or a hand."""

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
    """A list whose items are read one by one later, for they depend on the rest of the script.

    Args:
        what: What its items are, for messages.
        items: The JSON Schema of an item.
    """

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
    """Return the keys of a rule.

    Args:
        event_schema: Makes the JSON Schema of an event step.
    """
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
