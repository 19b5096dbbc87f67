"""Faults as they are written: in scripts, on the command line, and in calls of the Python and control API.

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
from collections.abc import Mapping
from typing import Any

from mockserver.faults.fault import ChosenFault, Fault, Parameter
from mockserver.faults.kinds import KINDS, read_value, show_value, shown
from mockserver.faults.registry import FAULTS, check_combination
from mockserver.model.suggestions import did_you_mean

#: What a message says is allowed.
FAULT_FORMS = "the name of a fault such as wrong_secret, large_body(2MB) or {slow_body: 2s}, or a list of these"

_CALL = re.compile(r"\s*([^\s()]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_NAMED_VALUE = re.compile(r"\s*([a-z_]+)\s*=(.*)", re.DOTALL)
_INTEGER = re.compile(r"[0-9]{1,15}")


def read_faults(value: Any) -> tuple[ChosenFault, ...]:
    """Read the faults of a delivery.

    Args:
        value: One of the forms above. An empty list is no fault.

    Returns:
        The faults, with a value for each parameter.

    Raises:
        ValueError: What is wrong, what is allowed, and what was probably meant.
    """
    faults = tuple(map(read_fault, value)) if isinstance(value, (list, tuple)) else (read_fault(value),)
    check_combination(faults)
    return faults


def read_fault(value: Any) -> ChosenFault:
    """Read one fault, in any form but a list. Arguments and errors are those of :func:`read_faults`."""
    if isinstance(value, str):
        return _read_call(value)
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, values),) = value.items()
        return _chosen(_named(name), {} if values is None else values)
    raise ValueError(f"a fault is {FAULT_FORMS}, not {shown(value)}")


def _read_call(text: str) -> ChosenFault:
    match = _CALL.fullmatch(text)
    if not match:
        raise ValueError(f"a fault is {FAULT_FORMS}, not {shown(text)}")
    fault = _named(match[1])
    text = match[2].strip() if match[2] else ""
    if not text:
        return _chosen(fault, {})
    named = [_NAMED_VALUE.fullmatch(part) for part in text.split(",")]
    values = {found[1]: _plain(found[2].strip()) for found in named if found}
    return _chosen(fault, values if len(values) == len(named) else _plain(text))


def written(chosen: ChosenFault) -> str:
    """Write a fault as a script can: ``large_body(2MB)``."""
    given = ((parameter, chosen.values[parameter.name]) for parameter in chosen.fault.parameters)
    shown_values = [
        f"{parameter.name}={show_value(value, parameter)}" for parameter, value in given if value is not None
    ]
    return f"{chosen.name}({', '.join(shown_values)})" if shown_values else chosen.name


def _plain(text: str) -> str | int:
    return int(text) if _INTEGER.fullmatch(text) else text


def _named(name: Any) -> Fault:
    if name in FAULTS:
        return FAULTS[name]
    hint = did_you_mean(name, FAULTS) if isinstance(name, str) else ""
    raise ValueError(f"unknown fault {shown(name)}; known are {', '.join(FAULTS)}{hint}")


def _chosen(fault: Fault, values: Any) -> ChosenFault:
    given = values if isinstance(values, Mapping) else _first_parameter(fault, values)
    known = {parameter.name: parameter for parameter in fault.parameters}
    for name in given:
        if name not in known:
            raise _no_parameter(fault, name)
    return ChosenFault(fault, {name: _value(fault, parameter, given) for name, parameter in known.items()})


def _first_parameter(fault: Fault, value: Any) -> Mapping[str, Any]:
    if not fault.parameters:
        raise ValueError(f"fault {fault.name!r} has no parameters, so it takes no {shown(value)}")
    return {fault.parameters[0].name: value}


def _no_parameter(fault: Fault, name: Any) -> ValueError:
    known = [parameter.name for parameter in fault.parameters]
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    hint = did_you_mean(name, known) if isinstance(name, str) else ""
    return ValueError(f"fault {fault.name!r} has no parameter {name!r}; {takes}{hint}")


def _value(fault: Fault, parameter: Parameter, given: Mapping[str, Any]) -> Any:
    if parameter.name not in given:
        return parameter.default
    try:
        return read_value(given[parameter.name], parameter)
    except ValueError as error:
        raise ValueError(f"fault {fault.name!r}: {error}") from None


# --- as JSON Schema


def faults_schema() -> dict[str, Any]:
    """Return the JSON Schema of what :func:`read_faults` reads."""
    one = _fault_schema()
    return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}}]}


def _fault_schema() -> list[dict[str, Any]]:
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


def _values_schema(fault: Fault) -> dict[str, Any]:
    schemas = {
        parameter.name: {"description": parameter.doc, **KINDS[parameter.kind].schema(parameter)}
        for parameter in fault.parameters
    }
    named = {"type": "object", "properties": schemas, "additionalProperties": False}
    return {"description": fault.doc, "anyOf": [{"type": "null"}, named, *list(schemas.values())[:1]]}
