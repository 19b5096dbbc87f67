"""The dispatcher: one event to the webhooks that it goes to, each delivery signed, sent and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mockserver.core.messages import Exchange, ExchangeError, Request, Transport
from mockserver.core.records import Attempt, Delivery, Event, RecordStore
from mockserver.core.settings import Settings
from mockserver.core.signed_requests import signed_request
from mockserver.core.targets import Routes
from mockserver.core.webhooks import Webhook
from mockserver.engine.clock import Clock, Group
from mockserver.errors import UsageError

_STOPPED = Exchange(error=ExchangeError("stopped", "stopped while waiting for the answer"))


class Dispatcher:
    """Makes deliveries.

    Args:
        transport: What carries the requests.
        records: Where every attempt is noted.
        routes: Where registered URLs really lead.
        settings: The time-out of an attempt, the User-Agent, and how many attempts may be in flight at once.
        apps: What carries requests to applications in this process; None where no route leads to one.
    """

    def __init__(
        self,
        transport: Transport,
        records: RecordStore,
        routes: Routes,
        settings: Settings,
        apps: Transport | None = None,
    ) -> None:
        self._transport = transport
        self._apps = apps or transport
        self._records = records
        self._routes = routes
        self._timeout = settings.timeout
        self._user_agent = settings.user_agent
        self._slots = asyncio.Semaphore(settings.max_concurrency)

    def begin(self, event: Event, webhooks: Sequence[Webhook], source: str) -> tuple[Delivery, ...]:
        """Put a delivery on record for each webhook that an event goes to.

        Args:
            event: The event.
            webhooks: Where it goes.
            source: What caused it, for the record.
        """
        return tuple(self._records.begin(event, webhook, source) for webhook in webhooks)

    async def deliver(self, deliveries: Sequence[Delivery], webhooks: Sequence[Webhook], clock: Clock) -> None:
        """Carry deliveries to their webhooks, all at once, until each has its final outcome.

        When it is cancelled, each delivery that was in flight has failed, and says that it was stopped.

        Args:
            deliveries: The deliveries.
            webhooks: The webhook of each.
            clock: What time it is.
        """
        if len(deliveries) == 1:
            await self._carry(deliveries[0], webhooks[0], clock)
            return
        async with Group(clock) as group:
            for delivery, webhook in zip(deliveries, webhooks, strict=True):
                group.spawn(self._carry(delivery, webhook, clock))

    async def _carry(self, delivery: Delivery, webhook: Webhook, clock: Clock) -> None:
        at = clock.now()
        request: Request | None = None
        exchange = _STOPPED
        try:
            request = self._request(delivery.event, webhook)
            transport = self._apps if request.target.app else self._transport
            async with self._slots:
                exchange = await transport.exchange(request, self._timeout)
        except UsageError as error:  # a URL that was accepted, and that nobody can connect to
            exchange = Exchange(error=ExchangeError("address", str(error)))
        finally:
            # Also when the replay is stopped in the middle: what was sent is on record.
            attempt = Attempt(1, at, request, exchange)
            delivery.attempts = (attempt,)
            self._records.finish(delivery, "delivered" if attempt.delivered else "failed")

    def _request(self, event: Event, webhook: Webhook) -> Request:
        return signed_request(self._routes.resolve(webhook.url), event.payload, webhook.secret, self._user_agent)
