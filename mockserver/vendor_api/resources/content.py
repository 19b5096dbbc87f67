"""What every resource can say about itself: its id, what the API shows of it, and the data of its events."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class Content(Protocol):
    """The content of a resource: everything about it but its state. It is made once, from the request and the flow."""

    def shown(self, state: str) -> msgspec.Struct:
        """Return what the API shows of it in a state."""
        ...

    def answered(self, state: str) -> msgspec.Struct:
        """Return what the call that made it is answered with."""
        ...

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of one of its documented events; None for an event that is about something else."""
        ...


def plain_json(value: msgspec.Struct) -> Any:
    """Return what the API shows as plain JSON: dicts and lists, as an application reads it."""
    return msgspec.json.decode(msgspec.json.encode(value))
