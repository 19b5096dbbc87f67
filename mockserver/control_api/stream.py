"""Server-sent events: what happens in the mock, as it happens (the format is that of the HTML standard)."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from mockserver.model.records import Delivery, RecordStore
from mockserver.model.search import Search
from mockserver.model.webhooks import Webhook, WebhookRegistry
from mockserver.reports.serializers import brief_view, call_view, delivery_view, encode_view, webhook_view
from mockserver.server.mock import Mock
from mockserver.vendor_api.calls import CallLog, VendorCall

#: The most events that wait for a slow reader; then the oldest are left out, and the reader learns how many.
MOST_WAITING = 1000

#: The most bytes of events that wait for it; the newest event does, whatever its size.
MOST_WAITING_BYTES = 16 * 1024 * 1024

#: The most bytes that are handed to the network at once: what it has taken, no limit of ours bounds any more.
MOST_WRITTEN = 256 * 1024

#: Seconds between two signs of life, so that proxies and readers know that the stream is alive.
_HEARTBEAT = 15.0

#: Seconds between two looks whether the reader is still there: aiohttp does not report when it leaves.
_LOOK = 0.25


class EncodedEvent(msgspec.Struct, gc=False):
    """An event as it is written; each reader that has not read it yet holds it.

    Args:
        text: The bytes.
        holders: How many readers hold it.
    """

    text: bytes
    holders: int = 0


class Readers:
    """The readers of the stream, and what they have not read yet: each event is encoded once for all of them.

    Args:
        mock: Knows what is private, and how many bytes may be kept.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self.redactor = mock.redactor_of()
        self._readers: set[EventStream] = set()
        self._last: tuple[object, EncodedEvent] = (None, EncodedEvent(b""))
        self._unread: deque[EncodedEvent] = deque()  # those that a reader holds still, and some that none does
        self._share = mock.budget.share(self._drop_oldest)

    def add(self, reader: EventStream) -> None:
        """Add a reader."""
        self._readers.add(reader)

    def remove(self, reader: EventStream) -> None:
        """Forget a reader, with what it has not read."""
        self._readers.discard(reader)
        reader.forget()

    def end(self) -> None:
        """Let every stream end."""
        for reader in self._readers:
            reader.end()

    def hold(self, event: EncodedEvent) -> None:
        """Count an event that one more reader holds; its bytes count once."""
        event.holders += 1
        if event.holders == 1:
            while self._unread and not self._unread[0].holders:
                self._unread.popleft()
            self._unread.append(event)
            self._share.add(len(event.text))

    def let_go(self, event: EncodedEvent) -> None:
        """Count an event that one reader less holds."""
        event.holders -= 1
        if not event.holders:
            self._share.remove(len(event.text))

    def _drop_oldest(self) -> None:
        event = self._unread.popleft()
        for reader in self._readers if event.holders else ():
            reader.leave_out(event)

    def delivery(self, delivery: Delivery) -> EncodedEvent:
        """Return the event of a delivery that is over."""
        return self._once(delivery, "delivery", lambda: self._delivery_view(delivery))

    def webhook(self, webhook: Webhook) -> EncodedEvent:
        """Return the event of a webhook that was registered or changed."""
        url = self.redactor.text(webhook.url)
        return self._once(webhook, "webhook", lambda: {**webhook_view(webhook), "url": url})

    def _delivery_view(self, delivery: Delivery) -> dict[str, Any]:
        return delivery_view(self._mock.redactor_of([delivery.webhook_id]).delivery(delivery))

    def call(self, call: VendorCall) -> EncodedEvent:
        """Return the event of a call to the vendor API."""
        return self._once(call, "request", lambda: call_view(call))

    def _once(self, thing: object, name: str, view: Callable[[], Any]) -> EncodedEvent:
        if self._last[0] is not thing:  # the readers are notified one after another, before anything else happens
            self._last = (thing, EncodedEvent(_event(name, view())))
        return self._last[1]


