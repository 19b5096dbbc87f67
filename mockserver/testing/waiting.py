"""Waiting for deliveries and registrations, and saying what came when they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mockserver.delivery.in_process import App
from mockserver.errors import StartError, UsageError, WaitTimeoutError
from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery, seen
from mockserver.model.webhooks import Webhook
from mockserver.server.mock import Mock
from mockserver.testing.assertions import describe, matching


async def wait_for_deliveries(
    mock: Mock,
    event: str,
    count: int,
    timeout: float,
    where: Mapping[str, Any] | None,
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


async def wait_for_registration(
    mock: Mock,
    events: Sequence[str],
    timeout: float,
) -> Webhook:
    """Wait until a webhook for some events is registered; see ``MockServer.wait_for_registration``."""
    for event in events:
        mock.catalog.check(event, mock.settings.extra_events)
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

    Raises:
        StartError: One did not start; the message says why.
        UsageError: No route leads to the application.
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
    happened: Callable[[Any], bool],
    subscribe: Callable[[Callable[[Any], None]], Callable[[], None]],
    timeout: float,
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
