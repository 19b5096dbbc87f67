"""Events for the consumers, and delivering them: what the tests of right and of wrong consumers share."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mockserver import sign
from tests.consumers.launch import SECRET, Endpoint
from tests.consumers.post import Answer, post

TIMESTAMP = "2024-12-16T10:00:00Z"


def event(
    event_type: str = "run.failed", object_id: str = "run_def456", *, at: str = TIMESTAMP, **data: Any
) -> dict[str, Any]:
    """An event as the vendor documents it."""
    field = {"evaluation.completed": "evaluation_id", "optimization.completed": "optimization_id"}
    data = {field.get(event_type, "run_id"): object_id, **data}
    return {"event": event_type, "timestamp": at, "data": data}


def compact(value: object) -> bytes:
    """JSON as the vendor sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def deliver(consumer: Endpoint, body: bytes, **options: Any) -> Answer:
    """Post a body with its right signature."""
    return post(consumer.webhook_url, body, sign(body, SECRET), **options)


def deliver_together(consumer: Endpoint, bodies: Sequence[bytes], **options: Any) -> list[Answer]:
    """Deliver each body from a thread of its own, all released at the same time."""
    gate = threading.Barrier(len(bodies))

    def deliver_one(body: bytes) -> Answer:
        gate.wait(60)
        return deliver(consumer, body, **options)

    with ThreadPoolExecutor(len(bodies)) as senders:
        return list(senders.map(deliver_one, bodies))
