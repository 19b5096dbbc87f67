"""One mock, put together: the parts of every wing below, wired once.

Everything here is async and belongs to one event loop. :class:`~mockserver.testing.mock_server.MockServer` runs it on a
thread of its own; the command line runs it on its own loop. What is mounted beside the vendor API (the control API, the
dashboard) is handed to :meth:`Mock.start` from above.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.in_process import App, AppTransport, on_callers_loop
from mockserver.errors import UsageError
from mockserver.model.events import encode_payload
from mockserver.model.identifiers import new_identifier
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.messages import Transport
from mockserver.model.quantities import LONGEST, format_timestamp
from mockserver.model.records import RESENT, Delivery, Event, RecordStore
from mockserver.model.retry_policies import RetryPolicy, read_retry
from mockserver.model.settings import Settings, Speed
from mockserver.model.targets import Route, Routes, Target
from mockserver.model.webhooks import (
    AccountWebhooks,
    Recipients,
    Registration,
    RegistrationRules,
    Webhook,
    WebhookRegistry,
)
from mockserver.replay.clock import AnyClock, RealClock, SkippingClock, SteppedClock, Work, make_clock
from mockserver.replay.dispatcher import Dispatcher, Occurrence, SendResult
from mockserver.replay.probe import Prober
from mockserver.replay.replay import Replay, RunningReplay, RunningReplays
from mockserver.replay.report import Report
from mockserver.script.model import EventStep, Script
from mockserver.script.package_files import load_catalog, load_retry_policies
from mockserver.vendor_api.calls import AnswerPlan, CallLog

if TYPE_CHECKING:
    from mockserver.model.redaction import Redactor
    from mockserver.server.http_host import HttpHost, LocalCertificate, Part
    from mockserver.vendor_api.flows.engine import FlowEngine
    from mockserver.vendor_api.routes import VendorApi

_logger = logging.getLogger("mockserver")

#: The id of the webhook that a script brings along, in deliveries to it.
OWN_WEBHOOK = "script"

#: How many redactors are remembered, each for some secrets.
_MOST_REDACTORS = 64

#: A clock that is advanced by hand stops before this moment (the year 9999), after which no timestamp can be written.
_LAST_MOMENT = 253_370_764_800.0


class Mock:
    """A mock without a thread: what it keeps, the vendor API, and the deliveries.

    They are carried by ``transport``, by default the network. Raises a UsageError if the CA file of the settings cannot
    be used.
    """

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.settings = settings
        self.catalog = load_catalog()
        self.budget = MemoryBudget(settings.max_recorded_bytes)
        self.webhooks = WebhookRegistry(settings.max_webhooks, settings.seed, self.budget)
        self.records = RecordStore(settings.max_deliveries, self.budget)
        self.routes = Routes()
        self.calls = CallLog(settings.max_requests, self.budget)
        self.plan = AnswerPlan(budget=self.budget)
        self.clock: AnyClock = RealClock() if settings.speed != "stepped" else SteppedClock()
        self.retry = self._read_retry(settings.retry)
        self.replays = RunningReplays(self.budget)
        tls = _tls_context(settings.ca_file)
        self._transport = transport or Http1Transport(allowed_hosts=settings.allow_hosts, tls=tls)
        self.apps = AppTransport(self._transport)
        self._dispatcher = Dispatcher(self._transport, self.records, self.routes, self.webhooks, settings, self.apps)
        self._server: HttpHost | None = None
        self._certificate: LocalCertificate | None = None
        self._vendor: VendorApi | None = None
        self.prober = Prober(
            self._transport, self.apps, self.routes, settings.sender, settings.timeout, on_callers_loop
        )
        self._touched = False
        self._sends = 0
        self._sent_samples: set[str] = set()
        self._work = Work()
        self._redactors: dict[frozenset[str], Redactor] = {}

    @cached_property
    def flows(self) -> FlowEngine:
        """What plays the calls of the vendor API that lead to events."""
        # Imported when first used: many a mock only delivers.
        from mockserver.vendor_api.flows.engine import FlowEngine  # noqa: PLC0415 - start-up does without

        settings = self.settings
        return FlowEngine(
            self,
            self._dispatcher,
            max_resources=settings.max_resources,
            budget=self.budget,
            seed=settings.seed,
        )

    @property
    def has_flows(self) -> bool:
        """Whether :attr:`flows` was ever used: until then there are neither rules nor resources."""
        return "flows" in self.__dict__

    def webhooks_of(self, account: str) -> Recipients:
        """Return where the events of an account go."""
        return AccountWebhooks(self.webhooks, account) if account else self.webhooks

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

    @property
    def url(self) -> str:
        """The base URL of the running server, with the vendor API at ``/v1`` below it.

        Raises a UsageError if the server is not running.
        """
        if self._server is None:
            raise UsageError("the server is not running")
        return self._server.url

    @property
    def ca_file(self) -> str:
        """The PEM file of the authority that vouches for the server's certificate.

        Raises a UsageError if the server is not running with TLS.
        """
        if self._certificate is None:
            raise UsageError("the server is not running with TLS: ask for it with MockServer(tls=True)")
        return self._certificate.ca_file

    def transport_to(self, target: Target) -> Transport:
        """Return what carries requests to a target: the network, or a call into this process."""
        return self.apps if target.app else self._transport

    async def start(self, *parts: Callable[[Mock], Part]) -> None:
        """Serve the vendor API, and what ``parts`` make to be mounted beside it, such as the class ``ControlApi``.

        Raises a StartError if the address cannot be listened on, and a UsageError if TLS needs trustme.
        """
        # Imported here: a replay to a target needs no server, and aiohttp takes most of the start-up time.
        from mockserver.server.http_host import HttpHost  # noqa: PLC0415 - start-up does without
        from mockserver.vendor_api.routes import VendorApi  # noqa: PLC0415 - start-up does without

        vendor = VendorApi(
            registry=self.webhooks,
            rules=RegistrationRules(
                (*self.catalog.names, *self.settings.extra_events), self.settings.strict, self.settings.allow_http_hosts
            ),
            settings=self.settings,
            calls=self.calls,
            plan=self.plan,
            now=time.time,
            flows=lambda: self.flows,
        )
        server = HttpHost(
            vendor,
            *(make(self) for make in parts),
            fallback_paths=("/v1/",),
            max_request_bytes=self.settings.max_request_bytes,
        )
        if self.settings.tls:
            from mockserver.server.http_host import LocalCertificate  # noqa: PLC0415 - start-up does without

            self._certificate = LocalCertificate(self.settings.host)
        try:
            context = self._certificate.context if self._certificate else None
            await server.start(self.settings.host, self.settings.port, context)
        except BaseException:
            self._remove_certificate()
            raise
        self._server, self._vendor = server, vendor

    async def stop(self) -> None:
        """Stop serving, end what is in flight, and close every connection. Safe to call more than once."""
        await self.replays.stop()
        if self.has_flows:
            await self.flows.stop()
        await self._work.stop()
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
        self._remove_certificate()
        await self.apps.close()
        await self._transport.close()

    def register(self, url: str, events: Sequence[str] | None, secret: str, account: str = "") -> Webhook:
        """Register a webhook on behalf of an application; any http or https URL will do.

        No events mean all of them. Raises a UsageError if the URL or an event is not valid, the secret is empty, or the
        limit is reached.
        """
        Target.parse(url)
        known = (*self.catalog.names, *self.settings.extra_events)
        for event in events or ():
            self.catalog.check(event, self.settings.extra_events)
        if events is not None and not events:
            raise UsageError(f"a webhook needs at least one event of {', '.join(known)}")
        if not secret:
            raise UsageError("a webhook needs a secret: it is the key of its signatures")
        return self.webhooks.add(Registration(url, tuple(known if events is None else events), secret), account)

    def route(self, source: str, to: str | App) -> None:
        """Deliver what is meant for one base URL to another, or to an application in this process.

        Raises a UsageError if one of the URLs is not an http or https URL.
        """
        if isinstance(to, str):
            self.routes.add(Route(source, to))
        else:
            self.routes.add(Route(source, source, self.apps.add(to)))

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
        self.touch()
        self._sends += 1
        clock = self._clock_of_send()
        moment = clock.now() if at is None else at
        due = format_timestamp(moment) if self.settings.speed == "stepped" and moment > clock.now() else ""
        seed = f"{self.settings.seed}/send/{self._sends}"
        occurrence = self._dispatcher.occur(
            self._with_new_id(step, seed),
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
        await self._work.carry(self._publish_at(moment, occurrence, clock, deliveries), clock)
        return SendResult(step.event, deliveries, self.webhooks.all(), due=due)

    async def _publish_at(
        self, moment: float, occurrence: Occurrence, clock: AnyClock, deliveries: list[Delivery]
    ) -> None:
        if moment > clock.now():
            await clock.sleep_until(moment)
        await self._dispatcher.publish(occurrence, clock, deliveries)

    def _with_new_id(self, step: EventStep, seed: str) -> EventStep:
        """Give a step an object of its own if an event with the sample's id was sent before."""
        if not step.sample_id or step.event not in self._sent_samples:
            self._sent_samples |= {step.event} if step.sample_id else set()
            return step
        old = step.data.source[step.sample_id]
        chance = random.Random(f"{seed}/id")  # noqa: S311 - repeatable on purpose
        new = new_identifier(old.partition("_")[0], chance)
        return msgspec.structs.replace(step, data=step.data.with_value(step.sample_id, new))

    async def resend(self, delivery: Delivery, *, fresh: bool = False) -> Delivery:
        """Deliver once more what was delivered before.

        The same bytes go out or, ``fresh``, a new timestamp and signature. Raises a UsageError if it was never
        attempted, or its webhook is gone.
        """
        request = delivery.attempts[-1].request if delivery.attempts else None
        if request is None:
            raise UsageError(f"{delivery.delivery_id} was never attempted: there is nothing to send again")
        webhook = self._webhook_of(delivery, fresh=fresh)
        self.touch()
        event, again = (self._renewed(delivery), None) if fresh else (delivery.event, request)
        source = f"{RESENT}{delivery.delivery_id}"
        resent = await self._work.finish(
            self._dispatcher.publish_again(event, webhook, source, self.clock, again), self.clock
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
        if script.flows and not script.steps:
            raise UsageError(
                f"{script.source} has flows and no steps: there is nothing to replay. Serve it (mockserver serve "
                "--script), or use it in a test (mock.use)"
            )
        self.touch()
        clock = self._clock_of_replay(script, speed)
        return self._replay(script, clock, self.webhooks_of(account), fail_fast=fail_fast)

    def _replay(self, script: Script, clock: AnyClock, webhooks: Recipients, *, fail_fast: bool = False) -> Replay:
        report = Report(script, self.settings.max_deliveries, self.budget)
        report.page = self._page
        return Replay(
            report,
            dispatcher=self._dispatcher,
            prober=self.prober,
            webhooks=webhooks,
            clock=clock,
            settings=self.settings,
            retry=self.retry,
            fail_fast=fail_fast,
        )

    def redactor_of(self, webhook_ids: Iterable[str] = ()) -> Redactor:
        """Return what hides all that is private by setting, and the secrets of webhooks: their consumers know them."""
        from mockserver.model.redaction import Redactor  # noqa: PLC0415 - many a mock shows nothing

        secrets: set[str] = set()
        for webhook_id in set(webhook_ids):
            webhook = self.webhooks.get(webhook_id)
            secrets.update([webhook.secret] if webhook else self._own_secrets() if webhook_id == OWN_WEBHOOK else ())
        key = frozenset(secrets)
        redactor = self._redactors.get(key)
        if redactor is None:
            if len(self._redactors) >= _MOST_REDACTORS:
                self._redactors.clear()
            redactor = self._redactors[key] = Redactor.of(self.settings, *secrets)
        return redactor

    def _own_secrets(self) -> Iterator[str]:
        """The secrets of the webhooks that scripts and flows bring along."""
        flows = [rule.flow for rule in self.flows.rules.all()] if self.has_flows else []
        own = [running.report.script.webhook for running in self.replays.values()] + [flow.webhook for flow in flows]
        return (webhook.secret for webhook in own if webhook is not None)

    def _page(self, report: Report) -> str:
        from mockserver.model.redaction import Redactor  # noqa: PLC0415 - most reports are only asked for ok
        from mockserver.reports.html import replay_html  # noqa: PLC0415 - see above

        own = report.script.webhook
        secrets = [webhook.secret for webhook in self.webhooks.all()] + ([own.secret] if own else [])
        return replay_html([report.clean(Redactor.of(self.settings, *secrets))])

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

    async def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock: what becomes due is over when this returns.

        Raises a UsageError if the clock is not stepped, or the calendar ends.
        """
        if not isinstance(self.clock, SteppedClock):
            raise UsageError("the clock runs by itself: to advance it by hand, choose speed='stepped'")
        if self.clock.now() + seconds > _LAST_MOMENT:
            raise UsageError(f"the clock shows {format_timestamp(self.clock.now())}: it stops at the end of 9998")
        await self.clock.advance(seconds)

    def _clock_of_send(self) -> AnyClock:
        """Stepped or real time is the mock's own; at speed max each event skips its own waits for retries."""
        return SkippingClock(self.clock.now()) if self.settings.speed == "max" else self.clock

    def _read_retry(self, value: str | tuple[float | str, ...]) -> RetryPolicy | None:
        try:
            policy = read_retry(value if isinstance(value, str) else list(value), load_retry_policies())
        except ValueError as error:
            raise UsageError(f"invalid setting: retry: {error}") from None
        return policy if policy.delays or policy.timeout else None

    async def replay(self, script: Script, speed: Speed | None = None) -> Report:
        """Replay a script; see :meth:`replaying`."""
        replay = self.replaying(script, speed)
        try:
            return await replay.run()
        finally:
            replay.report.leave_budget()

    @property
    def untouched(self) -> bool:
        """Whether nothing has happened since the last reset that another one would undo."""
        fresh = not (self._touched or self.plan.pending or len(self.webhooks) or len(self.calls))
        return fresh and (not self.has_flows or self.flows.pristine)

    def _note_late(self, webhook: Webhook) -> None:
        """Name a registration that seems to come from an application from before the last reset: an earlier test."""
        if source := self.routes.forgotten(webhook.url):
            _logger.warning(
                "%s is registered, and was routed until the last reset, as %s: does an application of an earlier test "
                "still run? Deliveries to it are refused until it is routed again",
                webhook.url,
                source,
            )

    def touch(self) -> None:
        """Note that something happens that a reset will have to undo."""
        self._touched = True

    def forget(self, account: str) -> None:
        """Forget what belongs to one account, and end its flows and replays; the others are not affected."""
        self.replays.forget(account)
        for webhook in self.webhooks.all(account):
            self.webhooks.remove(webhook.webhook_id)
        self.records.forget(account)
        self.calls.forget(account)
        self.plan.forget(account)
        if self.has_flows:
            self.flows.forget(account)

    def reset(self) -> None:
        """Forget webhooks, deliveries, calls, planned answers, routes and resources, and restart the ids."""
        self._touched = False
        if self.has_flows:
            self.flows.reset()
        self.webhooks.clear()
        self.records.clear()
        self.calls.clear()
        self.plan.clear()
        self.routes.clear()
        self.apps.reset()
        self._sends = 0
        self._sent_samples.clear()
        self._dispatcher.reset()
        self._work.cancel()
        self.replays.reset()
        if self._vendor is not None:
            self._vendor.reset(self._note_late if self.routes.any_forgotten else None)

    def _remove_certificate(self) -> None:
        certificate, self._certificate = self._certificate, None
        if certificate is not None:
            certificate.remove()


def _tls_context(ca_file: str | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot use the CA file {ca_file}: {error}; it must hold certificates in PEM form") from None
    return context
