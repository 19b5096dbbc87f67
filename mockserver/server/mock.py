"""One mock, put together: the parts of every wing below, wired once.

Everything here is async and belongs to one event loop. :class:`~mockserver.testing.mock_server.MockServer` runs it on a
thread of its own; the command line runs it on its own loop. What is mounted beside the vendor API (the control API, the
dashboard) is handed to :meth:`Mock.start` from above.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mockserver.errors import UsageError
from mockserver.model.events import DOCUMENTED_EVENTS
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import OWN_WEBHOOK, Delivery, RecordStore
from mockserver.model.settings import NO_RETRIES, Settings, Speed
from mockserver.model.targets import Route, Routes, Target
from mockserver.model.webhooks import Registration, RegistrationRules, Webhook, WebhookRegistry
from mockserver.vendor_api.calls import AnswerPlan, CallLog

if TYPE_CHECKING:
    from mockserver.delivery.in_process import App, AppTransport
    from mockserver.model.events import Catalog
    from mockserver.model.messages import Transport
    from mockserver.model.redaction import Redactor
    from mockserver.model.retry_policies import RetryPolicy
    from mockserver.replay.clock import AnyClock
    from mockserver.replay.dispatcher import SendResult
    from mockserver.replay.probe import Prober
    from mockserver.replay.replay import Replay, RunningReplay, RunningReplays
    from mockserver.replay.report import Report
    from mockserver.script.model import EventStep, Script
    from mockserver.server.http_host import HttpHost, LocalCertificate, Part
    from mockserver.server.sending import Sending
    from mockserver.vendor_api.flows.engine import FlowEngine
    from mockserver.vendor_api.routes import VendorApi

_logger = logging.getLogger("mockserver")

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
        self.budget = MemoryBudget(settings.max_recorded_bytes)
        self.webhooks = WebhookRegistry(settings.max_webhooks, settings.seed, self.budget)
        self.records = RecordStore(settings.max_deliveries, self.budget)
        self.routes = Routes()
        self.calls = CallLog(settings.max_requests, self.budget)
        self.plan = AnswerPlan(budget=self.budget)
        self.retry = self._read_retry(settings.retry)
        self._tls = _tls_context(settings.ca_file)
        self._transport = transport
        self._sending: Sending | None = None
        self._making_sending = threading.Lock()
        self._server: HttpHost | None = None
        self._certificate: LocalCertificate | None = None
        self._vendor: VendorApi | None = None
        self._touched = False
        self._redactors: dict[frozenset[str], Redactor] = {}
        if settings.speed == "stepped":
            self.clock.now()  # it begins at this moment, and is made for that; any other when it is asked

    @cached_property
    def catalog(self) -> Catalog:
        """The event types, with sample data."""
        from mockserver.script.package_files import load_catalog  # noqa: PLC0415 - start-up does without

        return load_catalog()

    @cached_property
    def clock(self) -> AnyClock:
        """What time it is for events."""
        from mockserver.replay.clock import RealClock, SteppedClock  # noqa: PLC0415 - start-up does without

        return SteppedClock() if self.settings.speed == "stepped" else RealClock()

    @property
    def sending(self) -> Sending:
        """What is sent, and what carries it; made when first used: until then a mock only answers."""
        if self._sending is None:
            # Imported here: it brings the wings from the faults to the replay, a tenth of the start of a server.
            from mockserver.server.sending import Sending  # noqa: PLC0415 - start-up does without

            with self._making_sending:  # tests ask for it on their own thread, too
                if self._sending is None:
                    self._sending = Sending(self, self._transport, self._tls)
        return self._sending

    @property
    def apps(self) -> AppTransport:
        """What carries requests to applications in this process."""
        return self.sending.apps

    @property
    def prober(self) -> Prober:
        """What reads the effects that consumers have."""
        return self.sending.prober

    @property
    def replays(self) -> RunningReplays:
        """The replays in the background."""
        return self.sending.replays

    @cached_property
    def flows(self) -> FlowEngine:
        """What plays the calls of the vendor API that lead to events."""
        # Imported when first used: many a mock only delivers.
        from mockserver.vendor_api.flows.engine import FlowEngine  # noqa: PLC0415 - start-up does without

        settings = self.settings
        return FlowEngine(
            self.sending,
            self.sending.dispatcher,
            max_resources=settings.max_resources,
            budget=self.budget,
            seed=settings.seed,
        )

    @property
    def has_flows(self) -> bool:
        """Whether :attr:`flows` was ever used: until then there are neither rules nor resources."""
        return "flows" in self.__dict__

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
        return self.sending.transport_to(target)

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
                (*DOCUMENTED_EVENTS, *self.settings.extra_events), self.settings.strict, self.settings.allow_http_hosts
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
        if self._sending is not None:
            await self._sending.replays.stop()
        if self.has_flows:
            await self.flows.stop()
        if self._sending is not None:
            await self._sending.end()
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
        self._remove_certificate()
        if self._sending is not None:
            await self._sending.close()

    def register(self, url: str, events: Sequence[str] | None, secret: str, account: str = "") -> Webhook:
        """Register a webhook on behalf of an application; any http or https URL will do.

        No events mean all of them. Raises a UsageError if the URL or an event is not valid, the secret is empty, or the
        limit is reached.
        """
        for name, value in (("url", url), ("secret", secret)):
            if not isinstance(value, str):
                raise UsageError(f"the {name} of a webhook is text, not {type(value).__name__}")
        Target.parse(url)
        known = (*self.catalog.names, *self.settings.extra_events)
        self.catalog.check_all(events or (), self.settings.extra_events)
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

    def send(
        self,
        step: EventStep,
        source: str = "send",
        only: str | None = None,
        at: float | None = None,
        account: str | None = None,
    ) -> Coroutine[Any, Any, SendResult]:
        """Make one event happen, and deliver it; see :meth:`mockserver.server.sending.Sending.send`."""
        return self.sending.send(step, source, only, at, account)

    def resend(self, delivery: Delivery, *, fresh: bool = False) -> Coroutine[Any, Any, Delivery]:
        """Deliver once more what was delivered before; see :meth:`mockserver.server.sending.Sending.resend`."""
        return self.sending.resend(delivery, fresh=fresh)

    def replaying(
        self, script: Script, speed: Speed | None = None, *, fail_fast: bool = False, account: str = ""
    ) -> Replay:
        """Prepare the replay of a script; see :meth:`mockserver.server.sending.Sending.replaying`."""
        return self.sending.replaying(script, speed, fail_fast=fail_fast, account=account)

    def replay(self, script: Script, speed: Speed | None = None) -> Coroutine[Any, Any, Report]:
        """Replay a script; see :meth:`mockserver.server.sending.Sending.replay`."""
        return self.sending.replay(script, speed)

    def start_replay(self, script: Script, speed: Speed | None = None, account: str = "") -> RunningReplay:
        """Start a replay in the background; see :meth:`mockserver.server.sending.Sending.start_replay`."""
        return self.sending.start_replay(script, speed, account)

    def play(self, step: EventStep) -> Coroutine[Any, Any, RunningReplay]:
        """Play an event step as a script of its own; see :meth:`mockserver.server.sending.Sending.play`."""
        return self.sending.play(step)

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
        replays = self._sending.replays.values() if self._sending is not None else ()
        own = [running.report.script.webhook for running in replays] + [flow.webhook for flow in flows]
        return (webhook.secret for webhook in own if webhook is not None)

    def page_of(self, report: Report) -> str:
        """Return a report as a page, without secrets."""
        from mockserver.model.redaction import Redactor  # noqa: PLC0415 - most reports are only asked for ok
        from mockserver.reports.html import replay_html  # noqa: PLC0415 - see above

        own = report.script.webhook
        secrets = [webhook.secret for webhook in self.webhooks.all()] + ([own.secret] if own else [])
        return replay_html([report.clean(Redactor.of(self.settings, *secrets))])

    async def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock: what becomes due is over when this returns.

        Raises a UsageError if the clock is not stepped, or the calendar ends.
        """
        from mockserver.replay.clock import SteppedClock  # noqa: PLC0415 - as for the clock itself

        if not isinstance(self.clock, SteppedClock):
            raise UsageError("the clock runs by itself: to advance it by hand, choose speed='stepped'")
        if self.clock.now() + seconds > _LAST_MOMENT:
            raise UsageError(f"the clock shows {format_timestamp(self.clock.now())}: it stops at the end of 9998")
        await self.clock.advance(seconds)

    def _read_retry(self, value: str | tuple[float | str, ...]) -> RetryPolicy | None:
        if value == NO_RETRIES:
            return None
        # Imported here: most mocks retry nothing.
        from mockserver.model.retry_policies import read_retry  # noqa: PLC0415 - start-up does without
        from mockserver.script.package_files import load_retry_policies  # noqa: PLC0415 - start-up does without

        try:
            policy = read_retry(value if isinstance(value, str) else list(value), load_retry_policies())
        except ValueError as error:
            raise UsageError(f"invalid setting: retry: {error}") from None
        return policy if policy.delays or policy.timeout else None

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
        if self._sending is not None:
            self._sending.forget(account)
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
        if self._sending is not None:
            self._sending.reset()
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
