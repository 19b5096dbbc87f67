"""An event step made from Python values: what ``mock.send`` sends, and ``mockserver send``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.core.events import Catalog, check_json
from mockserver.core.sample_changes import PathError, change_sample, copied
from mockserver.core.script.model import EventStep
from mockserver.core.script.templates import DataTemplate
from mockserver.errors import UsageError


def literal_step(
    catalog: Catalog,
    event: str,
    *,
    data: Mapping[str, Any] | None = None,
    override: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    extra_events: Sequence[str] = (),
) -> EventStep:
    """Make an event step whose strings are sent as they are: no templates.

    Args:
        catalog: The event types, with their sample data.
        event: The event type.
        data: The data of the payload, exactly; without it, the sample data of the event.
        override: Values that differ from the sample data, by key or dotted path.
        remove: Keys or dotted paths to take away from the sample data.
        extra_events: Event types beyond the documented ones.

    Raises:
        UsageError: The event is unknown, a path does not exist, ``data`` comes with changes, or a value is not JSON.
    """
    catalog.check(event, extra_events)
    if isinstance(remove, str):
        remove = (remove,)
    if data is not None:
        if override or remove:
            raise UsageError("data is sent exactly as it is: give either data, or override and remove")
        return _step(event, data)
    event_type = catalog.get(event)
    if event_type is None:
        if override or remove:
            raise UsageError(f"{event} has no sample data to change: give its data")
        return _step(event, {})
    try:
        return _step(event, change_sample(event_type.data, override or {}, remove))
    except PathError as error:
        raise UsageError(f"{event}: {error}") from None


def _step(event: str, data: Mapping[str, Any]) -> EventStep:
    if not isinstance(data, Mapping):
        raise UsageError(f"data must be an object (a dict), not {type(data).__name__}")
    check_json(data)
    return EventStep(line=0, number="1", event=event, data=DataTemplate.literal(copied(data)))
