"""The events as OpenAPI 3.1 ``webhooks``: what an application receives, for generators and validators of others."""

from __future__ import annotations

from typing import Any

from mockserver import __version__
from mockserver.model.events import Catalog, EventType
from mockserver.model.signing import SIGNATURE_HEADER

_TIMESTAMP = "2024-12-16T10:00:00Z"
_SIGNED = (
    "`sha256=` and the lower-case hex HMAC-SHA256 of the raw request body, keyed with the webhook's secret as it was "
    "given. Verify it before the body is parsed."
)
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def event_webhooks(catalog: Catalog) -> dict[str, Any]:
    """Describe each event as an item of ``webhooks``.

    Args:
        catalog: The event types.

    Returns:
        The items by event type. They refer to the schemas of :func:`event_schemas`.
    """
    return {each.event: {"post": _received(each)} for each in catalog.all()}


def event_schemas(catalog: Catalog) -> dict[str, Any]:
    """Return the schema of each event's payload, by the name that the items refer to."""
    return {_schema_name(each): _payload_schema(each) for each in catalog.all()}


def event_document(catalog: Catalog) -> dict[str, Any]:
    """Return an OpenAPI document of the events alone, ready for JSON.

    Args:
        catalog: The event types.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Playgent webhook events",
            "version": __version__,
            "description": "What a registered webhook receives. Payloads marked x-documented are the vendor's; the "
            "others are ours, where its documentation shows no sample.",
        },
        "security": [],
        "webhooks": event_webhooks(catalog),
        "components": {"schemas": event_schemas(catalog)},
    }


def _received(event_type: EventType) -> dict[str, Any]:
    name = event_type.event
    payload = {"event": name, "timestamp": _TIMESTAMP, "data": event_type.data}
    schema = {"$ref": f"#/components/schemas/{_schema_name(event_type)}"}
    return {
        "operationId": f"on{_schema_name(event_type).removesuffix('Event')}",
        "summary": event_type.fires_when[0].upper() + event_type.fires_when[1:],
        "description": f"Sent when {event_type.fires_when}. Sample data: {event_type.source}.",
        "x-documented": event_type.documented,
        "security": [],
        "parameters": [
            {
                "name": SIGNATURE_HEADER,
                "in": "header",
                "required": True,
                "description": _SIGNED,
                "schema": {"type": "string", "pattern": "^sha256=[0-9a-f]{64}$"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": {"sample": {"value": payload}}}},
        },
        "responses": {
            "200": {"description": "The event is accepted; any status of 2xx says so. Ours: the vendor does not say."},
            "401": {"description": "The signature does not match the body. Ours: the vendor does not say."},
        },
    }


def _schema_name(event_type: EventType) -> str:
    return "".join(part.capitalize() for part in event_type.event.split(".")) + "Event"


def _payload_schema(event_type: EventType) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["event", "timestamp", "data"],
        "properties": {
            "event": {"type": "string", "const": event_type.event},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": _schema_of(event_type.data),
        },
    }


def _schema_of(sample: Any) -> dict[str, Any]:
    """The schema that a sample is an example of."""
    if isinstance(sample, dict):
        properties = {key: _schema_of(value) for key, value in sample.items()}
        return {"type": "object", "required": list(sample), "properties": properties}
    if isinstance(sample, list):
        return {"type": "array", "items": _schema_of(sample[0]) if sample else {}}
    return {"type": _TYPES[type(sample)]} if sample is not None else {}
