"""Records as JSON: what the control API shows, and ``--json`` prints. Secrets are not in it."""

from __future__ import annotations

from typing import Any

from mockserver.core.durations import format_timestamp
from mockserver.core.messages import Exchange, Request, Response
from mockserver.core.records import Attempt, Delivery
from mockserver.core.vendor_calls import VendorCall
from mockserver.core.webhooks import Webhook

_PRIVATE = ("authorization", "proxy-authorization", "cookie", "set-cookie")


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
        "outcome": delivery.outcome,
        "payload": delivery.payload,
        "attempts": [_attempt_view(attempt) for attempt in delivery.attempts],
    }


def call_view(call: VendorCall) -> dict[str, Any]:
    """Return a call to the vendor API; the secret in a body is the caller's own, and stays out."""
    return {
        "number": call.number,
        "received_at": format_timestamp(call.received_at),
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "headers": [[name, "***" if name.lower() in _PRIVATE else value] for name, value in call.headers],
        "status": call.status,
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": format_timestamp(attempt.at),
        "delivered": attempt.delivered,
        "request": _request_view(attempt.request) if attempt.request else None,
        "response": _response_view(attempt.response) if attempt.response else None,
        **_exchange_view(attempt.exchange),
    }


def _request_view(request: Request) -> dict[str, Any]:
    return {
        "url": request.target.url,
        "headers": [list(header) for header in request.headers],
        "body": request.body.decode("utf-8", "replace"),
    }


def _response_view(response: Response) -> dict[str, Any]:
    headers = [[name, "***" if name in _PRIVATE else value] for name, value in response.headers]
    return {
        "status": response.status,
        "reason": response.reason,
        "headers": headers,
        "body": response.text,
        "body_size": response.body_size,
    }


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
