"""OpenAPI 3.1 documents of the vendor API and of its events.

They are made of the tables, Structs and patterns that the API itself works with, for generators and validators of
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockserver import __version__
from mockserver.model.events import Catalog, EventType
from mockserver.model.settings import Settings
from mockserver.model.signing import SIGNATURE_HEADER
from mockserver.model.webhooks import SECRET_MAX_LENGTH, URL_MAX_LENGTH, RegistrationRules, url_pattern
from mockserver.script.package_files import load_catalog
from mockserver.vendor_api.flows import documented
from mockserver.vendor_api.operations import CODES, RUN, WEBHOOK, Operation

_ABOUT = (
    "The part of the Playgent API that a webhook consumer meets, as the mock server plays it. Operations and answers "
    "marked x-documented are the vendor's; the others are ours, where its documentation is silent."
)
_RATE_HEADERS = {
    "X-RateLimit-Limit": "Requests allowed per minute",
    "X-RateLimit-Remaining": "Requests left in the current minute",
    "X-RateLimit-Reset": "When the next minute begins, in Unix seconds",
}
_ERRORS = {
    400: ("InvalidRequest", "The body is not JSON, or a field is missing or not allowed"),
    401: ("Unauthorized", "There is no API key, or one that is not accepted"),
    403: ("Forbidden", "The Host or Origin header names neither this machine nor an allowed host"),
    404: ("NotFound", "There is nothing with this id"),
    413: ("PayloadTooLarge", "The body is larger than is allowed"),
    429: ("RateLimited", "More requests in a minute than are allowed; only when the limit is enforced"),
    500: ("InternalError", "The mock server failed"),
}
#: What the id at the end of a path is: its name, the call that gave it, and an example.
_IDS = {
    WEBHOOK: ("webhook_id", "the registration", "wh_abc123"),
    RUN: ("run_id", "the call that started the run", "run_def456"),
}
_ERROR_HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}

#: What the events are grouped under.
EVENTS_TAG = "events"


def describe(operations: Sequence[Operation], rules: RegistrationRules, settings: Settings) -> dict[str, Any]:
    """Describe the API as it is set up, ready for JSON."""
    catalog = load_catalog()
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, settings)
    for path, item in paths.items():
        if path in _IDS:
            item["parameters"] = [_id_parameter(*_IDS[path])]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Playgent webhooks, played by a mock", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys([*map(_tag, operations), EVENTS_TAG])],
        "paths": paths,
        "webhooks": event_webhooks(catalog),
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": _about_keys(settings)}},
            "headers": {name: _rate_header(text) for name, text in _RATE_HEADERS.items()}
            | {name: header for headers in _ERROR_HEADERS.values() for name, header in headers.items()},
            "responses": {name: _error(status, text) for status, (name, text) in _ERRORS.items()},
            "schemas": _schemas(rules, [operation.name for operation in operations]) | event_schemas(catalog),
        },
    }


def _tag(operation: Operation) -> str:
    return operation.path.removeprefix("/v1").split("/")[1].removesuffix(".json")


def _about_keys(settings: Settings) -> str:
    return "One of the configured API keys" if settings.api_keys else "Any token that is not empty"


def _operation(operation: Operation, settings: Settings) -> dict[str, Any]:
    success = settings.created_status if operation.creates else 200 if operation.gives else 204
    responses: dict[str, Any] = {str(success): _success(operation)}
    responses |= {
        str(status): {"$ref": f"#/components/responses/{_ERRORS[status][0]}"} for status in _errors(operation)
    }
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [_tag(operation)],
        "description": _about(operation),
        "x-documented": operation.documented,
        "security": [] if operation.open else [{"apiKey": []}],
        "responses": responses,
    }
    if operation.takes:
        schema = {"$ref": f"#/components/schemas/{operation.takes}"}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _about(operation: Operation) -> str:
    if not operation.documented:
        return f"{operation.summary}. Ours: the vendor documents no such operation."
    about = f"{operation.summary}. Request and answer are as the vendor documents them. Ours: the status of success"
    if operation.takes == "Registration":
        about += (
            ", the limits on lengths, http URLs for loopback hosts unless strict, and that the same URL may be "
            "registered twice"
        )
    return f"{about}, and what is marked so."


def _errors(operation: Operation) -> list[int]:
    left_out = set()
    if operation.open:
        left_out.add(401)
    if operation.path not in _IDS:
        left_out.add(404)
    if not operation.takes:
        left_out.add(400)
    return [status for status in _ERRORS if status not in left_out]


def _success(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary, "headers": _rate_headers()}
    if operation.gives:
        schema = {"$ref": f"#/components/schemas/{operation.gives}"}
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _error(status: int, text: str) -> dict[str, Any]:
    own = {name: {"$ref": f"#/components/headers/{name}"} for name in _ERROR_HEADERS.get(status, {})}
    schema = {"$ref": f"#/components/schemas/{_ERRORS[status][0]}Error"}
    return {
        "description": text,
        "headers": _rate_headers() | own,
        "content": {"application/json": {"schema": schema}},
    }


def _rate_headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}


def _rate_header(text: str) -> dict[str, Any]:
    return {"description": text, "required": True, "schema": {"type": "integer", "minimum": 0}}


def _id_parameter(name: str, call: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"The {name} that {call} was answered with",
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def _schemas(rules: RegistrationRules, names: Sequence[str]) -> dict[str, Any]:
    fields = _request_fields(rules)
    schemas: dict[str, Any] = {
        "Registration": {
            "type": "object",
            "required": ["url", "events", "secret"],
            "properties": fields,
            "example": {
                "url": "https://your-app.com/webhooks/playgent",
                "events": list(rules.events[:2]),
                "secret": "whsec_your_secret_key",
            },
        },
        "Webhook": _webhook_schema(rules),
        **{f"{name}Error": _error_schema(CODES[status]) for status, (name, _) in _ERRORS.items()},
        "Document": {"type": "object", "required": ["openapi", "info", "paths"], "additionalProperties": True},
        **resource_schemas(),
    }
    if "updateWebhook" in names:
        changes = {**fields, "active": {"type": "boolean", "description": "Whether it receives deliveries"}}
        schemas["Changes"] = {"type": "object", "properties": changes, "additionalProperties": False}
        schemas["WebhookList"] = {
            "type": "object",
            "required": ["webhooks"],
            "properties": {"webhooks": {"type": "array", "items": {"$ref": "#/components/schemas/Webhook"}}},
            "additionalProperties": False,
        }
    return schemas


def _request_fields(rules: RegistrationRules) -> dict[str, Any]:
    return {
        "url": {
            "type": "string",
            "description": "Where events are posted to; must be HTTPS"
            + ("" if rules.strict else ", or http for a loopback host"),
            "maxLength": URL_MAX_LENGTH,
            "pattern": url_pattern(rules),
        },
        "events": {
            "type": "array",
            "description": "The event types to subscribe to; one named twice counts once",
            "minItems": 1,
            "items": {"type": "string", "enum": list(rules.events)},
        },
        "secret": {
            "type": "string",
            "description": "The key of the signatures; no answer shows it",
            "minLength": 1,
            "maxLength": SECRET_MAX_LENGTH,
            "writeOnly": True,
        },
    }


def _webhook_schema(rules: RegistrationRules) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["webhook_id", "url", "events", "active"],
        "properties": {
            "webhook_id": {"type": "string", "pattern": "^wh_[a-z]{3}[0-9]{3}$"},
            "url": {"type": "string"},
            "events": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(rules.events)}},
            "active": {"type": "boolean"},
        },
        "additionalProperties": False,
    }


def _error_schema(code: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "string", "const": code}, "message": text},
                "additionalProperties": False,
            }
        },
        "additionalProperties": False,
    }


_TIMESTAMP = "2024-12-16T10:00:00Z"
_SIGNED = (
    "`sha256=` and the lower-case hex HMAC-SHA256 of the raw request body, keyed with the webhook's secret as it was "
    "given. Verify it before the body is parsed."
)
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def event_webhooks(catalog: Catalog) -> dict[str, Any]:
    """Describe each event as an item of ``webhooks``, by event type, with the schemas of :func:`event_schemas`."""
    return {each.event: {"post": _received(each)} for each in catalog.all()}


def event_schemas(catalog: Catalog) -> dict[str, Any]:
    """Return the schema of each event's payload, by the name that the items refer to."""
    return {_schema_name(each): _payload_schema(each) for each in catalog.all()}


