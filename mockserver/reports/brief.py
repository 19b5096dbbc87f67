"""Deliveries in brief: what a table or a time line shows of each, without bodies."""

from __future__ import annotations

from typing import Any

from mockserver.model.records import Attempt, Delivery


def brief_view(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as a row of a table; moments are in seconds since 1970.

    Args:
        delivery: The delivery; it may still be under way.
    """
    attempts = delivery.attempts
    last = attempts[-1] if attempts else None
    response = last.response if last else None
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event.type,
        "timestamp": delivery.event.timestamp,
        "webhook_id": delivery.webhook_id,
        "url": delivery.url,
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
