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
OBJECTS_PATH = "/debug/objects/"  # and the id of one
FAIL_NEXT_PATH = "/debug/fail-next"
SIGNATURE_HEADER = "X-Playgent-Signature"

#: The largest body that is accepted, in bytes.
BODY_LIMIT = 2 * 1024 * 1024
#: Of a larger body this many bytes are still read and thrown away, so that its sender gets to see the 413.
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
    500: "internal error",
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


class StoreError(Exception):
    """The place where effects are kept cannot be reached."""


class Inbox:
    """Receives deliveries and remembers, for as long as the process lives, what was handled.

    Args:
        secret: The webhook's secret, used exactly as given.
    """

    signature_header = SIGNATURE_HEADER

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin with nothing seen, handled or refused."""
        self._seen: set[object] = set()
        self._effects: list[Event] = []
        self._refused = 0
        self._store_is_away = False

    def receive(self, body: bytes, signature: str | None) -> Answer:
        """Answer one delivery: 401 if it is not signed."""
        if not self.is_signed(body, signature):
            return self.refuse(401)
        return self.accept(body)

    def is_signed(self, body: bytes, signature: str | None) -> bool:
        """Compare the header with the signature of the raw body, as the vendor's page shows, but on bytes."""
        # On text, compare_digest raises for what is not ASCII; surrogates stand for bytes that were not UTF-8.
        return hmac.compare_digest(self.sign(body).encode(), (signature or "").encode("utf-8", "surrogatepass"))

    def sign(self, body: bytes) -> str:
        """The header that the vendor sends with a body."""
        key = self._secret.encode("utf-8", "surrogateescape")
        return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()

    def accept(self, body: bytes) -> Answer:
        """Answer a signed delivery: 200 handled, known already or not ours; 400 no event; 500 could not be handled."""
        try:
            event = self.read_event(self.read_json(body))
        except MalformedEventError:
            return self.refuse(400)
        if event is None:
            return render(200, {"status": "ignored"})
        try:
            return self.answer(handled=self.handle_once(event))
        except StoreError:
            return error(500)  # the vendor may deliver it again

    def read_json(self, body: bytes) -> Any:
        """Read a body.

        Raises:
            MalformedEventError: It is not JSON.
        """
        try:
            return json.loads(body.decode("utf-8"), parse_constant=refuse_constant)
        except (ValueError, RecursionError) as problem:
            raise MalformedEventError from problem

    def read_event(self, payload: Any) -> Event | None:
        """Read an event; None is one of a type that this application does not know.

        Raises:
            MalformedEventError: The payload is not an event.
        """
        if not isinstance(payload, dict) or not isinstance(payload.get("event"), str):
            raise MalformedEventError
        id_field = ID_FIELDS.get(payload["event"])
        return None if id_field is None else _known_event(payload, id_field)

    def handle_once(self, event: Event) -> bool:
        """Handle an event unless that was done before; one that failed was not done."""
        with self._lock:  # copies of an event may arrive at the same time
            if self.key(event) in self._seen:
                return False
            self.handle(event)
            self._seen.add(self.key(event))
            return True

    def key(self, event: Event) -> object:
        """What makes two deliveries copies of each other: the payload has no event id, so type and object are it."""
        return (event.event, event.id)

    def handle(self, event: Event) -> None:
        """Do what this application does about an event.

        Raises:
            StoreError: It could not be done, and nothing of it was.
        """
        self.reach_store()
        self._effects.append(event)

    def reach_store(self) -> None:
        """Fail if that was asked for, as if the database were away for a moment."""
        if self._store_is_away:
            self._store_is_away = False
            raise StoreError

    def answer(self, *, handled: bool) -> Answer:
        """The answer to an event that was handled, now or before."""
        return render(200, {"status": "handled" if handled else "duplicate"})

    def refuse(self, status: int) -> Answer:
        """The answer to a delivery that cannot be taken, which is counted."""
        with self._lock:
            self._refused += 1
        return error(status)

    def report(self) -> Answer:
        """What was handled, in the order of first handling, and how many deliveries were refused."""
        with self._lock:
            events = [event._asdict() for event in self._effects]
            return render(200, {"count": self.count(), "events": events, "refused": self._refused})

    def count(self) -> int:
        """How many events were handled."""
        return len(self._effects)

    def state(self, object_id: str) -> Answer:
        """What the events about one object come to, in whichever order they arrived."""
        with self._lock:
            events = [event for event in self._effects if event.id == object_id]
        latest = self.latest(events).event if events else None
        return render(200, {"id": object_id, "latest": latest, "events": sorted({event.event for event in events})})

    def latest(self, events: list[Event]) -> Event:
        """The event that happened last; the vendor's timestamps, all of one form and in UTC, sort as text."""
        return max(events, key=lambda event: (event.timestamp, event.event))

    def fail_next(self) -> Answer:
        """Let the handling of the next event fail, once."""
        with self._lock:
            self._store_is_away = True
        return render(200, {"status": "the next event will fail"})

    def clear(self) -> Answer:
        """Forget everything."""
        with self._lock:
            self.forget()
        return self.report()


def _known_event(payload: dict[str, Any], id_field: str) -> Event:
    timestamp, data = payload.get("timestamp"), payload.get("data")
    if not isinstance(timestamp, str) or not isinstance(data, dict):
        raise MalformedEventError
    object_id = data.get(id_field)
    if not isinstance(object_id, str) or not object_id:
        raise MalformedEventError
    return Event(payload["event"], object_id, timestamp)


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's reader takes."""
    raise ValueError(f"{name} is not JSON")


def render(status: int, value: object) -> Answer:
    """An answer with a JSON body in ASCII: an id may hold half a surrogate pair, which UTF-8 cannot carry."""
    return Answer(status, json.dumps(value).encode("ascii"))


def error(status: int) -> Answer:
    """The answer for an HTTP error; it reveals nothing about the inside."""
    return render(status, {"error": ERRORS.get(status, "bad request")})