def event_document(catalog: Catalog) -> dict[str, Any]:
    """Return an OpenAPI document of the events alone, ready for JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Playgent webhook events",
            "version": __version__,
            "description": "What a registered webhook receives. Payloads marked x-documented are the vendor's; the "
            "others are ours, where its documentation shows no sample.",
        },
        # Linters want one; events go to the URL that was registered.
        "servers": [{"url": "/", "description": "The application's own server"}],
        "tags": [{"name": EVENTS_TAG}],
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
        "tags": [EVENTS_TAG],
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


_REQUESTS = (
    documented.RunRequest,
    documented.EvaluateRequest,
    documented.BatchRequest,
    documented.OptimizeRequest,
    documented.AgentRequest,
    documented.TestCaseRequest,
    documented.ScorerRequest,
    documented.ExperimentRequest,
)
_ANSWERS = (
    documented.RunAccepted,
    documented.Run,
    documented.Evaluation,
    documented.Batch,
    documented.Optimization,
    documented.Agent,
    documented.TestCase,
    documented.Scorer,
    documented.Experiment,
)

#: Defaults that mean "left out": the vendor documents none.
_NO_DEFAULTS: tuple[Any, ...] = ("", [], (), {}, None)


def resource_schemas() -> dict[str, Any]:
    """Return the schemas by name; each field says whether the vendor documents it."""
    asked = msgspec.json.schema_components(_REQUESTS, ref_template="#/components/schemas/{name}")[1]
    given = msgspec.json.schema_components(_ANSWERS, ref_template="#/components/schemas/{name}")[1]
    return {name: _marked(schema) for name, schema in {**asked, **given}.items()}


def _marked(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose fields are marked, without defaults that mean nothing."""
    for field in schema.get("properties", {}).values():
        field.setdefault("x-documented", True)
        if field.get("type") == "array":
            field.setdefault("items", {})  # msgspec leaves them out where anything will do; generators want them
        if field.get("type") == "object":
            field.setdefault("additionalProperties", True)  # without it, some take it for an object without keys
        if "default" in field and (field["default"] in _NO_DEFAULTS or "$ref" in field):
            del field["default"]
    return schema
