"""The OpenAPI 3.1 document of the control API: its operations, and the JSON Schemas of what they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from mockserver import __version__
from mockserver.control_api.call import (
    ADVANCE_FIELDS,
    CHECK_FIELDS,
    PLANNED_ANSWER_BODY,
    RESEND_FIELDS,
    WEBHOOK_CHANGE_FIELDS,
)
from mockserver.control_api.client_schemas import for_clients, of, script_schemas
from mockserver.control_api.operations import (
    DELIVERY_ID,
    KINDS,
    MOST_REPEATS_OF_A_CALL,
    OPERATIONS,
    RESOURCE_STATES,
    Operation,
)
from mockserver.model.events import DOCUMENTED_EVENTS
from mockserver.model.fields import Field, Fields, Schema, Whole, object_schema
from mockserver.model.records import Outcome
from mockserver.model.webhooks import TARGET_URL_PATTERN
from mockserver.script.format import EVENT_FIELDS, without_editor_messages
from mockserver.script.package_files import bundled_scripts

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_YES_OR_NO: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_HEADERS: Schema = {"type": "array", "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}}


def schemas(events: Sequence[str] = DOCUMENTED_EVENTS) -> dict[str, Schema]:
    """Return every schema, by the name under which the document refers to it.

    Args:
        events: The event types that there are.
    """
    repeat = Field(Whole(1, MOST_REPEATS_OF_A_CALL), "how many times it happens; for more, replay a script")
    step = object_schema({**EVENT_FIELDS, "repeat": repeat}, example={"event": "run.failed"})
    script = script_schemas(EventStep=step)
    others = for_clients({**_taken(events), **_given()})
    return {**script, "FlowScript": _with_flows(script["Script"]), **others}


# --- what it takes


def _taken(events: Sequence[str]) -> dict[str, Schema]:
    return {
        "NewFlows": {
            "description": "A flow of the script format, or a script with flows",
            "anyOf": [of("Flow"), of("FlowScript")],
            "example": {"on": "POST /v1/runs", "outcome": "failed"},
        },
        "Resend": _body(RESEND_FIELDS, {"fresh": True}),
        "Advance": _body(ADVANCE_FIELDS, {"by": "5m"}),
        "PlannedAnswer": _body(PLANNED_ANSWER_BODY, {"status": 429, "times": 2, "headers": {"Retry-After": "1"}}),
        "Registration": _object(
            {
                "url": {"type": "string", "pattern": TARGET_URL_PATTERN},
                "events": {"type": "array", "items": {"enum": list(events)}, "minItems": 1},
                "secret": {"type": "string", "minLength": 1},
            },
            ("url", "secret"),
            example={"url": "http://127.0.0.1:3000/webhooks/playgent", "secret": "whsec_test"},
        ),
        "CheckRequest": {
            **_body(CHECK_FIELDS, {"url": "http://127.0.0.1:3000/webhooks/playgent", "secret": "whsec_test"}),
            "description": "either webhook_id, or url and secret",
        },
        "WebhookChange": _body(WEBHOOK_CHANGE_FIELDS, {"active": False}),
    }


def _with_flows(script: Schema) -> Schema:
    flows = {**script["properties"]["flows"], "minItems": 1}
    return {
        **script,
        "description": "A script with flows",
        "properties": {**script["properties"], "flows": flows},
        "required": [*script["required"], "flows"],
        "example": {"version": 1, "flows": [{"on": "POST /v1/runs", "outcome": "failed"}]},
    }


def _body(fields: Fields, example: dict[str, Any]) -> Schema:
    return {**without_editor_messages(object_schema(fields)), "example": example}


# --- what it gives


def _given() -> dict[str, Schema]:
    webhook = _object({"webhook_id": _TEXT, "url": _TEXT, "events": _TEXTS, "active": _YES_OR_NO})
    return {
        "Health": _object(
            {"status": {"const": "ok"}, "time": _MOMENT, "webhooks": _COUNT, "deliveries": _COUNT, "dropped": _COUNT}
        ),
        "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
        "Time": _object({"time": _MOMENT}),
        "Webhook": webhook,
        "Webhooks": _object({"webhooks": {"type": "array", "items": of("Webhook")}}),
        "Request": _request(),
        "Requests": _object({"requests": {"type": "array", "items": of("Request")}, "dropped": _COUNT}),
        **_resources(),
        "PlannedFailures": _object({"pending": _COUNT}),
        **_deliveries(),
        **_brief(),
        **_catalog(),
        **_checks(),
        **_replays(),
        "Error": _error(),
    }


def _request() -> Schema:
    body = {"description": "the JSON, its secrets hidden; null when it is not JSON, or there is none"}
    return _object({
        "number": _COUNT, "received_at": _MOMENT, "method": _TEXT, "path": _TEXT, "query": _TEXT, "headers": _HEADERS,
        "body": body, "body_size": _COUNT, "status": _COUNT, "problem": _TEXT,
    })  # fmt: skip


def _resources() -> dict[str, Schema]:
    anything: Schema = {"type": "object"}
    state: Schema = {"enum": list(RESOURCE_STATES)}
    event = _object({
        "event": _TEXT, "planned": _COUNT, "delivered": _COUNT, "failed": _COUNT,
        "not_sent": {"type": "object", "additionalProperties": _COUNT}, "unmet": _TEXTS,
    })  # fmt: skip
    resource = _object({
        "resource_id": _TEXT, "account": _TEXT, "kind": {"enum": list(KINDS)}, "on": _TEXT, "state": state,
        "created_at": _MOMENT,
        "history": {"type": "array", "items": _object({"state": state, "at": _MOMENT})}, "request": anything,
        "data": anything, "events": {"type": "array", "items": event}, "deliveries": _TEXTS,
    })  # fmt: skip
    flow = _object({
        "flow": anything, "source": _TEXT, "used": _COUNT, "left": _or_null(_COUNT), "standing": _YES_OR_NO,
    })  # fmt: skip
    return {
        "Resource": resource,
        "Resources": _object({"resources": {"type": "array", "items": of("Resource")}, "dropped": _COUNT}),
        "Flows": _object({"flows": {"type": "array", "items": flow}}),
    }


def _deliveries() -> dict[str, Schema]:
    delivery_id = {"type": "string", "pattern": f"^{DELIVERY_ID}$"}
    payload = {"type": "object", "required": ["event", "timestamp", "data"]}
    sent = _object(
        {"url": _TEXT, "headers": _HEADERS, "body": _TEXT, "body_base64": {**_TEXT, "contentEncoding": "base64"}},
        required=("url", "headers", "body"),
    )
    response = _object(
        {
            "status": _COUNT, "reason": _TEXT, "headers": _HEADERS, "body": _TEXT, "body_size": _COUNT,
            "body_base64": {**_TEXT, "contentEncoding": "base64"},
        },
        required=("status", "reason", "headers", "body", "body_size"),
    )  # fmt: skip
    attempt = _object({
        "number": _COUNT, "at": _MOMENT, "real_at": _or_null(_MOMENT), "delivered": _YES_OR_NO,
        "request": _or_null(sent), "response": _or_null(response),
        "error": _or_null(_object({"kind": _TEXT, "message": _TEXT, "detail": _TEXT})),
        "address": _TEXT, "reused": _YES_OR_NO, "resent": _YES_OR_NO,
        "connect_ms": _NUMBER, "first_byte_ms": _NUMBER, "total_ms": _NUMBER,
    })  # fmt: skip
    delivery = _object({
        "delivery_id": delivery_id, "event": _TEXT, "timestamp": _MOMENT, "webhook_id": _TEXT, "url": _TEXT,
        "source": _TEXT, "faults": _TEXTS, "outcome": {"enum": list(get_args(Outcome))}, "unmet": _TEXTS,
        "payload": payload, "attempts": {"type": "array", "items": of("Attempt")},
    })  # fmt: skip
    several = {"type": "array", "items": of("Delivery")}
    following = _or_null({**delivery_id, "description": "the id to go on after; null at the end"})
    dropped = {**_COUNT, "description": "how many are no longer on record"}
    return {
        "Attempt": attempt,
        "Delivery": delivery,
        "Deliveries": _object({"deliveries": several, "next": following, "dropped": dropped}),
        "Found": _object({"count": _COUNT, "deliveries": several}),
        "Sent": _object({"delivered": _YES_OR_NO, "deliveries": several, "explanation": _TEXT}),
    }


def _brief() -> dict[str, Schema]:
    delivery_id = {"type": "string", "pattern": f"^{DELIVERY_ID}$"}
    outcome = {"enum": ["pending", "delivered", "failed"]}
    row = _object({
        "delivery_id": delivery_id, "event": _TEXT, "timestamp": _MOMENT, "webhook_id": _TEXT, "url": _TEXT,
        "source": _TEXT, "outcome": outcome, "status": _or_null(_COUNT), "error": _or_null(_TEXT), "faults": _TEXTS,
        "unmet": _COUNT, "attempts": _COUNT, "at": _or_null(_NUMBER),
        "real_at": _or_null(_NUMBER), "ms": _or_null(_NUMBER),
    })  # fmt: skip
    moment = _object({
        "at": _NUMBER, "ms": _NUMBER, "status": _or_null(_COUNT), "error": _or_null(_TEXT), "delivered": _YES_OR_NO,
    })  # fmt: skip
    bar = _object({
        "delivery_id": delivery_id, "event": _TEXT, "webhook_id": _TEXT, "source": _TEXT, "outcome": outcome,
        "attempts": {"type": "array", "items": moment},
    })  # fmt: skip
    signature = _object({"header": _TEXT, "value": _or_null(_TEXT), "valid": _or_null(_YES_OR_NO)})
    return {
        "BriefDelivery": row,
        "BriefDeliveries": _object({
            "deliveries": {"type": "array", "items": of("BriefDelivery")}, "next": _or_null(delivery_id),
            "on_record": _COUNT, "dropped": _COUNT,
        }),
        "Timeline": _object({"deliveries": {"type": "array", "items": bar}, "left_out": _COUNT}),
        "Snippets": _object({
            "curl": _or_null(_TEXT), "no_curl": _TEXT, "step": _TEXT, "pytest": _TEXT, "node": _TEXT,
            "verify": _TEXT, "signature": signature,
        }),
    }  # fmt: skip


def _checks() -> dict[str, Schema]:
    finding = {
        "id": _TEXT, "name": _TEXT, "severity": {"enum": ["must", "should", "note"]}, "verdict": _TEXT,
        "summary": _TEXT, "seconds": _NUMBER,
    }  # fmt: skip
    run = _object({
        "check_id": _TEXT, "done": _YES_OR_NO, "running": _or_null(_TEXT), "ok": _YES_OR_NO, "problem": _TEXT,
        "checks": _COUNT, "diagnosis": _or_null(_object({"explanation": _TEXT, "fix": _TEXT})),
        "findings": {"type": "array", "items": _object({**finding, "fix": _or_null(_TEXT), "evidence": _COUNT})},
    })  # fmt: skip
    evidence = {"type": "array", "description": "the deliveries, each with a curl command", "items": {"type": "object"}}
    shown = {
        "type": "object", "properties": {**finding, "fix": _TEXT, "why": _TEXT, "evidence": evidence},
        "required": ["id", "verdict", "summary", "evidence"],
    }  # fmt: skip
    return {"CheckRun": run, "CheckFinding": shown}


def _catalog() -> dict[str, Schema]:
    data = _or_null({"type": "object"})
    parameter = _object({"name": _TEXT, "doc": _TEXT, "default": _or_null(_TEXT)})
    parts = {
        "events": _object({"event": _TEXT, "fires_when": _TEXT, "documented": _YES_OR_NO, "data": data}),
        "faults": _object({
            "name": _TEXT, "layer": _TEXT, "doc": _TEXT, "forged": _YES_OR_NO,
            "parameters": {"type": "array", "items": parameter},
        }),
        "retries": _object({"name": _TEXT, "delays": {"type": "array", "items": _NUMBER}, "note": _TEXT}),
        "scripts": _object({"name": _TEXT, "source": _TEXT}),
        "search": _object({"key": _TEXT, "example": _TEXT, "doc": _TEXT}),
        "checks": _object({"id": _TEXT, "name": _TEXT, "severity": _TEXT, "sends": _TEXT}),
    }  # fmt: skip
    lists = {name: {"type": "array", "items": item} for name, item in parts.items()}
    speed = {"anyOf": [_NUMBER, {"enum": ["max", "stepped"]}]}
    return {
        "Catalog": _object({"version": _TEXT, "speed": speed, "strict": _YES_OR_NO, "operations": _TEXTS, **lists}),
        "Validated": _object({"planned": _COUNT, "seconds": _NUMBER}),
    }


def _replays() -> dict[str, Schema]:
    counts = dict.fromkeys(("planned", "delivered", "failed", "not_sent", "unmet"), _COUNT)
    reasons = {"type": "object", "additionalProperties": _COUNT}
    step = _object({"number": _TEXT, "line": _COUNT, "what": _TEXT, **counts, "not_sent": reasons})
    report = {
        **_object({
            "script": _TEXT, "name": _TEXT, "ok": _YES_OR_NO, **counts, "interrupted": _COUNT,
            "reasons": reasons, "halted": _or_null(_TEXT),
            "seconds": _NUMBER, "scripted_seconds": _NUMBER, "steps": {"type": "array", "items": step},
            "explanations": _TEXTS,
        }),
        "description": "planned = delivered + failed + not_sent, once it is over; not_sent includes interrupted",
    }  # fmt: skip
    row = _object({"replay_id": _TEXT, "done": _YES_OR_NO, "script": _TEXT, "name": _TEXT, "ok": _YES_OR_NO, **counts})
    return {
        "Replay": _object({"replay_id": _TEXT, "done": _YES_OR_NO, "report": report}),
        "Replays": _object({"replays": {"type": "array", "items": row}}),
    }


def _error() -> Schema:
    problem = _object({"line": _COUNT, "column": _COUNT, "message": _TEXT})
    problems = {"type": "array", "description": "all that is wrong with a script", "items": problem}
    miss = _object({"delivery_id": _TEXT, "event": _TEXT, "outcome": _TEXT, "reasons": _TEXTS})
    nearest = {"type": "array", "description": "what comes nearest to a search, and why it does not match",
               "items": miss}  # fmt: skip
    error = {"code": _TEXT, "message": _TEXT, "problems": problems, "found": _COUNT, "nearest": nearest}
    return _object({"error": _object(error, required=("code", "message"))})


def _object(properties: dict[str, Schema], required: tuple[str, ...] | None = None, **more: Any) -> Schema:
    """An object with these properties and no others; all of them are there unless ``required`` names fewer."""
    names = list(properties if required is None else required)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {**schema, "required": names} if names else schema


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_ABOUT = (
    "Ours, not the vendor's: what tests in any language drive the mock with. Bodies may be sent with any Content-Type; "
    "scripts and event steps may also be YAML. Requests of web pages (a foreign Host or Origin) are refused."
)
_ERRORS = {
    400: "The query or the body is not what it must be, or what is asked for is not possible; the message says why",
    403: "The Host or Origin header is foreign",
    404: "There is no such thing",
    408: "It did not come in time; the answer says what came, and what was nearest",
    413: "The body is larger than is allowed",
}
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "delivery_id": {"schema": {"type": "string", "pattern": f"^{DELIVERY_ID}$"}, "example": "dlv_000001"},
    "replay_id": {"schema": {"type": "string", "minLength": 1}, "example": "rpl_000001"},
    "check_id": {"schema": {"type": "string", "minLength": 1}, "example": "chk_000001"},
    "finding": {"schema": {"type": "string", "minLength": 1}, "example": "PG010"},
    "resource_id": {"schema": {"type": "string", "minLength": 1}, "example": "run_abc123"},
    "webhook_id": {"schema": {"type": "string", "minLength": 1}, "example": "wh_abc123"},
}


def describe(events: Sequence[str]) -> dict[str, Any]:
    """Return the document, ready for JSON."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/_mock{operation.path}", {})[operation.method.lower()] = _operation(operation, events)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Control API of the playgent-mockserver", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, OPERATIONS))],
        "security": [],
        "paths": paths,
        "components": {
            "schemas": schemas(events),
            "responses": {f"Error{status}": _error_response(text) for status, text in _ERRORS.items()},
        },
    }


