"""The dispatcher: one event to the webhooks that it goes to, each delivery signed, sent, retried and recorded."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from mockserver.errors import UsageError
from mockserver.faults.delivery import DeliveryPlan
from mockserver.faults.fault import ChosenFault
from mockserver.faults.request_builder import faulty_request
from mockserver.faults.signed_requests import signed_request
from mockserver.model.expectations import matches_status
from mockserver.model.messages import Exchange, ExchangeError, Request, Transport
from mockserver.model.records import Attempt, Delivery, Event, RecordStore
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.settings import Settings
from mockserver.model.targets import Routes
from mockserver.model.webhooks import Webhook, WebhookRegistry
from mockserver.replay.clock import Clock, Group
from mockserver.replay.slots import Slots

_STOPPED = Exchange(error=ExchangeError("stopped", "stopped while waiting for the answer"))


class Treatment(msgspec.Struct, frozen=True):
    """How the deliveries of an event are made, where that is not the ordinary way.

    Args:
        faults: Their deliberate defects.
        plan: How many copies of each there are.
        retry: When a failed attempt is made again; None for never.
        seed: Makes what is drawn by chance repeatable.
        expected: The statuses that are expected: a refusal that is, ends the attempts as a success does.
    """

    faults: tuple[ChosenFault, ...] = ()
    plan: DeliveryPlan = DeliveryPlan()
    retry: RetryPolicy | None = None
    seed: str = ""
    expected: tuple[str, ...] = ()


ORDINARY = Treatment()


class Dispatcher:
    """Makes deliveries.

    Args:
        transport: What carries the requests.
        records: Where every attempt is noted.
        routes: Where registered URLs really lead.
        webhooks: Where a retry policy deactivates webhooks.
        settings: The time-out of an attempt, the sender's headers, and how many attempts may be in flight at once.
        apps: What carries requests to applications in this process; None where no route leads to one.
    """

    def __init__(
        self,
        transport: Transport,
        records: RecordStore,
        routes: Routes,
        webhooks: WebhookRegistry,
        settings: Settings,
        apps: Transport | None = None,
    ) -> None:
        self._transport = transport
        self._apps = apps or transport
        self._records = records
        self._routes = routes
        self._webhooks = webhooks
        self._timeout = settings.timeout
        self._sender = settings.sender
        self._slots = Slots(settings.max_concurrency)
        self._failures_in_a_row: dict[str, int] = {}

    async def deliver(
        self,
        event: Event,
        webhooks: Sequence[Webhook],
        source: str,
        clock: Clock,
        treatment: Treatment = ORDINARY,
        *,
        into: list[Delivery],
    ) -> None:
        """Deliver an event to webhooks, to all of them at once, until each delivery has its final outcome.

        When it is cancelled, each delivery that was in flight has failed, and says that it was stopped.

        Args:
            event: The event.
            webhooks: Where it goes.
            source: What caused it, for the record.
            clock: What time it is.
            treatment: How its deliveries are made.
            into: Where each delivery is added when it begins.
        """
        plan = treatment.plan
        if plan.together:
            webhooks = tuple(webhooks) * plan.copies
        for _ in range(1 if plan.together else plan.copies):
            deliveries = self._begin(event, webhooks, source, treatment)
            into += deliveries
            if len(deliveries) == 1:
                await self._carry(deliveries[0], webhooks[0], clock, treatment)
                continue
            async with Group(clock) as group:
                for delivery, webhook in zip(deliveries, webhooks, strict=True):
                    group.spawn(self._carry(delivery, webhook, clock, treatment))

    def _begin(self, event: Event, webhooks: Sequence[Webhook], source: str, treatment: Treatment) -> list[Delivery]:
        deliveries = [self._records.begin(event, webhook, source) for webhook in webhooks]
        if treatment.faults:
            names = tuple(chosen.fault.name for chosen in treatment.faults)
            for delivery in deliveries:
                delivery.faults = names
        return deliveries

    async def resend(
        self, event: Event, webhook: Webhook, source: str, clock: Clock, request: Request | None
    ) -> Delivery:
        """Deliver to one webhook once more.

        Args:
            event: The event.
            webhook: Where it goes.
            source: What caused it, for the record.
            clock: What time it is.
            request: The request to send as it is; None to make and sign a new one.

        Returns:
            The new delivery, with its final outcome.
        """
        delivery = self._records.begin(event, webhook, source)
        await self._carry(delivery, webhook, clock, ORDINARY, request)
        return delivery

    def reset(self) -> None:
        """Forget which webhooks have failed how often."""
        self._failures_in_a_row.clear()

    async def _carry(
        self,
        delivery: Delivery,
        webhook: Webhook,
        clock: Clock,
        treatment: Treatment,
        request: Request | None = None,
    ) -> None:
        try:
            request = request or self._request(delivery.event, webhook, treatment)
        except UsageError as error:  # a URL that nobody can connect to, a fault in a field that is not there
            exchange = Exchange(error=ExchangeError("request", str(error)))
            delivery.attempts = (Attempt(1, clock.now(), None, exchange),)
            self._records.finish(delivery, "failed")
            return
        policy = treatment.retry
        try:
            await self._attempt(delivery, request, clock, policy)
            if policy is not None and not delivery.attempts[-1].delivered:
                await self._retry(delivery, request, clock, policy, treatment)
        finally:
            # Also when it is stopped in the middle: what was sent is on record.
            if policy is not None:
                self._apply_policy(delivery, policy)
            self._records.finish(delivery, "delivered" if delivery.attempts[-1].delivered else "failed")

    async def _attempt(self, delivery: Delivery, request: Request, clock: Clock, policy: RetryPolicy | None) -> None:
        timeout = self._timeout if policy is None or policy.timeout is None else policy.timeout
        at = clock.now()
        exchange = _STOPPED
        try:
            transport = self._apps if request.target.app else self._transport
            if not self._slots.take():
                await self._slots.turn()
            try:
                exchange = await transport.exchange(request, timeout)
            finally:
                self._slots.give_back()
        finally:
            delivery.attempts += (Attempt(len(delivery.attempts) + 1, at, request, exchange),)

    async def _retry(
        self, delivery: Delivery, request: Request, clock: Clock, policy: RetryPolicy, treatment: Treatment
    ) -> None:
        """Make further attempts, with the very bytes of the first, as long as the policy says."""
        chance = random.Random(f"{treatment.seed}/{delivery.webhook_id}/retry")  # noqa: S311 - repeatable on purpose
        while not delivery.attempts[-1].delivered and not _refused_as_expected(delivery, treatment.expected):
            wait = policy.wait_before_next(delivery.attempts, chance)
            if wait is None:
                return
            moment = clock.now() + wait
            self._records.postpone(delivery, wait, moment)
            await clock.sleep_until(moment)
            await self._attempt(delivery, request, clock, policy)

    def _apply_policy(self, delivery: Delivery, policy: RetryPolicy) -> None:
        """Deactivate the webhook, if that is what the policy does after such a delivery."""
        webhook_id = delivery.webhook_id
        if delivery.attempts[-1].delivered:
            self._failures_in_a_row.pop(webhook_id, None)
            return
        failures = self._failures_in_a_row[webhook_id] = self._failures_in_a_row.get(webhook_id, 0) + 1
        if policy.deactivates(delivery.attempts, failures):
            self._webhooks.change(webhook_id, {"active": False})

    def _request(self, event: Event, webhook: Webhook, treatment: Treatment) -> Request:
        target = self._routes.resolve(webhook.url)
        if not treatment.faults:
            return signed_request(target, event.payload, webhook.secret, self._sender)
        chance = random.Random(treatment.seed)  # noqa: S311 - repeatable on purpose
        return faulty_request(event, target, webhook.secret, self._sender, treatment.faults, chance)


def _refused_as_expected(delivery: Delivery, expected: tuple[str, ...]) -> bool:
    """Whether the last answer is the refusal that is expected: then there is nothing more to try."""
    response = delivery.response if delivery.error is None else None
    return response is not None and "any" not in expected and matches_status(expected, response.status)
