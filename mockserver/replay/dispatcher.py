"""The dispatcher: it publishes events, whether a script, a test, the control API or a flow makes them happen.

The payload of the event is made once; each of its deliveries is signed, sent, retried, judged and recorded.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.delivery.event_loop import monotonic
from mockserver.errors import DeliveryError, NobodySubscribedError, UsageError
from mockserver.faults.delivery import DeliveryPlan, delivery_plan
from mockserver.faults.fault import ChosenFault
from mockserver.faults.request_builder import build_request
from mockserver.model.events import encode_payload
from mockserver.model.expectations import DELIVERED, Expectation, judge, matches_status
from mockserver.model.messages import Exchange, ExchangeError, Request, Response, Transport
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Attempt, Delivery, Event, Outcome, RecordStore, seen
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.settings import Settings
from mockserver.model.targets import Routes
from mockserver.model.webhooks import Webhook, WebhookRegistry
from mockserver.replay.clock import Clock, Group
from mockserver.script.model import EventStep
from mockserver.script.templates import Moment


class Slots:
    """Slots, first come, first served: a semaphore whose free slots are taken without a coroutine.

    ``asyncio.Semaphore`` takes a tenth of all the time that a delivery costs us.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_free(self) -> bool:
        """Take a slot, if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a slot when one is given back."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the slot came at that very moment: the next one gets it
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a slot back: to the first waiter, if any."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():  # done: cancelled
                waiter.set_result(None)
                return
        self._free += 1


_INTERRUPTED = ExchangeError("stopped", "interrupted while waiting for the answer: outcome unknown")

_NO_NAMES: Mapping[str, Any] = {}
#: Bytes of a payload; what is longer is not remembered, for no account of memory has it.
_LONGEST_KNOWN = 65536
_NOTHING_YET: tuple[EventStep | None, Event] = (None, Event("", "", b""))


class DeliveryOptions(msgspec.Struct, frozen=True):
    """How the deliveries of an event are made, where that is not the ordinary way."""

    faults: tuple[ChosenFault, ...] = ()
    plan: DeliveryPlan = DeliveryPlan()
    retry: RetryPolicy | None = None
    seed: str = ""


ORDINARY = DeliveryOptions()


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """An event that happens, on its way to its webhooks, and what each must answer; None if it does not matter."""

    event: Event
    webhooks: Sequence[Webhook]
    source: str
    expect: Expectation | None = None
    options: DeliveryOptions = ORDINARY


class Dispatcher:
    """Publishes events: notes every attempt, follows routes, and deactivates webhooks where a retry policy says so."""

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
        self._json_style = settings.json_style
        self._sender = settings.sender
        self._most_at_once = settings.max_concurrency
        self._slots = Slots(self._most_at_once)
        self._failures_in_a_row: dict[str, int] = {}
        self._last_constant = _NOTHING_YET

    def occur(
        self,
        step: EventStep,
        webhooks: Sequence[Webhook],
        now: float,
        *,
        seed: str,
        source: str,
        index: int = 0,
        retry: RetryPolicy | None = None,
        more: Mapping[str, Any] = _NO_NAMES,
    ) -> Occurrence:
        """Make the payload of an event that happens now. Nothing is sent yet; :meth:`publish` does that.

        The timing of the step means nothing here. ``seed`` and ``index``, the number of the repeat, make what is drawn
        by chance repeatable; ``more`` are names that templates may use beside the script's ``vars``. The plan of what
        is returned may say that it is to be lost, or to change places. Raises a TemplateError if a template fails.
        """
        retry, options = step.retry or retry, ORDINARY
        if step.faults or retry is not None:
            options = DeliveryOptions(step.faults, delivery_plan(step.faults), retry, f"{seed}/{index}")
        timestamp = format_timestamp(now - options.plan.stale)
        if step.data.constant:
            event = self._constant_event(step, timestamp)
        else:
            data = step.data.render(Moment(index, timestamp, f"{seed}/{index}", more))
            event = self._event(step, timestamp, data)
        return Occurrence(event, webhooks, source, step.expect, options)

    def _constant_event(self, step: EventStep, timestamp: str) -> Event:
        """Return an event whose data has no template: when the step repeats it within a second, the same one."""
        known, event = self._last_constant
        if known is not step or event.timestamp != timestamp:
            event = self._event(step, timestamp, step.data.source)
            self._last_constant = (step, event) if len(event.payload) <= _LONGEST_KNOWN else _NOTHING_YET
        return event

    def _event(self, step: EventStep, timestamp: str, data: Mapping[str, Any]) -> Event:
        return Event(step.event, timestamp, encode_payload(step.event, timestamp, data, self._json_style))

    def publish(self, occurrence: Occurrence, clock: Clock, deliveries: list[Delivery]) -> Coroutine[Any, Any, None]:
        """Deliver an event to its webhooks, to all of them at once, until each delivery has its final outcome.

        Each delivery is added to ``deliveries`` when it begins. Even when this is cancelled, each has an outcome: what
        was in flight is ``interrupted``, what had not begun is ``not_sent``. What is returned is to be awaited at once.
        """
        webhooks = occurrence.webhooks
        if occurrence.options is ORDINARY and len(webhooks) == 1:  # nearly always: one coroutine less
            delivery = self._records.begin(occurrence.event, webhooks[0], occurrence.source)
            deliveries.append(delivery)
            return self._carry(delivery, webhooks[0], clock, occurrence)
        return self._publish_to_all(occurrence, clock, deliveries)

    async def _publish_to_all(self, occurrence: Occurrence, clock: Clock, deliveries: list[Delivery]) -> None:
        webhooks, plan = occurrence.webhooks, occurrence.options.plan
        if plan.together:
            webhooks = tuple(webhooks) * plan.copies
        for _ in range(1 if plan.together else plan.copies):
            begun = self._begin(occurrence, webhooks)
            deliveries += begun
            if len(begun) == 1:
                await self._carry(begun[0], webhooks[0], clock, occurrence)
                continue
            try:
                each = zip(begun, webhooks, strict=True)
                # What is tried once waits for nothing but a slot: more tasks than slots would only wait.
                tasks = len(begun) if occurrence.options.retry else min(len(begun), self._most_at_once)
                async with Group(clock) as group:
                    for _ in range(tasks):
                        group.spawn(self._carry_each(each, clock, occurrence))
            finally:
                for delivery in begun:
                    if delivery.outcome == "pending":  # its task was cancelled before it had begun
                        self._finish(delivery, occurrence.expect)

    async def publish_again(
        self, event: Event, webhook: Webhook, source: str, clock: Clock, request: Request | None
    ) -> Delivery:
        """Deliver to one webhook once more, a request as it is or a new one; return the delivery with its outcome."""
        delivery = self._records.begin(event, webhook, source)
        await self._carry(delivery, webhook, clock, Occurrence(event, (webhook,), source), request)
        return delivery

    def reset(self) -> None:
        """Forget which webhooks have failed how often, and the last event."""
        self._failures_in_a_row.clear()
        self._last_constant = _NOTHING_YET

    def _begin(self, occurrence: Occurrence, webhooks: Sequence[Webhook]) -> list[Delivery]:
        begun = [self._records.begin(occurrence.event, webhook, occurrence.source) for webhook in webhooks]
        if occurrence.options.faults:
            names = tuple(chosen.fault.name for chosen in occurrence.options.faults)
            for delivery in begun:
                delivery.faults = names
        return begun

    async def _carry_each(
        self, deliveries: Iterator[tuple[Delivery, Webhook]], clock: Clock, occurrence: Occurrence
    ) -> None:
        for delivery, webhook in deliveries:
            await self._carry(delivery, webhook, clock, occurrence)

    async def _carry(
        self,
        delivery: Delivery,
        webhook: Webhook,
        clock: Clock,
        occurrence: Occurrence,
        request: Request | None = None,
    ) -> None:
        """Make the attempts of a delivery, each with exactly the same bytes, until it has its final outcome."""
        try:
            request = request or self._request(delivery.event, webhook, occurrence.options)
        except UsageError as error:  # a URL that cannot be connected to, a fault in a field that is not there
            unmade = Exchange(error=ExchangeError("request", str(error)))
            delivery.attempts = (Attempt(1, clock.now(), None, unmade, time.time()),)
            self._finish(delivery, occurrence.expect)
            return
        policy = occurrence.options.retry
        waits = None if policy is None else self._waits(delivery, occurrence, policy)
        timeout = self._timeout if policy is None or policy.timeout is None else policy.timeout
        transport = self._apps if request.target.app else self._transport
        try:
            while True:
                exchange: Exchange | None = None
                if not self._slots.take_free():
                    await self._slots.wait()
                at, real_at, begun = clock.now(), time.time(), monotonic()
                try:
                    exchange = await transport.exchange(request, timeout)
                finally:  # even when it is stopped in the middle, what was sent is on record
                    self._slots.give_back()
                    if exchange is None:
                        exchange = Exchange(error=_INTERRUPTED, total_ms=(monotonic() - begun) * 1000)
                    delivery.attempts += (Attempt(len(delivery.attempts) + 1, at, request, exchange, real_at),)
                if waits is None or (wait := next(waits, None)) is None:
                    return
                moment = clock.now() + wait
                self._records.postpone(delivery, wait, moment)
                await clock.sleep_until(moment)
        finally:
            if policy is not None and delivery.attempts:
                self._apply_policy(delivery, policy)
            self._finish(delivery, occurrence.expect)

    def _waits(self, delivery: Delivery, occurrence: Occurrence, policy: RetryPolicy) -> Iterator[float]:
        """Yield how long to wait before each further attempt, as long as one is to be made."""
        seed = f"{occurrence.options.seed}/{delivery.webhook_id}/retry"
        chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        while not delivery.attempts[-1].delivered and not _refused_as_expected(delivery, occurrence.expect):
            wait = policy.wait_before_next(delivery.attempts, chance)
            if wait is None:
                return
            yield wait

    def _finish(self, delivery: Delivery, expect: Expectation | None) -> None:
        """Note the final outcome of a delivery, whatever happened to it, and in which points it is not as expected."""
        delivery.outcome = outcome = _outcome(delivery)
        as_expected = outcome == "delivered" and expect is DELIVERED  # nearly always
        if not as_expected and expect is not None and outcome in ("delivered", "failed"):
            delivery.unmet = _judged(expect, delivery)
        self._records.finish(delivery)

    def _apply_policy(self, delivery: Delivery, policy: RetryPolicy) -> None:
        """Deactivate the webhook, if that is what the policy does after such a delivery."""
        webhook_id = delivery.webhook_id
        if delivery.attempts[-1].delivered:
            self._failures_in_a_row.pop(webhook_id, None)
            return
        if self._webhooks.get(webhook_id) is None:
            self._failures_in_a_row.pop(webhook_id, None)
            return  # it was deleted meanwhile, or is a script's own
        if len(self._failures_in_a_row) > len(self._webhooks):  # some were deleted
            known = self._failures_in_a_row.items()
            self._failures_in_a_row = {each: count for each, count in known if self._webhooks.get(each)}
        failures = self._failures_in_a_row[webhook_id] = self._failures_in_a_row.get(webhook_id, 0) + 1
        if policy.deactivates(delivery.attempts, failures):
            self._webhooks.change(webhook_id, {"active": False})

    def _request(self, event: Event, webhook: Webhook, options: DeliveryOptions) -> Request:
        target = self._routes.resolve(webhook.url)
        if not options.faults:
            return build_request(event, target, webhook.secret, self._sender)
        chance = random.Random(options.seed)  # noqa: S311 - repeatable on purpose
        return build_request(event, target, webhook.secret, self._sender, options.faults, chance)


def _outcome(delivery: Delivery) -> Outcome:
    if not delivery.attempts:
        return "not_sent"
    last = delivery.attempts[-1]
    if last.delivered:
        return "delivered"
    return "interrupted" if last.error is not None and last.error.kind == "stopped" else "failed"


def _judged(expect: Expectation, delivery: Delivery) -> tuple[str, ...]:
    try:
        return tuple(judge(expect, delivery))
    except Exception as error:  # noqa: BLE001 - an answer may be anything, and the delivery was made all the same
        return (f"the answer cannot be judged: {type(error).__name__}: {error}",)


def _refused_as_expected(delivery: Delivery, expect: Expectation | None) -> bool:
    """Whether the last answer is the refusal that is expected: then there is nothing more to try."""
    response = delivery.response if delivery.error is None else None
    if response is None or expect is None or "any" in expect.status:
        return False
    return matches_status(expect.status, response.status)


_HOW_TO_REGISTER = "let the application do so with POST /v1/webhooks, or register one in its place"


class SendResult:
    """What became of one event.

    Args:
        event: The event type.
        deliveries: Its deliveries; an event that is still due gets them later.
        webhooks: The webhooks that were registered, to explain why it went nowhere.
        lost: Whether it was lost on purpose.
        due: When the event is to happen, where that is later; empty otherwise.
    """

    def __init__(
        self,
        event: str,
        deliveries: Sequence[Delivery],
        webhooks: Sequence[Webhook],
        *,
        lost: bool = False,
        due: str = "",
    ) -> None:
        self.lost = lost
        self.event = event
        self._deliveries = deliveries
        self._due = due
        self._webhooks = tuple(webhooks)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """A delivery for each webhook that the event went to."""
        return seen(self._deliveries)

    @property
    def delivered(self) -> bool:
        """Whether there was at least one delivery, and all arrived."""
        return bool(self.deliveries) and all(delivery.delivered for delivery in self.deliveries)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts of the only delivery.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return self._only.attempts

    @property
    def response(self) -> Response | None:
        """The answer to the last attempt of the only delivery; None if none came.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return self._only.response

    @property
    def status(self) -> int | None:
        """The status of that answer; None if none came.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return None if self.response is None else self.response.status

    def raise_for_nobody(self) -> None:
        """Do nothing if the event went to a webhook, or was lost on purpose, or is still due.

        Raises:
            NobodySubscribedError: It went to none; the message shows what is registered.
        """
        if not (self._deliveries or self.lost or self._due):
            raise NobodySubscribedError(f"{self}. Where that is meant, say so: send(..., nobody_ok=True)")

    def raise_for_failures(self) -> None:
        """Do nothing if the event was delivered.

        Raises:
            DeliveryError: It was not; the message says what came back, or why it went nowhere.
        """
        if not self.delivered:
            raise DeliveryError(str(self))

    @property
    def _only(self) -> Delivery:
        if len(self.deliveries) != 1:
            raise UsageError(f"there is not exactly one delivery to look at: {self}")
        return self.deliveries[0]

    def __str__(self) -> str:
        if self._deliveries:
            return "\n".join(str(delivery) for delivery in self._deliveries)
        if self.lost:
            return f"{self.event} was lost on purpose"
        if self._due:
            return f"{self.event} is due at {self._due}: advance the clock"
        if not self._webhooks:
            return f"{self.event} went nowhere: no webhook is registered: {_HOW_TO_REGISTER}"
        subscribed = "; ".join(repr(webhook) for webhook in self._webhooks)
        return f"{self.event} went nowhere: no active webhook is subscribed to it. Registered: {subscribed}"

    def __repr__(self) -> str:
        return f"<SendResult {self}>"
