"""Notes on a script that can be replayed, but may not do what its author means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mockserver.errors import Problem
from mockserver.faults.registry import is_signature_fault
from mockserver.model.events import Catalog
from mockserver.script.expressions import TemplateError
from mockserver.script.model import EventStep, Script
from mockserver.script.templates import FIRST, Moment

#: Faults after which it is no accident that an event is the same as another, or that it does not arrive.
_ON_PURPOSE = frozenset({"duplicate", "concurrent_duplicates", "lost"})


def notes(script: Script, catalog: Catalog) -> list[Problem]:
    """Return what the author of a script should know, in the order of the script.

    Two events of one type about one object are one event to a consumer that handles each event once, so it ignores the
    second; the sample data of an event always has the same id.

    Args:
        script: The script.
        catalog: The event types; they say which key holds the id of the object.
    """
    return list(_same_events(script, catalog))


def _same_events(script: Script, catalog: Catalog) -> Iterator[Problem]:
    first: dict[tuple[str, Any], EventStep] = {}
    for step in script.event_steps():
        key = _identity(step, catalog)
        if key is None:
            continue
        event, object_id = key
        what = f"{event} with the id {object_id!r}"
        advice = "give it an id of its own, or say fault: duplicate where that is meant"
        if step.repeat > 1:
            message = f"its {step.repeat} repeats are {what}: one event to a consumer that handles each once; {advice}"
            yield Problem(step.line, 1, message)
        elif key in first:
            other = first[key]
            message = f"this is {what}, as step {other.number} in line {other.line} is: one event to a consumer"
            yield Problem(step.line, 1, f"{message} that handles each once; {advice}")
        first.setdefault(key, step)


def _identity(step: EventStep, catalog: Catalog) -> tuple[str, Any] | None:
    """Return the event's type and the id of its object; None where that is not the same for all its repeats."""
    event_type = catalog.get(step.event)
    if event_type is None or is_signature_fault(step.faults) or _ON_PURPOSE & {fault.name for fault in step.faults}:
        return None
    key = event_type.object_id
    object_id = step.data.source.get(key)
    if isinstance(object_id, str) and "{{" in object_id:
        one, other = (_rendered(step, key, index) for index in range(2))
        object_id = one if one == other else None
    return (step.event, object_id) if isinstance(object_id, (str, int)) else None


def _rendered(step: EventStep, key: str, index: int) -> Any:
    try:
        return step.data.render(Moment(index, FIRST.now, str(index))).get(key)
    except TemplateError:  # it works for the first event, as reading has shown, but not for this one
        return index
