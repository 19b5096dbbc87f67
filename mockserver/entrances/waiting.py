"""Waiting for deliveries and registrations, and saying what came when they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mockserver.core.durations import format_duration
from mockserver.core.records import Delivery
from mockserver.core.webhooks import Webhook
from mockserver.entrances.assertions import describe, matching
from mockserver.entrances.service import Service
from mockserver.errors import WaitTimeoutError


async def wait_for_deliveries(
    service: Service,
    event: str,
    count: int,
    timeout: float,
    where: Mapping[str, Any] | None,
) -> tuple[Delivery, ...]:
    """Wait until so many deliveries of an event have arrived; see ``MockServer.wait_for``."""
    service.catalog.check(event, service.settings.extra_events)

    def arrived() -> tuple[Delivery, ...]:
        return matching(service.records.all(), event, where)

    if not await _until(lambda: len(arrived()) >= count, service.records.subscribe, timeout):
        what = f"{count} of {event}" + (f" where {dict(where)}" if where else "")
        raise WaitTimeoutError(
            f"waited {format_duration(timeout)} for {what}; {len(arrived())} came.\n"
            + describe(service.records.all(), event, where)
        )
    return arrived()


async def wait_for_registration(
    service: Service,
    events: Sequence[str],
    timeout: float,
) -> Webhook:
    """Wait until a webhook for some events is registered; see ``MockServer.wait_for_registration``."""

    def registered() -> list[Webhook]:
        return [each for each in service.webhooks.all() if each.active and set(events) <= set(each.events)]

    if not await _until(lambda: bool(registered()), service.webhooks.subscribe, timeout):
        what = f" for {', '.join(events)}" if events else ""
        calls = "\n  ".join(repr(call) for call in service.calls.calls) or "none"
        raise WaitTimeoutError(
            f"waited {format_duration(timeout)} for a webhook{what} to be registered. "
            f"Calls that the vendor API received:\n  {calls}"
        )
    return registered()[-1]


async def _until(
    condition: Callable[[], bool],
    subscribe: Callable[[Callable[[Any], None]], Callable[[], None]],
    timeout: float,
) -> bool:
    """Wait until a condition holds, looking whenever something happens; False when it does not in time."""
    loop = asyncio.get_running_loop()
    held: asyncio.Future[bool] = loop.create_future()

    def look(_: Any = None) -> None:
        if not held.done() and condition():
            held.set_result(True)

    def give_up() -> None:
        if not held.done():
            held.set_result(False)

    unsubscribe = subscribe(look)
    timer = loop.call_later(max(timeout, 0.0), give_up)
    try:
        look()
        return await held
    finally:
        timer.cancel()
        unsubscribe()
