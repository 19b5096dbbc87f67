"""Every fault, which of them exclude each other, and how faults are written.

Scripts, the command line, and calls of the Python and control API write them alike:

.. code-block:: text

    wrong_secret                    by name, with the defaults of its parameters
    large_body(2MB)                 the first parameter
    disconnect(how=reset)           any parameter
    {slow_body: 2s}                 the same as an object
    {slow_body: {over: 2s}}
    [slow_body, chunked]            several, combined
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any

import msgspec

from mockserver.faults.body import BODY_FAULTS, PAYLOAD_FAULTS
from mockserver.faults.delivery import DELIVERY_FAULTS
from mockserver.faults.fault import ChosenFault, Fault
from mockserver.faults.signature import SIGNATURE_FAULTS
from mockserver.faults.transport import TRANSPORT_FAULTS
from mockserver.model.fields import INVALID, Kind, Node, Reading, Schema, described, hint_for, read_plain
from mockserver.model.wording import shown

_ALL = (*SIGNATURE_FAULTS, *PAYLOAD_FAULTS, *BODY_FAULTS, *TRANSPORT_FAULTS, *DELIVERY_FAULTS)

#: The faults by name. Within a stage they apply in this order.
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.name: msgspec.structs.replace(fault, position=position) for position, fault in enumerate(_ALL)}
)

#: Why two faults of one slot exclude each other.
SLOTS: Mapping[str, str] = MappingProxyType(
    {
        "signature": "both decide what is in the signature header",
        "field": "both change a field",
        "spacing": "both decide where the JSON has spaces",
        "bulk": "both add a large field",
        "broken": "both decide why the body is not JSON",
        "ending": "both end the connection",
        "copies": "both decide how many copies there are",
    }
)

_NO_BODY = "without a body there is nothing for it to change"
_NO_LENGTH = "a body in chunks has no Content-Length that it could fall short of"
_NOT_SENT = "what is never sent has no other faults"


def why_excluded(first: Fault, second: Fault) -> str:
    """Say why two faults cannot be combined; empty if they can."""
    if first.name == second.name:
        return "a delivery can have it only once"
    if first.slot and first.slot == second.slot:
        return SLOTS[first.slot]
    names = {first.name, second.name}
    if "lost" in names:
        return _NOT_SENT
    if names == {"chunked", "truncated_body"}:
        return _NO_LENGTH
    if "empty_body" in names and any(map(_needs_a_body, (first, second))):
        return _NO_BODY
    return ""


def check_combination(faults: Sequence[ChosenFault]) -> None:
    """Raise a ValueError for faults that exclude each other; the message says which, and why."""
    for first, second in combinations(faults, 2):
        why = why_excluded(first.fault, second.fault)
        if why:
            raise ValueError(f"faults {first.name!r} and {second.name!r} exclude each other: {why}")


def is_signature_fault(faults: Iterable[ChosenFault]) -> bool:
    """Return whether a consumer must refuse (4xx) a delivery with these faults: it is not what the vendor signed.

    Where a fault also ends the connection before an answer is read, nothing can be said about the answer: False.
    """
    chosen = [fault.fault for fault in faults]
    return any(fault.forged for fault in chosen) and not any(fault.slot == "ending" for fault in chosen)


def _needs_a_body(fault: Fault) -> bool:
    if fault.name in {"empty_body", "wrong_content_type", "chunked", "lowercase_headers"}:
        return False
    return fault.layer == "body" or fault.name in {"slow_body", "truncated_body", "expect_continue"}


#: What a message says is allowed.
FAULT_FORMS = "the name of a fault such as wrong_secret, large_body(2MB) or {slow_body: 2s}, or a list of these"

_CALL = re.compile(r"([^\s()]+)\s*(?:\((.*)\))?", re.DOTALL)
_NAMED_VALUE = re.compile(r"\s*([a-z_]+)\s*=(.*)", re.DOTALL)
_INTEGER = re.compile(r"[0-9]{1,15}")


def read_faults(value: Any) -> tuple[ChosenFault, ...]:
    """Read the faults of a delivery from a plain value, in one of the forms above; an empty list is no fault.

    A ValueError says what is wrong, what is allowed, and what was probably meant.
    """
    faults: tuple[ChosenFault, ...] = read_plain(value, Faults())
    return faults


def read_fault(value: Any) -> ChosenFault:
    """Read one fault, in any form but a list. Arguments and errors are those of :func:`read_faults`."""
    fault: ChosenFault = read_plain(value, OneFault())
    return fault


def written(chosen: ChosenFault) -> str:
    """Write a fault as a script can: ``large_body(2MB)``."""
    given = ((parameter, chosen.values[parameter.name]) for parameter in chosen.fault.parameters)
    shown = [f"{parameter.name}={parameter.show(value)}" for parameter, value in given if value is not None]
    return f"{chosen.name}({', '.join(shown)})" if shown else chosen.name


class Faults(Kind):
    """One fault or several, each with its parameters."""

    def read(self, node: Node, reading: Reading) -> Any:
        items = node.value if isinstance(node.value, list) else [node]
        faults = tuple(OneFault().read(item, reading) for item in items)
        if INVALID in faults:
            return INVALID
        try:
            check_combination(faults)
        except ValueError as error:
            reading.problem(node, str(error))
            return INVALID
        return faults

    def schema(self) -> Schema:
        one = _forms()
        return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}}]}


class OneFault(Kind):
    """One fault with its parameters."""

    def read(self, node: Node, reading: Reading) -> Any:
        value = node.value
        if isinstance(value, str) and (call := _CALL.fullmatch(value.strip())):
            return self._called(call, node, reading)
        if isinstance(value, dict) and len(value) == 1:
            ((name, member),) = value.items()
            fault = self._named(name, Node(member.key_line, member.key_column, name), reading)
            return INVALID if fault is None else self._chosen(fault, member.node, reading)
        keys = f"an object with the keys {', '.join(value)}"[:80] if isinstance(value, dict) and value else ""
        reading.problem(node, f"a fault is {FAULT_FORMS}, not {keys or described(node)}")
        return INVALID

    def _called(self, call: re.Match[str], node: Node, reading: Reading) -> Any:
        fault = self._named(call[1], node, reading)
        if fault is None:
            return INVALID
        text = call[2].strip() if call[2] else ""
        if not text:
            return self._chosen(fault, Node(node.line, node.column, None), reading)
        named = [_NAMED_VALUE.fullmatch(part) for part in text.split(",")]
        if all(named):
            values = {found[1]: _plain(found[2].strip(), node) for found in named if found}
            return self._with_values(fault, values, node, reading)
        return self._chosen(fault, _plain(text, node), reading)

    def _named(self, name: str, node: Node, reading: Reading) -> Fault | None:
        if name not in FAULTS:
            known = ", ".join(FAULTS)
            reading.problem(node, f"unknown fault {shown(name)}; known are {known}{hint_for(name, FAULTS)}")
        return FAULTS.get(name)

    def _chosen(self, fault: Fault, node: Node, reading: Reading) -> Any:
        """Take what is beside a fault's name: nothing, an object of parameters, or the first parameter's value."""
        if isinstance(node.value, dict):
            known = {parameter.name for parameter in fault.parameters}
            for name, member in node.value.items():
                if name not in known:
                    reading.problem_at(member.key_line, member.key_column, _no_parameter(fault, name))
            values = {name: member.node for name, member in node.value.items() if name in known}
            chosen = self._with_values(fault, values, node, reading)
            return chosen if len(values) == len(node.value) else INVALID
        if node.value is None:
            return self._with_values(fault, {}, node, reading)
        if not fault.parameters:
            reading.problem(node, f"fault {fault.name!r} has no parameters, so it takes no {described(node)}")
            return INVALID
        return self._with_values(fault, {fault.parameters[0].name: node}, node, reading)

    def _with_values(self, fault: Fault, given: Mapping[str, Node], node: Node, reading: Reading) -> Any:
        values: dict[str, Any] = {}
        unknown = given.keys() - {parameter.name for parameter in fault.parameters}
        for name in sorted(unknown):
            reading.problem(node, _no_parameter(fault, name))
        for parameter in fault.parameters:
            values[parameter.name] = parameter.default
            if parameter.name not in given:
                continue
            value = given[parameter.name]
            try:
                values[parameter.name] = parameter.kind.parse(value.value)
            except ValueError:
                what = f"fault {fault.name!r}: {parameter.name} must be {parameter.kind.expected}"
                reading.problem(value, f"{what}, not {described(value)}")
                return INVALID
        return INVALID if unknown else ChosenFault(fault, values)

    def schema(self) -> Schema:
        return {"anyOf": _forms()}


def _plain(text: str, place: Node) -> Node:
    return Node(place.line, place.column, int(text) if _INTEGER.fullmatch(text) else text)


def _no_parameter(fault: Fault, name: str) -> str:
    known = [parameter.name for parameter in fault.parameters]
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    return f"fault {fault.name!r} has no parameter {shown(name)}; {takes}{hint_for(name, known)}"


def _forms() -> list[Schema]:
    return [
        {"enum": list(FAULTS)},  # first, so that an editor offers the names
        {"type": "string", "pattern": rf"^\s*({'|'.join(FAULTS)})\s*(\(.*\))?\s*$"},
        {
            "type": "object",
            "properties": {name: _values_schema(fault) for name, fault in FAULTS.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ]


def _values_schema(fault: Fault) -> Schema:
    schemas = {
        parameter.name: {"description": parameter.doc, **parameter.kind.schema()} for parameter in fault.parameters
    }
    named = {"type": "object", "properties": schemas, "additionalProperties": False}
    return {"description": fault.doc, "anyOf": [{"type": "null"}, named, *list(schemas.values())[:1]]}
