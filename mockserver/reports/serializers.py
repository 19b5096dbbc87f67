"""Records as JSON: what the control API shows, and ``--json`` prints. Secrets are not in it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.model.json_values import NotJsonError, decode_json
from mockserver.model.messages import Exchange, Request, Response
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Attempt, Delivery
from mockserver.model.redaction import HIDDEN, PRIVATE_HEADERS, SHORTEST, Redactor
from mockserver.model.webhooks import Webhook
from mockserver.vendor_api.calls import VendorCall

if TYPE_CHECKING:
    from mockserver.vendor_api.flows.resource import Resource


def brief_view(delivery: Delivery, redactor: Redactor) -> dict[str, Any]:
    """Return a delivery as a row of a table; moments are in seconds since 1970."""
    attempts = delivery.attempts
    last = attempts[-1] if attempts else None
    response = last.response if last else None
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event.type,
        "timestamp": delivery.event.timestamp,
        "webhook_id": delivery.webhook_id,
        "url": redactor.text(delivery.url),
        "source": delivery.source,
        "outcome": delivery.outcome,
        "status": response.status if response else None,
        "error": last.error.kind if last and last.error else None,
        "faults": list(delivery.faults),
        "unmet": len(delivery.unmet),
        "attempts": len(attempts),
        "at": round(attempts[0].at, 3) if attempts else None,
        "real_at": round(attempts[0].real_at, 3) if attempts else None,
        "ms": round(last.exchange.total_ms, 1) if last else None,
    }


def timeline_view(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery with the moments of its attempts, in seconds since 1970 by the clock of its replay."""
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event.type,
        "webhook_id": delivery.webhook_id,
        "source": delivery.source,
        "outcome": delivery.outcome,
        "attempts": [_moment(attempt) for attempt in delivery.attempts],
    }


def _moment(attempt: Attempt) -> dict[str, Any]:
    response = attempt.response
    return {
        "at": round(attempt.at, 3),
        "ms": round(attempt.exchange.total_ms, 1),
        "status": response.status if response else None,
        "error": attempt.error.kind if attempt.error else None,
        "delivered": attempt.delivered,
    }


#: Parameters of a query whose values are private.
_PRIVATE_KEYS = frozenset({"secret", "api_key", "apikey", "token", "access_token", "password"})
#: Keys of a JSON body whose values are private: these, what ends with one of them, and an agent's credentials.
_PRIVATE_KEY = rf"(?i)(.*[_-])?({'|'.join(sorted(_PRIVATE_KEYS))})|credentials|authorization"
#: What is part of other keys whose texts are private, however these are spelled; and what is easily misspelled.
_PRIVATE_WORDS = (
    "secret", "password", "passwd", "passphrase", "privatekey", "apikey", "accesskey", "signingkey", "credential",
    "whsec", "bearer", "authtoken", "authkey",
)  # fmt: skip
_SHORT_WORDS = ("pass", "pwd", "auth")
_OFTEN_MISSPELLED = ("secret", "password", "apikey", "credentials")
#: A longer key is not looked at.
_LONGEST_KEY = 64
#: Where webhooks have their secrets from, texts begin so.
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what they begin with
#: Deeper than this, a body is cut off: Python cannot go down as far as JSON can.
_MOST_SHOWN_LEVELS = 64
#: What an Authorization header without a key may hold.
_SCHEMES = ("bearer", "basic")
_PRIVATE_IN_QUERY = rf"(?i)\b({'|'.join(sorted(_PRIVATE_KEYS))})=[^&]*"


def webhook_view(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as the vendor shows it: without its secret."""
    return {
        "webhook_id": webhook.webhook_id,
        "url": webhook.url,
        "events": list(webhook.events),
        "active": webhook.active,
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery with all its attempts."""
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event.type,
        "timestamp": delivery.event.timestamp,
        "webhook_id": delivery.webhook_id,
        "url": delivery.url,
        "source": delivery.source,
        "faults": list(delivery.faults),
        "outcome": delivery.outcome,
        "unmet": list(delivery.unmet),
        "payload": delivery.payload,
        "attempts": [_attempt_view(attempt) for attempt in delivery.attempts],
    }


def call_view(call: VendorCall) -> dict[str, Any]:
    """Return a call to the vendor API, so that a test sees what the application sent, except for its secrets.

    The API key and the secrets in the body are hidden wherever they are. A body that is not JSON is left out, for
    it cannot be known where in it a secret is.
    """
    body = _decoded(call.body)
    redactor = _redactor(call, body)
    return {
        "number": call.number,
        "received_at": format_timestamp(call.received_at),
        "method": call.method,
        "path": redactor.text(call.path),
        "query": redactor.text(re.sub(_PRIVATE_IN_QUERY, rf"\1={HIDDEN}", call.query)),
        "headers": [[str(name), value] for name, value in redactor.headers(call.headers)],  # names are aiohttp's istr
        "body": redactor.value(_masked(body)),
        "body_size": len(call.body),
        "status": call.status,
        "problem": redactor.text(call.problem),
    }


def refusal_of(call: VendorCall) -> str:
    """Return why a call to the vendor API was refused, without secrets; empty if it was not."""
    return _redactor(call, _decoded(call.body)).text(call.problem) if call.problem else ""


