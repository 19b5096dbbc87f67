"""What a mock sends: single events, the same once more, replays and the events of flows; and what carries them.

A mock makes it when something is to be sent for the first time. With it come the wings of delivery, faults, scripts and
replay, which a server that only answers does without.
"""

from __future__ import annotations

import random
import ssl
from functools import cached_property
from typing import Protocol

from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.in_process import AppTransport, on_callers_loop
from mockserver.errors import UsageError
from mockserver.model.events import Catalog, encode_payload
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.messages import Transport
from mockserver.model.quantities import LONGEST, format_timestamp
from mockserver.model.records import OWN_WEBHOOK, RESENT, Delivery, Event, RecordStore
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.settings import Settings, Speed
from mockserver.model.targets import Routes, Target
from mockserver.model.webhooks import AccountWebhooks, Recipients, Webhook, WebhookRegistry
from mockserver.replay.clock import AnyClock, SkippingClock, SteppedClock, Work, make_clock
from mockserver.replay.dispatcher import Dispatcher, Occurrence, SendResult
from mockserver.replay.probe import Prober
from mockserver.replay.replay import Replay, RunningReplay, RunningReplays
from mockserver.replay.report import Report
from mockserver.script.model import EventStep, Script, about_new_object


class Surroundings(Protocol):
    """What is needed of the mock around it."""

    settings: Settings
    webhooks: WebhookRegistry
    records: RecordStore
    routes: Routes
    budget: MemoryBudget
    retry: RetryPolicy | None

    @property
    def catalog(self) -> Catalog:
        """The event types, with sample data."""
        ...

    @property
    def clock(self) -> AnyClock:
        """What time it is for events."""
        ...

    def touch(self) -> None:
        """Note that something happens that a reset will have to undo."""
        ...

    def page_of(self, report: Report) -> str:
        """Return a report as a page, without secrets."""
        ...


