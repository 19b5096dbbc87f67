"""Server-sent events: what happens in the mock, as it happens (the format is that of the HTML standard)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from mockserver.core.records import RecordStore
from mockserver.core.vendor_calls import CallLog
from mockserver.core.webhooks import WebhookRegistry
from mockserver.edges.views import call_view, delivery_view, webhook_view

#: So many events wait for a slow reader; then the oldest are left out, and the reader is told how many.
_MOST_WAITING = 1000

#: Seconds between two signs of life, so that a reader that has gone is noticed.
_HEARTBEAT = 15.0


class EventStream:
    """What one reader has not read yet.

    Args:
        records: Where deliveries come from.
        webhooks: Where webhooks come from.
        calls: Where calls to the vendor API come from.
    """

    def __init__(self, records: RecordStore, webhooks: WebhookRegistry, calls: CallLog) -> None:
        self._waiting: list[bytes] = []
        self._dropped = 0
        self._news = asyncio.Event()
        self._subscriptions = [
            records.subscribe(lambda delivery: self._put("delivery", delivery_view(delivery))),
            webhooks.subscribe(lambda webhook: self._put("webhook", webhook_view(webhook))),
            calls.subscribe(lambda call: self._put("request", call_view(call))),
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Write events until the reader goes."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            await response.prepare(request)
            await response.write(b": connected\n\n")
            while True:
                await response.write(await self._next())
        except (ConnectionError, asyncio.CancelledError):
            return response  # the reader is gone, or the server stops
        finally:
            for unsubscribe in self._subscriptions:
                unsubscribe()

    async def _next(self) -> bytes:
        """What has happened since the last time; a sign of life when nothing has."""
        try:
            await asyncio.wait_for(self._news.wait(), _HEARTBEAT)
        except asyncio.TimeoutError:
            return b": still here\n\n"
        self._news.clear()
        waiting, self._waiting = self._waiting, []
        if self._dropped:
            waiting.insert(0, _event("dropped", {"events": self._dropped}))
            self._dropped = 0
        return b"".join(waiting)

    def _put(self, name: str, value: Any) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            del self._waiting[0]
            self._dropped += 1
        self._waiting.append(_event(name, value))
        self._news.set()


def _event(name: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))
