"""The OpenAPI 3.1 document of the control API, made from the table of its operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockserver import __version__
from mockserver.control_api.operations import DELIVERY_ID, OPERATIONS, Operation
from mockserver.control_api.schemas import of, schemas
from mockserver.script.package_files import bundled_scripts

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
    """Return the document, ready for JSON.

    Args:
        events: The event types that there are.
    """
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/_mock{operation.path}", {})[operation.method.lower()] = _operation(operation, events)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Control API of the playgent-mockserver", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {f"Error{status}": _error(text) for status, text in _ERRORS.items()},
        },
    }


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
        "tags": [operation.path.split("/")[1].removesuffix(".json")],
        "responses": responses,
    }
    if parameters := _parameters(operation, events):
        described["parameters"] = parameters
    if operation.takes:
        content = {"application/json": {"schema": of(operation.takes)}}
        if operation.takes in ("Script", "EventStep", "Flow"):
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


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": of("Error")}}}
