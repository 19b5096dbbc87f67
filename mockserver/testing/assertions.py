"""Assertions on deliveries, and waiting for them: when they fail, they say what did come and how it differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mockserver.delivery.in_process import App
from mockserver.errors import DeliveryError, StartError, UsageError, WaitTimeoutError
from mockserver.model.expectations import usual_cause
from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery, seen
from mockserver.model.webhooks import Webhook
from mockserver.model.wording import visible
from mockserver.server.mock import Mock

#: How many characters of an answer are shown.
_SHOWN_ANSWER = 500
_SHOWN = 20
_MISSING = object()


def matching(
    deliveries: Sequence[Delivery], event: str, where: Mapping[str, Any] | None = None
) -> tuple[Delivery, ...]:
    """Return the deliveries of an event that the consumer accepted, with these values in its data."""
    return tuple(each for each in deliveries if each.delivered and _difference(each, event, where) is None)


def assert_delivered(
    deliveries: Sequence[Delivery], event: str, times: int | None, where: Mapping[str, Any] | None
) -> tuple[Delivery, ...]:
    """Return the matching deliveries; see ``MockServer.assert_delivered``; raises DeliveryError."""
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
    """Return the deliveries on record, each with the consumer's answer, and how it differs from what was expected."""
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
        lines += [f"      hint: {hint}"] if (hint := _hint(delivery)) else []
    return "\n".join(lines)


def _hint(delivery: Delivery) -> str:
    """What to look at first, where a delivery without faults failed."""
    if delivery.delivered or delivery.faults:
        return ""
    if delivery.error is not None:
        unrouted = delivery.error.kind in ("resolve", "address")
        return 'a route leads a public URL to your application: route("https://...", to=app)' if unrouted else ""
    return usual_cause(delivery.response.status) if delivery.response is not None else ""


def _answer(delivery: Delivery) -> str:
    """What the consumer said, where that helps: the body of an answer that was no success, an app's traceback."""
    if delivery.error is not None and delivery.error.detail:
        return visible(delivery.error.detail.rstrip()).replace("\n", "\n      ")
    if delivery.delivered or delivery.response is None:
        return ""
    text = delivery.response.text.strip()
    text = visible(text if len(text) <= _SHOWN_ANSWER else text[:_SHOWN_ANSWER] + " ...")
    return text.replace("\n", "\n      ")  # at the beginning of a line it could be a command to a CI


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


# ---------------------------------------------------------------- waiting


async def wait_for_deliveries(
    mock: Mock, event: str, count: int, timeout: float, where: Mapping[str, Any] | None
) -> tuple[Delivery, ...]:
    """Wait until ``count`` deliveries of an event have arrived; see ``MockServer.wait_for``."""
    mock.catalog.check(event, mock.settings.extra_events)
    arrived = list(matching(mock.records.all(), event, where))

    def enough(delivery: Delivery) -> bool:
        arrived.extend(matching([delivery], event, where))
        return len(arrived) >= count

    if len(arrived) < count and not await _until(enough, mock.records.subscribe, timeout):
        seen(mock.records.all())  # the message shows them
        what = f"{count} of {event}" + (f" where {dict(where)}" if where else "")
        raise WaitTimeoutError(
            f"waited {format_duration(timeout)} for {what}; {len(arrived)} came.\n"
            + describe(mock.records.all(), event, where)
        )
    return tuple(arrived)


async def wait_for_registration(mock: Mock, events: Sequence[str], timeout: float) -> Webhook:
    """Wait until a webhook for some events is registered; see ``MockServer.wait_for_registration``."""
    mock.catalog.check_all(events, mock.settings.extra_events)
    await start_apps(mock, timeout)
    fitting = [webhook for webhook in mock.webhooks.all() if _fits(webhook, events)]

    def fits(webhook: Webhook) -> bool:
        if _fits(webhook, events):
            fitting.append(webhook)
        return bool(fitting)

    if not fitting and not await _until(fits, mock.webhooks.subscribe, timeout):
        what = f" for {', '.join(events)}" if events else ""
        calls = "\n  ".join(repr(call) for call in mock.calls.calls) or "none"
        raise WaitTimeoutError(
            f"waited {format_duration(timeout)} for a webhook{what} to be registered. "
            f"Calls that the vendor API received:\n  {calls}{_about_lifespans(mock)}"
        )
    return fitting[-1]


async def start_apps(mock: Mock, timeout: float, only: str | App | None = None) -> None:
    """Start the applications that routes lead to, or one of them; see ``MockServer.start``.

    Raises StartError or UsageError.
    """
    if isinstance(only, str):
        raise UsageError(f"only an application in this process can be started, not {only}")
    if problem := await mock.apps.start(timeout, only):
        raise StartError(problem)


def _about_lifespans(mock: Mock) -> str:
    if not mock.apps.without_lifespan:
        return ""
    return "\nAn application is routed with lifespan=False: if its start registers, start it before you wait."


def _fits(webhook: Webhook, events: Sequence[str]) -> bool:
    return webhook.active and set(events) <= set(webhook.events)


async def _until(
    happened: Callable[[Any], bool], subscribe: Callable[[Callable[[Any], None]], Callable[[], None]], timeout: float
) -> bool:
    """Wait until something new is what was waited for; False when it does not come in time."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bool] = loop.create_future()

    def look(news: Any) -> None:
        if happened(news) and not result.done():
            result.set_result(True)

    def give_up() -> None:
        if not result.done():
            result.set_result(False)

    unsubscribe = subscribe(look)
    timer = loop.call_later(max(timeout, 0.0), give_up)
    try:
        return await result
    finally:
        timer.cancel()
        unsubscribe()
