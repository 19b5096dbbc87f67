"""Assertions on deliveries that say, when they fail, what did come and how it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.errors import DeliveryError
from mockserver.model.records import Delivery

_SHOWN = 20
_MISSING = object()


def matching(
    deliveries: Sequence[Delivery], event: str, where: Mapping[str, Any] | None = None
) -> tuple[Delivery, ...]:
    """Return the deliveries of an event that the consumer accepted, with these values in its data.

    Args:
        deliveries: Where to look.
        event: The event type.
        where: Values that the data must have, by key or dotted path.
    """
    return tuple(each for each in deliveries if each.delivered and _difference(each, event, where) is None)


def assert_delivered(
    deliveries: Sequence[Delivery], event: str, times: int | None, where: Mapping[str, Any] | None
) -> tuple[Delivery, ...]:
    """Return the matching deliveries; see ``MockServer.assert_delivered``.

    Raises:
        DeliveryError: There are not as many as expected; the message shows what there is, and the first differences.
    """
    found = matching(deliveries, event, where)
    if len(found) == times or (times is None and found):
        return found
    expected = "at least one delivery" if times is None else f"{times} deliver{'y' if times == 1 else 'ies'}"
    condition = f" where {dict(where)}" if where else ""
    raise DeliveryError(
        f"expected {expected} of {event}{condition}, and there {'is' if len(found) == 1 else 'are'} {len(found)}\n"
        + describe(deliveries, event, where)
    )


def describe(deliveries: Sequence[Delivery], event: str = "", where: Mapping[str, Any] | None = None) -> str:
    """Return the deliveries on record, each with the consumer's answer, and how it differs from what was expected.

    Args:
        deliveries: What to describe.
        event: The event type that was expected; empty when nothing was.
        where: Values that its data was expected to have.
    """
    if not deliveries:
        return "Nothing was sent."
    lines = [f"The record has {len(deliveries)} deliver{'y' if len(deliveries) == 1 else 'ies'}:"]
    if len(deliveries) > _SHOWN:
        lines[0] = f"The record has {len(deliveries)} deliveries, the last {_SHOWN} of them:"
    for delivery in deliveries[-_SHOWN:]:
        lines.append(f"  {delivery}")
        difference = _difference(delivery, event, where) if event else None
        lines += [f"      differs: {difference}"] if difference else []
        lines += [f"      answer: {answer}"] if (answer := _answer(delivery)) else []
    return "\n".join(lines)


def _answer(delivery: Delivery) -> str:
    """What the consumer said, where that helps: the body of an answer that was no success, an app's traceback."""
    if delivery.error is not None and delivery.error.detail:
        return delivery.error.detail.rstrip().replace("\n", "\n      ")
    if delivery.delivered or delivery.response is None:
        return ""
    text = delivery.response.text.strip()
    return text if len(text) <= 500 else text[:500] + " ..."


def _difference(delivery: Delivery, event: str, where: Mapping[str, Any] | None) -> str | None:
    """The first difference between a delivery and what was expected; None if there is none."""
    if delivery.event.type != event:
        return f"the event is {delivery.event.type}"
    for path, expected in (where or {}).items():
        actual = _at(delivery.data, path)
        if actual is _MISSING:
            return f"the data has no {path!r}"
        if actual != expected:
            return f"{path} is {actual!r}, not {expected!r}"
    return None


def _at(data: Any, path: str) -> Any:
    if isinstance(data, Mapping) and path in data:
        return data[path]
    for part in path.split("."):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return _MISSING
    return data
