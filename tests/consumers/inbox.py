"""What each Python consumer does with a delivery, whatever its framework: verify, parse, handle once, answer.

The framework's own file knows how to get the raw body and the header, and how to send an :class:`Answer`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from typing import Any, NamedTuple

WEBHOOK_PATH = "/webhooks/playgent"
EVENTS_PATH = "/debug/events"
SIGNATURE_HEADER = "X-Playgent-Signature"

#: The largest body that is accepted, in bytes.
BODY_LIMIT = 2 * 1024 * 1024
#: Of a larger body so many bytes are still read and thrown away, so that its sender gets to see the 413.
DRAIN_LIMIT = 16 * 1024 * 1024

#: The events that this application understands, each with the field of ``data`` that names its object.
ID_FIELDS = {
    "run.completed": "run_id",
    "run.failed": "run_id",
    "evaluation.completed": "evaluation_id",
    "optimization.completed": "optimization_id",
}

ERRORS = {
    400: "not a valid event",
    401: "invalid signature",
    404: "not found",
    405: "method not allowed",
    413: "body too large",
}


class Event(NamedTuple):
    """What this application keeps of an event."""

    event: str
    id: str
    timestamp: str


class Answer(NamedTuple):
    """An HTTP answer; the body is JSON."""

    status: int
    body: bytes


class MalformedEventError(Exception):
    """A body that carries a good signature and yet is not an event."""


class Inbox:
    """Receives deliveries and remembers, for as long as the process lives, what was handled.

    Args:
        secret: The webhook's secret, used exactly as given.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str]] = set()
        self._effects: list[Event] = []
        self._refused = 0

    def receive(self, body: bytes, signature: str | None) -> Answer:
        """Answer one delivery: 200 handled, known already or not ours; 401 not signed; 400 signed, but no event."""
        if not is_signed(body, signature, self._secret):
            return self._refuse(401)
        try:
            event = parse_event(body)
        except MalformedEventError:
            return self._refuse(400)
        if event is None:
            return render(200, {"status": "ignored"})
        return render(200, {"status": "handled" if self.handle_once(event) else "duplicate"})

    def handle_once(self, event: Event) -> bool:
        """Handle an event unless that was done before; the payload has no event id, so type and object are the key."""
        key = (event.event, event.id)
        with self._lock:  # copies of an event may arrive at the same time
            if key in self._seen:
                return False
            self._effects.append(event)
            self._seen.add(key)
            return True

    def report(self) -> Answer:
        """What was handled, in the order of first handling, and how many deliveries were refused."""
        with self._lock:
            events = [event._asdict() for event in self._effects]
            return render(200, {"count": len(events), "events": events, "refused": self._refused})

    def clear(self) -> Answer:
        """Forget everything."""
        with self._lock:
            self._seen.clear()
            self._effects.clear()
            self._refused = 0
        return self.report()

    def _refuse(self, status: int) -> Answer:
        with self._lock:
            self._refused += 1
        return error(status)


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Compare the header with the signature of the raw body, as the vendor's page shows, but on bytes."""
    expected = "sha256=" + hmac.new(secret.encode("utf-8", "surrogateescape"), body, hashlib.sha256).hexdigest()
    # On text, compare_digest raises for what is not ASCII; surrogates stand for bytes that were not UTF-8.
    return hmac.compare_digest(expected.encode(), (signature or "").encode("utf-8", "surrogatepass"))


def parse_event(body: bytes) -> Event | None:
    """Read an event; None is one of a type that this application does not know.

    Raises:
        MalformedEventError: The body is not JSON, or not an event.
    """
    try:
        payload = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise MalformedEventError from problem
    if not isinstance(payload, dict) or not isinstance(payload.get("event"), str):
        raise MalformedEventError
    id_field = ID_FIELDS.get(payload["event"])
    return None if id_field is None else _known_event(payload, id_field)


def _known_event(payload: dict[str, Any], id_field: str) -> Event:
    timestamp, data = payload.get("timestamp"), payload.get("data")
    if not isinstance(timestamp, str) or not isinstance(data, dict):
        raise MalformedEventError
    object_id = data.get(id_field)
    if not isinstance(object_id, str) or not object_id:
        raise MalformedEventError
    return Event(payload["event"], object_id, timestamp)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def render(status: int, value: object) -> Answer:
    """An answer with a JSON body in ASCII: an id may hold half a surrogate pair, which UTF-8 cannot carry."""
    return Answer(status, json.dumps(value).encode("ascii"))


def error(status: int) -> Answer:
    """The answer for an HTTP error; it tells nothing about the inside."""
    return render(status, {"error": ERRORS.get(status, "bad request")})
