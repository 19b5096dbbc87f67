"""Reading a rule under ``flows``: from its node to a :class:`~mockserver.script.flows.Flow`, or its problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mockserver.model.fields import Fields, Reading, read_object
from mockserver.model.nodes import Member, Node
from mockserver.model.suggestions import did_you_mean, listed
from mockserver.script.flow_routes import FLOW_ROUTES, FlowRoute
from mockserver.script.model import Flow, FlowEvent

_LONGEST = 1000 * 365.25 * 86400.0  # beyond it, no calendar has a date


class EventReader(Protocol):
    """Reads the event steps of a rule, as those of the script around it."""

    reading: Reading

    def flow_event(self, node: Node, number: str, open_paths: tuple[str, ...]) -> FlowEvent | None:
        """Read one of them; None, and a problem noted, if it is not valid."""
        ...


def read_flow(node: Node, number: int, fields: Fields, reader: EventReader, source: str) -> Flow | None:
    """Read a rule.

    Args:
        node: The node of the rule.
        number: Its place in the list, from 1.
        fields: The keys of a rule.
        reader: Reads its events.
        source: The file that it is in.

    Returns:
        The rule; None if it has problems that leave nothing of it.
    """
    reading = reader.reading
    values = read_object(node, fields, reading, "a flow")
    if values is None or "on" not in values:
        return None
    route = FLOW_ROUTES[values["on"]]
    _check_paths(node, values, route, reading)
    _check_states(node, values, route, reading)
    _check_turns(node, values, route, reading)
    _check_order(node, values, reading)
    advance, reads = values.pop("advance", ("time", 0))
    events = values.pop("events", None)
    if events is not None:
        read = [reader.flow_event(each, f"{number}.{at}", route.open_paths) for at, each in enumerate(events, 1)]
        events = tuple(event for event in read if event)
    written: Mapping[str, Any] = node.plain()
    flow = Flow(**values, advance=advance, reads=reads, events=events, source=source, line=node.line, written=written)
    if flow.seconds + sum(event.step.seconds for event in flow.events or ()) > _LONGEST:
        reading.problem(node, "the flow takes more than a thousand years: look at states, after, every and repeat")
    return flow


def _check_paths(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    if "when" not in values:
        return
    when = _member(node, "when").node.value
    assert isinstance(when, dict)  # noqa: S101 - JsonObject has read it
    for path, member in when.items():
        name = path.partition(".")[0]
        if path not in route.fields and name not in route.fields:
            known = ", ".join(route.fields)
            hint = did_you_mean(name, route.fields)
            message = f"{route.on} has no field {name!r}; its fields are {known}{hint}"
            reading.problem_at(member.key_line, member.key_column, message)


def _check_states(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    if not route.states:
        for key in ("states", "advance"):
            if key in values:
                _at_key(node, key, f"{route.on} is answered with its finished result: leave {key} out", reading)
        if values.get("outcome") == "never":
            message = f"{route.on} is answered with its finished result: the outcome is completed or failed; for no "
            reading.problem(_member(node, "outcome").node, f"{message}event, write events: []")
    elif "states" in values:
        states = _member(node, "states").node.value
        assert isinstance(states, dict)  # noqa: S101 - States has read it
        for state, member in states.items():
            if state not in route.states:
                hint = did_you_mean(state, route.states)
                known = listed(route.states) if len(route.states) > 1 else route.states[0]
                message = f"{route.on} has no state {state!r} before its end; there is {known}{hint}"
                reading.problem_at(member.key_line, member.key_column, message)


def _check_turns(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    given = [key for key in ("turns", "failed_turn") if key in values]
    if route.kind != "run":
        for key in given:
            _at_key(node, key, f"only runs have turns: leave {key} out, or write on: POST /v1/runs", reading)
    elif "failed_turn" in values:
        if values.get("outcome", "completed") != "failed" and ("outcome" in values) == ("outcome" in node.plain()):
            _at_key(node, "failed_turn", "no turn fails, as the outcome is not failed: write outcome: failed", reading)
        elif "turns" in values and values["failed_turn"] > values["turns"]:
            message = f"the run has {values['turns']} turns: failed_turn is from 1 to {values['turns']}"
            reading.problem(_member(node, "failed_turn").node, message)


def _check_order(node: Node, values: Mapping[str, Any], reading: Reading) -> None:
    """Refuse events before the answer where no time brings the end: no one knows the id before the answer."""
    if values.get("deliver") != "before_answer":
        return
    if values.get("advance", ("time", 0))[0] != "time" or values.get("outcome") == "never":
        message = "the end must come before the answer: leave advance out, and outcome: never"
        _at_key(node, "deliver", message, reading)


def _at_key(node: Node, key: str, message: str, reading: Reading) -> None:
    member = _member(node, key)
    reading.problem_at(member.key_line, member.key_column, message)


def _member(node: Node, key: str) -> Member:
    assert isinstance(node.value, dict)  # noqa: S101 - the caller has seen the key
    return node.value[key]
