"""An event step made from Python values: what ``mock.send`` sends, and ``mockserver send``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.errors import UsageError
from mockserver.faults.reading import read_faults
from mockserver.faults.request_builder import check_faults
from mockserver.model.events import Catalog, check_json
from mockserver.model.expectations import DELIVERED
from mockserver.model.retry_policies import read_retry
from mockserver.model.sample_changes import PathError, change_sample, copied
from mockserver.script.model import EventStep, expectation_for
from mockserver.script.templates import DataTemplate


def literal_step(
    catalog: Catalog,
    event: str,
    *,
    data: Mapping[str, Any] | None = None,
    override: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    fault: Any = None,
    retry: Any = None,
    extra_events: Sequence[str] = (),
) -> EventStep:
    """Make an event step whose strings are sent as they are: no templates.

    Args:
        catalog: The event types, with their sample data.
        event: The event type.
        data: The data of the payload, exactly; without it, the sample data of the event.
        override: Values that differ from the sample data, by key or dotted path.
        remove: Keys or dotted paths to take away from the sample data.
        fault: A deliberate defect, as a script writes it; None for none.
        retry: A retry policy, as a script writes it; None for none of its own.
        extra_events: Event types beyond the documented ones.

    Raises:
        UsageError: The event is unknown, a path does not exist, ``data`` comes with changes, a value is not JSON, or
            the fault or the policy is not valid.
    """
    catalog.check(event, extra_events)
    content = _data(catalog, event, data, override, remove)
    try:
        faults = read_faults(fault) if fault is not None else ()
        policy = read_retry(retry, catalog.policies) if retry is not None else None
    except ValueError as error:
        raise UsageError(f"{event}: {error}") from None
    if faults:
        check_faults(event, content, faults)
    return EventStep(
        line=0,
        number="1",
        event=event,
        data=DataTemplate.literal(content),
        faults=faults,
        expect=expectation_for(faults) if faults else DELIVERED,
        retry=policy,
        sample_id="" if data is not None else catalog.sample_id(event, content, override or {}),
    )


def _data(
    catalog: Catalog,
    event: str,
    data: Mapping[str, Any] | None,
    override: Mapping[str, Any] | None,
    remove: Sequence[str],
) -> Mapping[str, Any]:
    if isinstance(remove, str):
        remove = (remove,)
    if data is not None:
        if override or remove:
            raise UsageError("data is sent exactly as it is: give either data, or override and remove")
        return _checked(data)
    event_type = catalog.get(event)
    if event_type is None:
        if override or remove:
            raise UsageError(f"{event} has no sample data to change: give its data")
        return {}
    if not override and not remove:
        return event_type.data  # it is only read from here on
    try:
        return _checked(change_sample(event_type.data, override or {}, remove))
    except PathError as error:
        raise UsageError(f"{event}: {error}") from None


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise UsageError(f"data must be an object (a dict), not {type(data).__name__}")
    check_json(data)
    checked: Mapping[str, Any] = copied(data)
    return checked
