"""Waiting for deliveries that a search finds, instead of sleeping; and what came instead when they do not come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mockserver.errors import WaitTimeoutError
from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery, RecordStore
from mockserver.model.search import NearMiss, Search, nearest_misses


class SearchTimeoutError(WaitTimeoutError):
    """Fewer deliveries came than were waited for; the message shows the nearest misses among all that is on record."""

    def __init__(
        self, search: Search, count: int, timeout: float, found: tuple[Delivery, ...], records: Iterable[Delivery]
    ) -> None:
        self.found = found
        self.nearest: tuple[NearMiss, ...] = nearest_misses(search, records)
        what = f"{count} {'delivery' if count == 1 else 'deliveries'} that match {search.text or 'anything'!r}"
        lines = [f"waited {format_duration(timeout)} for {what}; {len(found)} came."]
        lines += [describe_miss(miss) for miss in self.nearest] or ["Nothing else is on record."]
        super().__init__("\n".join(lines))


def describe_miss(miss: NearMiss) -> str:
    """Return a near miss for a reader: the delivery, and why it is not one that was looked for."""
    return f"  near miss: {miss.delivery}\n      because {'; '.join(miss.reasons)}"


async def wait_for_search(records: RecordStore, search: Search, count: int, timeout: float) -> tuple[Delivery, ...]:
    """Wait until enough deliveries that match a search have their final outcome; those that have it already count.

    Raises a SearchTimeoutError if they do not come within ``timeout`` seconds of real time.
    """
    found = [each for each in records.all() if each.outcome != "pending" and search.matches(each)]
    if len(found) >= count:
        return tuple(found)
    enough = asyncio.Event()

    def look(delivery: Delivery) -> None:
        if search.matches(delivery):
            found.append(delivery)
            if len(found) >= count:
                enough.set()

    unsubscribe = records.subscribe(look)
    try:
        await asyncio.wait_for(enough.wait(), timeout)
    except asyncio.TimeoutError:
        raise SearchTimeoutError(search, count, timeout, tuple(found), records.all()) from None
    finally:
        unsubscribe()
    return tuple(found)