def _tag(operation: Operation) -> str:
    return operation.path.split("/")[1].removesuffix(".json")


def _operation(operation: Operation, events: Sequence[str]) -> dict[str, Any]:
    success = _success(operation)
    responses = {str(operation.status): success}
    if operation.name == "start_replay":
        responses["200"] = {**success, "description": "The replay, which is over; with wait=true"}
    for status in sorted({400, 403, *operation.errors}):
        responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.doc,
        "tags": [_tag(operation)],
        "responses": responses,
    }
    if parameters := _parameters(operation, events):
        described["parameters"] = parameters
    if operation.takes:
        content = {"application/json": {"schema": of(operation.takes)}}
        if operation.takes in ("Script", "EventStep", "NewFlows"):
            content["application/yaml"] = {"schema": of(operation.takes)}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _success(operation: Operation) -> dict[str, Any]:
    if operation.name == "stream":
        return {"description": operation.answer, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    if operation.gives is None:
        return {"description": operation.answer}
    return {"description": operation.answer, "content": {"application/json": {"schema": of(operation.gives)}}}


def _parameters(operation: Operation, events: Sequence[str]) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    in_path = [{"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]} for name in names]
    known = {"event": list(events), "script": list(bundled_scripts())}
    in_query = [
        {"name": query.name, "in": "query", "description": query.doc,
         "schema": {**query.schema, "enum": known[query.name]} if query.name in known else query.schema}
        for query in operation.query
    ]  # fmt: skip
    return in_path + in_query


def _error_response(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": of("Error")}}}