def resource_view(resource: Resource) -> dict[str, Any]:
    """Return what a call has made, with its states and its events, without secrets."""
    request = dict(resource.request)
    redactor = Redactor(_secrets(request))
    return {
        "resource_id": resource.resource_id,
        "account": resource.account,
        "kind": resource.kind,
        "on": resource.on,
        "state": resource.state,
        "created_at": format_timestamp(resource.created_at),
        "history": [{"state": each.state, "at": format_timestamp(each.at)} for each in resource.history],
        "request": redactor.value(_masked(request)),
        "data": redactor.value(_masked(resource.data)),
        "events": [
            {
                "event": each.event,
                "planned": each.planned,
                "delivered": each.delivered,
                "failed": each.failed,
                "not_sent": dict(each.not_sent),
                "unmet": list(each.unmet),
            }
            for each in resource.events
        ],
        "deliveries": list(resource.deliveries),
    }


def encode_view(value: Any) -> bytes:
    """Return a view as JSON in UTF-8, whatever bytes the network has brought into it."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a byte that is no text, kept as half a surrogate pair: escaped, JSON can hold it
        return json.dumps(value).encode()


def _redactor(call: VendorCall, body: Any) -> Redactor:
    return Redactor([*_keys(call), *_secrets(body)])


def _decoded(body: bytes) -> Any:
    """The JSON of a body; None if it is not JSON."""
    try:
        return decode_json(body)
    except NotJsonError:
        return None


def _keys(call: VendorCall) -> list[str]:
    """What was sent as the API key: without the scheme, if there is one."""
    words = [value.split()[-1] for name, value in call.headers if name.lower() in PRIVATE_HEADERS and value.strip()]
    return [word for word in words if word.lower() not in _SCHEMES]


def _secrets(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in a body that are private by the names of their keys."""
    if depth > _MOST_SHOWN_LEVELS:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if _is_private(key):
                yield from (text for text in _texts(item, depth) if text)
            elif len(item if isinstance(item, str) else "") >= SHORTEST and _is_hidden(key, item):
                yield item
        value = [item for key, item in value.items() if not _is_private(key)]
    for item in value if isinstance(value, list) else ():
        yield from _secrets(item, depth + 1)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """Every text in a private value: credentials are an object of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)) and depth <= _MOST_SHOWN_LEVELS:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)


def _masked(value: Any, depth: int = 0) -> Any:
    """A body in which everything with a private key is hidden, whatever its type."""
    if not isinstance(value, (dict, list)):
        return value
    if depth > _MOST_SHOWN_LEVELS:
        return "..."
    if isinstance(value, list):
        return [_masked(item, depth + 1) for item in value]
    return {key: HIDDEN if _is_hidden(key, item) else _masked(item, depth + 1) for key, item in value.items()}


def _is_hidden(key: str, value: Any) -> bool:
    return _is_private(key) or (isinstance(value, str) and (_looks_private(key) or value.startswith(_SECRET_PREFIX)))


def _is_private(key: str) -> bool:
    return re.fullmatch(_PRIVATE_KEY, key) is not None


def _looks_private(key: str) -> bool:
    """Whether a key seems to mean something private, in another spelling or with a slip of the keyboard."""
    if len(key) > _LONGEST_KEY:
        return False
    letters = "".join(filter(str.isalpha, key.lower()))
    words = (letters, *re.split("[^a-z]", key.lower()))
    return (
        letters in _SHORT_WORDS
        or any(word in letters for word in _PRIVATE_WORDS)
        or any(_is_a_slip(word, meant) for word in words if len(word) > 4 for meant in _OFTEN_MISSPELLED)
    )


def _is_a_slip(word: str, meant: str) -> bool:
    """Whether two words differ in one letter, or in two neighbours that have changed places."""
    if abs(len(word) - len(meant)) > 1:
        return False
    begin = 0
    while begin < min(len(word), len(meant)) and word[begin] == meant[begin]:
        begin += 1
    one, other = word[begin:], meant[begin:]
    swapped = len(one) > 1 and len(other) > 1 and one[0] == other[1] and one[1] == other[0] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": format_timestamp(attempt.at),
        "real_at": format_timestamp(attempt.real_at) if attempt.real_at else None,
        "delivered": attempt.delivered,
        "request": _request_view(attempt.request) if attempt.request else None,
        "response": _response_view(attempt.response) if attempt.response else None,
        **_exchange_view(attempt.exchange),
    }


def _request_view(request: Request) -> dict[str, Any]:
    text = request.body.decode("utf-8", "replace")
    view = {"url": request.target.url, "headers": [list(header) for header in request.headers], "body": text}
    return _with_bytes(view, text, request.body)


def _with_bytes(view: dict[str, Any], text: str, body: bytes) -> dict[str, Any]:
    """Add the bytes of a body where they are not those of the text: to check a signature takes what was really sent."""
    return view if text.encode() == body else {**view, "body_base64": b64encode(body).decode()}


def _response_view(response: Response) -> dict[str, Any]:
    headers = [[name, HIDDEN if name in PRIVATE_HEADERS else value] for name, value in response.headers]
    view = {
        "status": response.status,
        "reason": response.reason,
        "headers": headers,
        "body": response.text,
        "body_size": response.body_size,
    }
    return _with_bytes(view, response.text, response.body)


def _exchange_view(exchange: Exchange) -> dict[str, Any]:
    error = exchange.error
    return {
        "error": {"kind": error.kind, "message": error.message, "detail": error.detail} if error else None,
        "address": exchange.address,
        "reused": exchange.reused,
        "resent": exchange.resent,
        "connect_ms": round(exchange.connect_ms, 3),
        "first_byte_ms": round(exchange.first_byte_ms, 3),
        "total_ms": round(exchange.total_ms, 3),
    }
