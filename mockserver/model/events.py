"""Events: the catalogue of types, changes to their sample data, and the payload that goes into a delivery's body.

Documented (page "webhooks/create"): four event types, and one sample delivery, for ``run.failed``, with the keys
``event``, ``timestamp`` and ``data`` in that order. The sample data of the other three is ours, and marked so.

``override`` and ``remove`` name places in the sample: a key, or a dotted path (``summary.turns_failed``) with numbers
for items of lists (``changes_made.0.type``). A place that does not exist is an error, so that no typing error passes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from mockserver.errors import UsageError
from mockserver.model.settings import JsonStyle
from mockserver.model.wording import did_you_mean

#: The documented event types, in the order of the vendor's page.
EventName = Literal["run.completed", "run.failed", "evaluation.completed", "optimization.completed"]
DOCUMENTED_EVENTS: tuple[str, ...] = get_args(EventName)

#: An event's data may have this many characters and values, before faults add to it.
LARGEST_DATA = 16 * 1024 * 1024

_encode = msgspec.json.Encoder().encode


class EventType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event type of the vendor, as its data file describes it.

    Args:
        event: Its name, such as ``run.failed``.
        fires_when: When it fires, in the vendor's words.
        documented: Whether the sample data is the vendor's own; otherwise it is ours.
        source: Where the sample data comes from.
        object_id: The key in the data that holds the id of what the event is about.
        data: The sample data.
    """

    event: str
    fires_when: str
    documented: bool
    source: str
    object_id: str
    data: dict[str, Any]


class Catalog:
    """The event types that there are, in the documented order."""

    def __init__(self, types: Iterable[EventType]) -> None:
        by_name = {event_type.event: event_type for event_type in types}
        self._types = {name: by_name[name] for name in DOCUMENTED_EVENTS}

    @property
    def names(self) -> tuple[str, ...]:
        """The event types' names."""
        return tuple(self._types)

    def all(self) -> tuple[EventType, ...]:
        """Return every event type."""
        return tuple(self._types.values())

    def get(self, event: str) -> EventType | None:
        """Return the event type of this name, or None."""
        return self._types.get(event)

    def sample_id(self, event: str, data: Mapping[str, Any], override: Iterable[str]) -> str:
        """Return the key of an object's id in data that was made from the sample; empty where it was overridden."""
        known = self._types.get(event)
        return known.object_id if known and known.object_id in data and known.object_id not in override else ""

    def check_all(self, events: Iterable[str], extra_events: Iterable[str] = ()) -> None:
        """Raise a UsageError for events one of which is not known, or that are not a list."""
        if isinstance(events, str):
            raise UsageError(f"events is a list, such as [{events!r}], not text")
        for event in events:
            self.check(event, extra_events)

    def check(self, event: object, extra_events: Iterable[str] = ()) -> None:
        """Raise a UsageError, which lists what is allowed, for a name that is neither documented nor extra."""
        allowed = (*self._types, *extra_events)
        if event not in allowed:
            hint = did_you_mean(event, allowed) if isinstance(event, str) else ""
            raise UsageError(f"unknown event {event!r}; known are {', '.join(allowed)}{hint}")


def encode_payload(event: str, timestamp: str, data: Mapping[str, Any], style: JsonStyle = "compact") -> bytes:
    """Serialise a delivery's body as UTF-8 JSON: the one place where this happens.

    The keys are in the documented order, and characters outside ASCII stay as they are. The data must hold JSON values
    only (see :func:`check_json`).
    """
    payload = {"event": event, "timestamp": timestamp, "data": data}
    if style == "compact":
        return _encode(payload)
    return json.dumps(payload, ensure_ascii=False).encode()


def check_json(value: Any, where: str = "data") -> None:
    """Raise a UsageError for a value that JSON in UTF-8 cannot hold, before anything is sent.

    That is NaN, infinity, a key that is not a string, half of a surrogate pair, an object that is not JSON, or what is
    too large. ``where`` is how the message names the place.
    """
    pending: list[tuple[str, Any, int]] = [(where, value, 0)]
    size = 0
    while pending:
        place, item, depth = pending.pop()
        size += len(item) if isinstance(item, str) else 1
        if size > LARGEST_DATA:
            raise UsageError(f"{where} is too large: an event has at most {LARGEST_DATA // 1024**2} MiB")
        if depth > 200:
            raise UsageError(f"{where} is nested more than 200 levels deep, or holds itself")
        if isinstance(item, Mapping):
            pending += [(f"{place}.{_checked_key(key, place)}", child, depth + 1) for key, child in item.items()]
        elif isinstance(item, (list, tuple)):
            pending += [(f"{place}[{index}]", child, depth + 1) for index, child in enumerate(item)]
        else:
            _check_scalar(item, place)