class Sending:
    """What one mock sends, to its webhooks, on its clock and its record.

    Args:
        mock: The mock.
        transport: What carries requests; None takes the network.
        tls: What the network trusts; None trusts what the system does.

    Attributes:
        apps: Carries requests to applications in this process.
        dispatcher: Makes deliveries of events.
        prober: Reads what consumers have done.
        replays: The replays in the background.
    """

    def __init__(self, mock: Surroundings, transport: Transport | None, tls: ssl.SSLContext | None) -> None:
        settings = self.settings = mock.settings
        self.catalog, self.webhooks, self.clock, self.retry = mock.catalog, mock.webhooks, mock.clock, mock.retry
        self.replays = RunningReplays(mock.budget)
        self._transport = transport or Http1Transport(allowed_hosts=settings.allow_hosts, tls=tls)
        self.apps = AppTransport(self._transport)
        self.dispatcher = Dispatcher(self._transport, mock.records, mock.routes, mock.webhooks, settings, self.apps)
        self.prober = Prober(
            self._transport, self.apps, mock.routes, settings.sender, settings.timeout, on_callers_loop
        )
        self._mock = mock
        self._sends = 0
        self._sent_samples: set[str] = set()
        self._chance: random.Random | None = None
        self._work = Work()

    def webhooks_of(self, account: str) -> Recipients:
        """Return where the events of an account go."""
        return AccountWebhooks(self.webhooks, account) if account else self.webhooks

    def transport_to(self, target: Target) -> Transport:
        """Return what carries requests to a target: the network, or a call into this process."""
        return self.apps if target.app else self._transport

    def clock_of_flow(self) -> AnyClock:
        """Return the clock of what a call of the vendor API begins now: at speed max each flow skips its own waits."""
        speed = self.settings.speed
        return self._clock_of_send() if isinstance(speed, str) or speed == 1 else self._fast_clock

    @cached_property
    def _fast_clock(self) -> AnyClock:
        return make_clock(self.settings.speed)

    def replay_of_flow(self, script: Script, clock: AnyClock, account: str) -> Replay:
        """Prepare the events of a flow as a replay on its clock."""
        return self._replay(script, clock, self.webhooks_of(account))

    async def send(
        self,
        step: EventStep,
        source: str = "send",
        only: str | None = None,
        at: float | None = None,
        account: str | None = None,
    ) -> SendResult:
        """Make one event happen, and deliver it, with an id of its own where the sample's id was used before.

        The timing of the step means nothing here: it happens ``at`` a moment, or now. ``only`` is the id of the one
        webhook that it goes to, whatever that is subscribed to; otherwise it goes to those of the account, or of all.
        Raises a TemplateError if a template in its data fails.
        """
        webhooks = self.webhooks.subscribed_to(step.event, account)
        if only is not None:
            webhooks = tuple(webhook for webhook in self.webhooks.all() if webhook.webhook_id == only)
        self._mock.touch()
        self._sends += 1
        clock = self._clock_of_send()
        moment = clock.now() if at is None else at
        due = format_timestamp(moment) if self.settings.speed == "stepped" and moment > clock.now() else ""
        seed = f"{self.settings.seed}/send/{self._sends}"
        occurrence = self.dispatcher.occur(
            self._with_new_id(step),
            webhooks,
            moment,
            seed=seed,
            source=source,
            index=self._sends - 1,
            retry=self.retry,
        )
        plan = occurrence.options.plan
        if plan.swap_with_next:
            raise UsageError("swap_with_next needs a next event: use it in a script")
        if plan.lost:
            return SendResult(step.event, (), self.webhooks.all(), lost=bool(webhooks))
        deliveries: list[Delivery] = []
        await self._work.carry(self._publish_at(at, occurrence, clock, deliveries), clock)
        return SendResult(step.event, deliveries, self.webhooks.all(), due=due)

    async def _publish_at(
        self, at: float | None, occurrence: Occurrence, clock: AnyClock, deliveries: list[Delivery]
    ) -> None:
        if at is not None and at > clock.now():
            await clock.sleep_until(at)
        await self.dispatcher.publish(occurrence, clock, deliveries)

    def _with_new_id(self, step: EventStep) -> EventStep:
        """Give a step an object of its own if an event with the sample's id was sent before."""
        if not step.sample_id or step.event not in self._sent_samples:
            self._sent_samples |= {step.event} if step.sample_id else set()
            return step
        if self._chance is None:  # one for all: to seed it takes longer than to sign
            self._chance = random.Random(f"{self.settings.seed}/send")  # noqa: S311 - repeatable on purpose
        return about_new_object(step, self._chance)

    async def resend(self, delivery: Delivery, *, fresh: bool = False) -> Delivery:
        """Deliver once more what was delivered before.

        The same bytes go out or, ``fresh``, a new timestamp and signature. Raises a UsageError if it was never
        attempted, or its webhook is gone.
        """
        request = delivery.attempts[-1].request if delivery.attempts else None
        if request is None:
            raise UsageError(f"{delivery.delivery_id} was never attempted: there is nothing to send again")
        webhook = self._webhook_of(delivery, fresh=fresh)
        self._mock.touch()
        event, again = (self._renewed(delivery), None) if fresh else (delivery.event, request)
        source = f"{RESENT}{delivery.delivery_id}"
        resent = await self._work.finish(
            self.dispatcher.publish_again(event, webhook, source, self.clock, again), self.clock
        )
        if resent is None:
            raise UsageError(f"{delivery.delivery_id} was being sent again when the mock was reset")
        resent.faults = () if fresh else delivery.faults
        return resent

    def _webhook_of(self, delivery: Delivery, *, fresh: bool) -> Webhook:
        webhook = self.webhooks.get(delivery.webhook_id)
        if webhook is None and delivery.webhook_id == OWN_WEBHOOK:
            if fresh:
                raise UsageError(
                    f"{delivery.delivery_id} went to a script's own webhook, whose secret is not kept: it can be sent "
                    "again as it was, without fresh"
                )
            webhook = Webhook(OWN_WEBHOOK, delivery.url, (delivery.event.type,), "")
        if webhook is None:
            raise UsageError(f"the webhook {delivery.webhook_id} of {delivery.delivery_id} is gone")
        return webhook

    def _renewed(self, delivery: Delivery) -> Event:
        timestamp = format_timestamp(self.clock.now())
        event = delivery.event.type
        return Event(event, timestamp, encode_payload(event, timestamp, delivery.data, self.settings.json_style))

    def replaying(
        self, script: Script, speed: Speed | None = None, *, fail_fast: bool = False, account: str = ""
    ) -> Replay:
        """Prepare the replay of a script to the webhooks of an account, or to all; its ``run`` does it.

        Raises a UsageError if the script has flows and no steps, so that there is nothing to replay.
        """
        script.check_steps()
        self._mock.touch()
        clock = self._clock_of_replay(script, speed)
        return self._replay(script, clock, self.webhooks_of(account), fail_fast=fail_fast)

    def _replay(self, script: Script, clock: AnyClock, webhooks: Recipients, *, fail_fast: bool = False) -> Replay:
        report = Report(script, self.settings.max_deliveries, self._mock.budget)
        report.page = self._mock.page_of
        return Replay(
            report,
            dispatcher=self.dispatcher,
            prober=self.prober,
            webhooks=webhooks,
            clock=clock,
            settings=self.settings,
            retry=self.retry,
            fail_fast=fail_fast,
        )

    def _clock_of_replay(self, script: Script, speed: Speed | None) -> AnyClock:
        chosen = self.settings.speed if speed is None else speed
        if chosen != "stepped":
            return make_clock(chosen, script.start)
        if not isinstance(self.clock, SteppedClock):
            raise UsageError("stepped time is one for the whole mock: choose it in the settings")
        return self.clock

    def start_replay(self, script: Script, speed: Speed | None = None, account: str = "") -> RunningReplay:
        """Start a replay that goes on in the background, and is in :attr:`replays` under its id; see :meth:`replaying`.

        Raises a UsageError if the speed is not possible, or too many replays are going on.
        """
        return self.replays.start(lambda: self.replaying(script, speed, account=account), account)

    async def play(self, step: EventStep) -> RunningReplay:
        """Play an event step with all that it says of repeats, times and effects: a script of one step.

        The replay that is returned is over; on a stepped clock, nothing more of it is due. Raises a UsageError if it
        takes more than ten years.
        """
        self._sends += 1
        script = Script(source="<event>", name=step.event, seed=self.settings.seed + self._sends, steps=(step,))
        if script.seconds > LONGEST:
            raise UsageError("the step takes more than ten years: look at after, every and repeat")
        running = self.start_replay(script)
        await (self.clock.idle() if isinstance(self.clock, SteppedClock) else running.wait())
        return running

    def _clock_of_send(self) -> AnyClock:
        """Stepped or real time is the mock's own; at speed max each event skips its own waits for retries."""
        return SkippingClock(self.clock.now()) if self.settings.speed == "max" else self.clock

    async def replay(self, script: Script, speed: Speed | None = None) -> Report:
        """Replay a script; see :meth:`replaying`."""
        replay = self.replaying(script, speed)
        try:
            return await replay.run()
        finally:
            replay.report.leave_budget()

    def forget(self, account: str) -> None:
        """End and forget the replays of one account."""
        self.replays.forget(account)

    def reset(self) -> None:
        """End what is in flight, forget applications and replays, and restart the ids."""
        self.apps.reset()
        self._sends = 0
        self._sent_samples.clear()
        self._chance = None
        self.dispatcher.reset()
        self._work.cancel()
        self.replays.reset()

    async def end(self) -> None:
        """End what is in flight."""
        await self._work.stop()

    async def close(self) -> None:
        """Close every connection."""
        await self.apps.close()
        await self._transport.close()
