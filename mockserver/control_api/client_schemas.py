"""JSON Schemas as the makers of clients want them: one type for each schema, and a name for each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mockserver.faults.registry import FAULTS, Faults
from mockserver.model.fields import Schema, object_schema
from mockserver.model.retry_policies import Retry
from mockserver.script.format import FLOW_FIELDS, STEP_FIELDS, ExpectKind, script_schema, without_editor_messages

#: Which keywords belong to which types; the others are about all of them.
_KEYWORDS = {
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "pattern": ("string",),
    "minLength": ("string",),
    "maxLength": ("string",),
    "items": ("array",),
    "minItems": ("array",),
    "maxItems": ("array",),
}
_TYPES = {str: "string", int: "integer"}
_STEP_NAMES = {"event": "ScriptEventStep", "together": "TogetherStep", "pause": "PauseStep", "await": "AwaitStep"}


def of(name: str) -> Schema:
    """Return a reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def for_clients(schema: Any) -> Any:
    """Return a schema that says the same by means that every maker of clients knows.

    Several types become ``anyOf``, each with its own keywords; the values of an ``enum`` have their type beside them.
    What editors alone know is left out.
    """
    if isinstance(schema, list):
        return [for_clients(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    simple = {key: value if key in ("enum", "example") else for_clients(value) for key, value in schema.items()}
    if isinstance(simple.get("const"), str):
        simple = {**simple, "enum": [simple.pop("const")]}
    types = {_TYPES.get(type(each)) for each in simple.get("enum", ())}
    if "type" not in simple and len(types) == 1 and None not in types:
        return {"type": types.pop(), **simple}
    if simple.get("type") == "object" and not {"properties", "additionalProperties"} & set(simple):
        return {**simple, "additionalProperties": True}  # which some take for an object without keys
    return _one_by_one(simple) if isinstance(simple.get("type"), list) else simple


def _one_by_one(schema: Schema) -> Schema:
    own: dict[str, Schema] = {name: {"type": name} for name in schema["type"]}
    shared = {}
    for key, value in schema.items():
        if key in _KEYWORDS:
            for name in _KEYWORDS[key]:
                own.get(name, {})[key] = value
        elif key != "type":
            shared[key] = value
    return {**shared, "anyOf": list(own.values())}


def script_schemas(**more: Schema) -> dict[str, Schema]:
    """Return the schemas of a script and its parts, by name; each part that has a name is referred to by it.

    Args:
        more: Other schemas with such parts.
    """
    script = without_editor_messages(script_schema(for_editors=False))
    steps = script["properties"]["steps"]["items"]["anyOf"]
    # That there are steps or flows is for the reader to say: clients would make three types of it.
    whole = {key: value for key, value in script.items() if key != "anyOf"}
    parts = {
        "Fault": Faults().schema(),
        "Retry": Retry().schema(),
        "Expectation": ExpectKind().schema(),
        **{_STEP_NAMES[key]: step for key, step in zip(STEP_FIELDS, steps, strict=True)},
        "Flow": object_schema(FLOW_FIELDS),
        "Script": {**whole, "example": {"version": 1, "steps": [{"event": "run.failed"}]}},
        **more,
    }
    named: dict[str, Schema] = {}
    for name, schema in parts.items():
        named[name] = _referring(for_clients(without_editor_messages(schema)), named)
    return {**named, **_fault_schemas()}


def _fault_schemas() -> dict[str, Schema]:
    """Mappings for faults with values: clients would send all keys of a type that has one for each fault."""
    with_values = {
        "description": 'A fault by its name, with its values, such as {"duplicate": {"times": 2}}',
        "type": "object",
        "propertyNames": {"type": "string", "enum": list(FAULTS)},
        "additionalProperties": {},
        "minProperties": 1,
        "maxProperties": 1,
    }
    by_name, as_call = for_clients(Faults().schema()["anyOf"][:2])
    one = [by_name, as_call, of("FaultWithValues")]
    several = {"type": "array", "items": {"anyOf": one}}
    return {"Fault": {"anyOf": [*one, several]}, "FaultWithValues": with_values}


def _referring(schema: Any, named: Mapping[str, Schema]) -> Any:
    """Return a schema in which whatever has a name is referred to by it; its description stays.

    Args:
        schema: The schema, or a part of one.
        named: The schemas with a name, which refer to one another already.
    """
    if isinstance(schema, list):
        return [_referring(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    titled = isinstance(schema.get("title"), str)  # for editors; clients would name their types after it
    inner = {key: _referring(value, named) for key, value in schema.items() if not (titled and key == "title")}
    bare = {key: value for key, value in inner.items() if key != "description"}
    name = next((name for name, known in named.items() if bare == known), None)
    if name is None:
        return inner
    return {**{key: value for key, value in inner.items() if key == "description"}, **of(name)}