def _has_half(text: str) -> bool:
    """Whether a text holds half of a surrogate pair: nothing else keeps it from being UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _checked_key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise UsageError(f"{place} has the key {key!r}: keys of JSON objects are strings")
    if _has_half(key):
        raise UsageError(f"{place} has the key {key!r}, which holds half of a surrogate pair: UTF-8 cannot hold it")
    return key


def _check_scalar(item: Any, place: str) -> None:
    if isinstance(item, float) and not math.isfinite(item):
        raise UsageError(f"{place} is {item}, which JSON cannot hold")
    if isinstance(item, int) and not -(2**63) <= item < 2**64:
        raise UsageError(f"{place} does not fit in 64 bits")
    if isinstance(item, str) and _has_half(item):
        raise UsageError(f"{place} holds half of a surrogate pair, which UTF-8 cannot hold")
    if item is not None and not isinstance(item, (str, int, float)):
        raise UsageError(f"{place} is a {type(item).__name__}, which is not JSON")


_SCALARS = (str, int, float, type(None))


class PathError(ValueError):
    """A place that the sample data does not have; the message says what it has."""


def change_sample(sample: Mapping[str, Any], override: Mapping[str, Any], remove: Sequence[str]) -> dict[str, Any]:
    """Return the sample data, which stays as it is, with some places changed and others removed.

    An object given for an object changes the keys it names; anything else replaces. Raises a PathError for a place that
    does not exist in the sample.
    """
    data: dict[str, Any] = copied(sample)
    for path, value in override.items():
        change_place(data, path, value)
    for path in remove:
        remove_place(data, path)
    return data


def copied(value: Any) -> Any:
    """Copy JSON data, as deep as needed for changing it."""
    if isinstance(value, _SCALARS):  # nearly every value is one, and asking for a Mapping takes long
        return value
    if isinstance(value, (dict, Mapping)):  # dict alone is known at once
        return {key: copied(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(child) for child in value]
    return value


def change_place(data: Any, path: str, value: Any) -> None:
    """Change one place of data, in the data itself; arguments and errors are as for :func:`change_sample`."""
    parent, key = _locate(data, path)
    if isinstance(value, Mapping) and isinstance(parent[key], dict):
        for name, child in value.items():
            if name not in parent[key]:
                raise _no_such(f"{path}.{name}", name, path, parent[key])
            change_place(parent[key], name, child)
    else:
        parent[key] = copied(value)


def remove_place(data: Any, path: str) -> None:
    """Take one place away from data, in the data itself; a place that does not exist is a :class:`PathError`."""
    parent, key = _locate(data, path)
    del parent[key]


def _locate(data: Any, path: str) -> tuple[Any, Any]:
    """The container and the key or index in it that a path names."""
    if isinstance(data, dict) and path in data:
        return data, path
    parent: Any = None
    key: Any = None
    seen = ""
    here = data
    for part in path.split("."):
        parent, key = here, part
        if isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            key = int(part)
        elif not isinstance(here, dict) or part not in here:
            raise _no_such(path, part, seen, here)
        here = parent[key]
        seen = f"{seen}.{part}" if seen else part
    return parent, key


def _no_such(path: str, part: str, seen: str, here: Any) -> PathError:
    where = f"in {seen!r}" if seen else "in the sample data"
    known = list(_keys(here))
    if not known:
        return PathError(f"no {path!r} in the sample data: {seen!r} is a single value or empty")
    return PathError(f"no {part!r} {where}; there are {', '.join(known)}{did_you_mean(part, known)}")


def _keys(here: Any) -> Iterator[str]:
    if isinstance(here, (dict, list)):
        yield from here if isinstance(here, dict) else map(str, range(len(here)))