class EventStream:
    """What one reader has not read yet."""

    #: Seconds between two writes.
    _pause = 0.0

    def __init__(
        self, records: RecordStore, webhooks: WebhookRegistry, calls: CallLog, search: Search, readers: Readers
    ) -> None:
        self._readers = readers
        self._waiting: deque[EncodedEvent] = deque()
        self.size = 0
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
        self._readers.add(self)
        subscriptions = self._subscribe()
        try:
            await response.prepare(request)
            _bound_what_the_system_takes(request)
            await response.write(b": connected\n\n")
            await self._write_to(response, request)
        except ConnectionError:
            pass  # the reader is gone
        finally:
            for unsubscribe in subscriptions:
                unsubscribe()
            self._readers.remove(self)
        return response

    def end(self) -> None:
        """Let the stream end, with what waits written before."""
        self._ended = True
        self._news.set()

    def _subscribe(self) -> list[Callable[[], None]]:
        return [
            self._records.subscribe(self._put_delivery),
            self._webhooks.subscribe(self._put_webhook),
            self._calls.subscribe(self._put_call),
        ]

    def _put_webhook(self, webhook: Webhook) -> None:
        if self._search.sees(webhook.account):
            self._put(self._readers.webhook(webhook))

    def _put_call(self, call: VendorCall) -> None:
        if self._search.sees(call.account):
            self._put(self._readers.call(call))

    def _put_delivery(self, delivery: Delivery) -> None:
        if self._search.matches(delivery):
            self._put(self._readers.delivery(delivery))

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
            news.append(self._pop().text)
            size += len(news[-1])
        return b"".join(news)

    def _put(self, event: EncodedEvent) -> None:
        self._waiting.append(event)
        self.size += len(event.text)
        self._readers.hold(event)
        while len(self._waiting) > MOST_WAITING or (self.size > MOST_WAITING_BYTES and len(self._waiting) > 1):
            self.leave_out(self._waiting[0])
        self._news.set()

    def leave_out(self, event: EncodedEvent) -> None:
        """Leave an event out, if it is the oldest that waits; the reader learns how many there were."""
        if self._waiting and self._waiting[0] is event:
            self._pop()
            self._dropped += 1

    def forget(self) -> None:
        """Drop what was not read."""
        while self._waiting:
            self._pop()

    def _pop(self) -> EncodedEvent:
        event = self._waiting.popleft()
        self.size -= len(event.text)
        self._readers.let_go(event)
        return event


def _bound_what_the_system_takes(request: web.Request) -> None:
    """Keep the system from taking megabytes for a reader that does not read: they are memory too."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_WRITTEN)


class BriefStream(EventStream):
    """The same for a page: deliveries in brief, several times a second, as they are at that moment.

    A delivery is shown when it begins, after each attempt that is followed by another, and when it is over. However
    fast they come, a reader gets one event for many; of more than it can take, the oldest are left out. ``gone`` names
    those that do not match the search, or do not any more.
    """

    _pause = 0.1

    def _subscribe(self) -> list[Callable[[], None]]:
        self._changed: dict[int, None] = {}  # by number: the record has them, as long as it has room
        return [
            *super()._subscribe(),
            self._records.subscribe_to_begins(self._put_delivery),
            self._records.subscribe_to_waits(lambda delivery, *_: self._put_delivery(delivery)),
        ]

    def _put_delivery(self, delivery: Delivery) -> None:
        self._changed.pop(delivery.number, None)  # so that it is among the newest
        self._changed[delivery.number] = None
        if len(self._changed) > MOST_WAITING:
            del self._changed[next(iter(self._changed))]
            self._dropped += 1
        self._news.set()

    def _take(self) -> bytes:
        changed, self._changed = self._changed, {}
        rows, gone, redactor = [], [], self._readers.redactor
        for number in changed:
            delivery = self._records.get(number)
            if delivery is None:
                self._dropped += 1
            elif self._search.matches(delivery):
                rows.append(brief_view(delivery, redactor))
            elif self._search.sees(delivery.account):
                gone.append(delivery.delivery_id)
        news = super()._take()
        news += _event("deliveries", rows) if rows else b""
        return news + (_event("gone", gone) if gone else b"")


def _event(name: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode_view(value))
