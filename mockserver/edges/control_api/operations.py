"""What the control API can do: one table, for routing and for its OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from mockserver.core.script.fields import object_schema
from mockserver.core.script.format import STEP_FIELDS, script_schema

_OBJECT: dict[str, Any] = {"type": "object"}


class Query(msgspec.Struct, frozen=True):
    """A query parameter: its name, what it is for, and its JSON Schema."""

    name: str
    doc: str
    schema: dict[str, Any]


class Operation(msgspec.Struct, frozen=True):
    """One operation.

    Args:
        method: The HTTP method.
        path: The path below ``/_mock``, with parameters in braces.
        name: Its ``operationId``; the method of the API that does it has the same name.
        doc: What it does, in a sentence.
        body: The JSON Schema of its request body; None if it takes none.
        body_required: Whether there must be one.
        query: Its query parameters.
        status: The status when all is well.
        answer: What the answer holds, in a few words; empty for no body.
        errors: Statuses of errors beyond 403, which every operation has.
    """

    method: str
    path: str
    name: str
    doc: str
    body: dict[str, Any] | None = None
    body_required: bool = True
    query: tuple[Query, ...] = ()
    status: int = 200
    answer: str = "the answer"
    errors: tuple[int, ...] = ()


_STATUS_FORMS = "pending, delivered, failed, a status such as 401, or a class such as 4xx"

FILTERS = (
    Query("event", "only this event type", {"type": "string"}),
    Query("status", f"only these: {_STATUS_FORMS}", {"type": "string"}),
    Query("webhook_id", "only those of this webhook", {"type": "string"}),
    Query("limit", "how many at most; 100 without", {"type": "integer", "minimum": 1, "maximum": 1000}),
    Query("after", "only those after the delivery with this id", {"type": "string"}),
)

_FAULT_BODY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "status": {"type": "integer", "minimum": 200, "maximum": 599, "default": 503},
        "times": {"type": "integer", "minimum": 1, "default": 1},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "delay": {"description": "seconds, or a duration such as 250ms", "type": ["number", "string"]},
        "body": {"type": "string"},
    },
}

_ADVANCE_BODY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["by"],
    "properties": {"by": {"description": "a duration such as 5m, or seconds", "type": ["number", "string"]}},
}

_RESEND_BODY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"fresh": {"type": "boolean", "default": False}},
}

OPERATIONS = (
    Operation("GET", "/health", "health", "Tell that the mock is there, and how much it holds."),
    Operation("GET", "/openapi.json", "openapi", "Return this document."),
    Operation(
        "POST",
        "/events",
        "send",
        "Let one event happen now: an event step of the script format.",
        body=object_schema(STEP_FIELDS["event"]),
        answer="the deliveries that it made",
        errors=(400,),
    ),
    Operation(
        "POST",
        "/replays",
        "start_replay",
        "Replay a script, given as YAML or JSON; with wait=true the answer is its report.",
        body={key: value for key, value in script_schema().items() if key != "$schema"},
        query=(
            Query("wait", "whether to answer when the replay is over", {"type": "boolean"}),
            Query("speed", "a factor, max or stepped; the mock's own without", {"type": "string"}),
        ),
        status=202,
        answer="the replay: its id and its report so far",
        errors=(400,),
    ),
    Operation("GET", "/replays/{replay_id}", "replay", "Return a replay and its report.", errors=(404,)),
    Operation(
        "GET",
        "/deliveries",
        "deliveries",
        "List the deliveries on record, the oldest first.",
        query=FILTERS,
        answer="deliveries; next is the id to go on after, null at the end; dropped counts those no longer on record",
        errors=(400,),
    ),
    Operation("GET", "/deliveries/{delivery_id}", "delivery", "Return a delivery with its attempts.", errors=(404,)),
    Operation(
        "POST",
        "/deliveries/{delivery_id}/resend",
        "resend",
        "Deliver it once more: the same bytes, or with fresh: true a new timestamp and signature.",
        body=_RESEND_BODY,
        body_required=False,
        answer="the new delivery",
        errors=(400, 404),
    ),
    Operation("GET", "/webhooks", "webhooks", "List the registered webhooks."),
    Operation("GET", "/webhooks/{webhook_id}", "webhook", "Return a webhook.", errors=(404,)),
    Operation("DELETE", "/webhooks", "forget_webhooks", "Forget every webhook.", status=204, answer=""),
    Operation(
        "DELETE", "/webhooks/{webhook_id}", "forget_webhook", "Forget a webhook.", status=204, answer="", errors=(404,)
    ),
    Operation("GET", "/requests", "requests", "List the calls that the vendor API received."),
    Operation(
        "POST",
        "/faults",
        "fail_next",
        "Make the vendor API answer its next calls badly.",
        body=_FAULT_BODY,
        body_required=False,
        status=204,
        answer="",
        errors=(400,),
    ),
    Operation(
        "POST",
        "/clock/advance",
        "advance",
        "Let time pass on a stepped clock; answers when all that became due is over.",
        body=_ADVANCE_BODY,
        answer="what the clock shows",
        errors=(400,),
    ),
    Operation("POST", "/reset", "reset", "Forget everything, and end what is in flight.", status=204, answer=""),
    Operation("GET", "/stream", "stream", "Server-sent events: each delivery, webhook and vendor call as it comes."),
)


def openapi_document(url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the control API.

    Args:
        url: The base URL of the server.
    """
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/_mock{operation.path}", {})[operation.method.lower()] = _described(operation)
    error = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "problems": {"type": "array"},
                },
            }
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of the playgent-mockserver",
            "version": "1",
            "description": "Ours, not the vendor's: for tests in any language.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }


def _described(operation: Operation) -> dict[str, Any]:
    media = "text/event-stream" if operation.name == "stream" else "application/json"
    schema: dict[str, Any] = {"type": "string"} if operation.name == "stream" else _OBJECT
    success: dict[str, Any] = {"description": operation.answer or "done"}
    if operation.answer:
        success["content"] = {media: {"schema": schema}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.doc,
        "responses": {str(operation.status): success, **{str(status): _error() for status in (*operation.errors, 403)}},
    }
    if operation.name == "start_replay":
        described["responses"]["200"] = {"description": "the replay, which is over", "content": success["content"]}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _names(operation.path)
    ]
    parameters += [
        {"name": query.name, "in": "query", "description": query.doc, "schema": query.schema}
        for query in operation.query
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _error() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": "what is wrong, and what is allowed", "content": content}
