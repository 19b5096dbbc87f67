"""Server-sent events: what happens in the mock, as it happens (the format is that of the HTML standard)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from mockserver.model.records import Delivery, RecordStore
from mockserver.model.redaction import Redactor
from mockserver.model.search import Search
from mockserver.model.webhooks import Webhook, WebhookRegistry
from mockserver.reports.serializers import brief_view, call_view, delivery_view, encode_view, webhook_view
from mockserver.vendor_api.calls import CallLog, VendorCall

#: The most events that wait for a slow reader; then the oldest are left out, and the reader learns how many.
MOST_WAITING = 1000

#: The most bytes of events that wait for it; the newest event does, whatever its size.
MOST_WAITING_BYTES = 16 * 1024 * 1024

#: The most bytes that are handed to the network at once: what it has taken, no limit of ours bounds any more.
MOST_WRITTEN = 256 * 1024

#: Seconds between two signs of life, so that proxies and readers know that the stream is alive.
_HEARTBEAT = 15.0

#: Seconds between two looks whether the reader is still there: aiohttp does not report that it went.
_LOOK = 0.25


class EventEncoder:
    """Encodes each event once for all readers, who then hold the same bytes.

    Args:
        redactor: Hides what is private by setting.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._last: tuple[object, bytes] = (None, b"")

    def delivery(self, delivery: Delivery) -> bytes:
        """Return the event of a delivery that is over."""
        return self._once(delivery, "delivery", lambda: delivery_view(self._redactor.delivery(delivery)))

    def webhook(self, webhook: Webhook) -> bytes:
        """Return the event of a webhook that was registered or changed."""
        return self._once(webhook, "webhook", lambda: webhook_view(webhook))

    def call(self, call: VendorCall) -> bytes:
        """Return the event of a call to the vendor API."""
        return self._once(call, "request", lambda: call_view(call))

    def _once(self, thing: object, name: str, view: Callable[[], Any]) -> bytes:
        if self._last[0] is not thing:  # the readers are notified one after another, before anything else happens
            self._last = (thing, _event(name, view()))
        return self._last[1]


class EventStream:
    """What one reader has not read yet.

    Args:
        records: Where deliveries come from.
        webhooks: Where webhooks come from.
        calls: Where calls to the vendor API come from.
        search: Which deliveries are shown.
        encoder: Encodes them; the same one for all readers.
    """

    #: Seconds between two writes.
    _pause = 0.0

    def __init__(
        self, records: RecordStore, webhooks: WebhookRegistry, calls: CallLog, search: Search, encoder: EventEncoder
    ) -> None:
        self._encoder = encoder
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._news = asyncio.Event()
        self._ended = False
        self._records = records
        self._webhooks = webhooks
        self._calls = calls
        self._search = search

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Write events until the reader goes or the stream is ended."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        subscriptions = self._subscribe()
        try:
            await response.prepare(request)
            await response.write(b": connected\n\n")
            await self._write_to(response, request)
        except ConnectionError:
            pass  # the reader is gone
        finally:
            for unsubscribe in subscriptions:
                unsubscribe()
        return response

    def end(self) -> None:
        """Let the stream end, with what waits written before."""
        self._ended = True
        self._news.set()

    def _subscribe(self) -> list[Callable[[], None]]:
        return [
            self._records.subscribe(self._put_delivery),
            self._webhooks.subscribe(lambda webhook: self._put(self._encoder.webhook(webhook))),
            self._calls.subscribe(lambda call: self._put(self._encoder.call(call))),
        ]

    def _put_delivery(self, delivery: Delivery) -> None:
        if self._search.matches(delivery):
            self._put(self._encoder.delivery(delivery))

    async def _write_to(self, response: web.StreamResponse, request: web.Request) -> None:
        now = asyncio.get_running_loop().time
        alive = now()
        while request.transport is not None:
            await self._look_up()
            if news := self._take():
                await response.write(news)
                alive = now()
            elif now() - alive >= _HEARTBEAT:
                await response.write(b": still here\n\n")
                alive = now()
            if self._waiting:
                self._news.set()
            elif self._ended:
                return
            await asyncio.sleep(self._pause)

    async def _look_up(self) -> None:
        """Wait until there is news, but not for long."""
        timer = asyncio.get_running_loop().call_later(_LOOK, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        self._news.clear()

    def _take(self) -> bytes:
        """What has happened since the last time, or the oldest part of it."""
        news = []
        size = 0
        if self._dropped:  # the oldest are missing, so that comes before the others
            news.append(_event("dropped", {"events": self._dropped}))
            self._dropped = 0
        while self._waiting and size < MOST_WRITTEN:
            news.append(self._waiting.popleft())
            size += len(news[-1])
            self._bytes -= len(news[-1])
        return b"".join(news)

    def _put(self, event: bytes) -> None:
        self._waiting.append(event)
        self._bytes += len(event)
        while len(self._waiting) > MOST_WAITING or (self._bytes > MOST_WAITING_BYTES and len(self._waiting) > 1):
            self._bytes -= len(self._waiting.popleft())
            self._dropped += 1
        self._news.set()


class BriefStream(EventStream):
    """The same for a page: deliveries in brief, several times a second, as they are at that moment.

    A delivery is shown when it begins, after each attempt that is followed by another, and when it is over. However
    fast they come, a reader gets one event for many; of more than it can take, the oldest are left out. ``gone`` names
    those that do not match the search, or do not any more.
    """

    _pause = 0.1

    def _subscribe(self) -> list[Callable[[], None]]:
        self._changed: dict[int, Delivery] = {}
        return [
            *super()._subscribe(),
            self._records.subscribe_to_begins(self._put_delivery),
            self._records.subscribe_to_waits(lambda delivery, *_: self._put_delivery(delivery)),
        ]

    def _put_delivery(self, delivery: Delivery) -> None:
        self._changed.pop(delivery.number, None)  # so that it is among the newest
        self._changed[delivery.number] = delivery
        if len(self._changed) > MOST_WAITING:
            del self._changed[next(iter(self._changed))]
            self._dropped += 1
        self._news.set()

    def _take(self) -> bytes:
        changed, self._changed = self._changed, {}
        news = super()._take()
        rows, gone = [], []
        for delivery in changed.values():
            if self._search.matches(delivery):
                rows.append(brief_view(delivery))
            else:
                gone.append(delivery.delivery_id)
        news += _event("deliveries", rows) if rows else b""
        return news + (_event("gone", gone) if gone else b"")


def _event(name: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode_view(value))
