"""``MockServer``: the mock as one object for sync and async tests; and ``check``, where there is no mock yet."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from copy import copy
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mockserver.delivery.event_loop import LoopThread, green_threads, refuse_green_threads, refuse_to_block
from mockserver.delivery.in_process import Interface, noting_the_loop, read_destination
from mockserver.errors import CheckError, DeliveryError, UsageError
from mockserver.faults.registry import FAULTS
from mockserver.model.events import EventName, check_json
from mockserver.model.identifiers import named_account
from mockserver.model.quantities import parse_duration, parse_timestamp
from mockserver.model.records import Delivery, seen, what_is_unmet
from mockserver.model.redaction import Redactor
from mockserver.model.search import Search, read_search
from mockserver.model.settings import Settings, Speed, check_speed, read_settings
from mockserver.model.settings_keywords import SettingsKeywords
from mockserver.model.webhooks import Webhook
from mockserver.replay.clock import AnyClock
from mockserver.replay.dispatcher import SendResult
from mockserver.replay.probe import ProbeFunction
from mockserver.replay.replay import RunningReplay
from mockserver.replay.report import Report
from mockserver.replay.search_wait import wait_for_search
from mockserver.reports.check_report import CheckReport
from mockserver.reports.har import har_document
from mockserver.reports.junit import junit_xml
from mockserver.reports.markdown import markdown as markdown_summary
from mockserver.script.model import EventStep, Script, literal_step
from mockserver.script.package_files import find_script, read_script_file, shown_path
from mockserver.script.reader import read_flow_keys, read_script
from mockserver.server.mock import Mock
from mockserver.testing.assertions import (
    assert_delivered,
    describe,
    start_apps,
    wait_for_deliveries,
    wait_for_registration,
)
from mockserver.testing.check_target import CheckKeywords, checking
from mockserver.vendor_api.calls import VendorCall

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from mockserver.vendor_api.flows.resource import Resource


class BackgroundReplay:
    """A replay that goes on while the test does something else.

    Args:
        thread: Where it runs.
        running: The replay.
    """

    def __init__(self, thread: LoopThread, running: RunningReplay) -> None:
        self._thread = thread
        self._running = running

    @property
    def report(self) -> Report:
        """What has happened so far; complete when :attr:`done`."""
        return self._running.report

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._running.done

    def stop(self) -> None:
        """End it at once; its report accounts for every event."""
        self._thread.call(self._running.cancel)

    def result(self) -> Report:
        """Wait until it is over, and return its report.

        Raises:
            LoopRunningError: An event loop is running in this thread: use :meth:`aresult`.
        """
        refuse_to_block("result", "aresult")
        return self._thread.wait(self._running.wait())

    async def aresult(self) -> Report:
        """Like :meth:`result`, without blocking the running event loop."""
        return await asyncio.wrap_future(self._thread.submit(self._running.wait()))


class ClockControl:
    """The time as the mock sees it.

    Args:
        thread: Where the mock runs.
        mock: The mock.
    """

    def __init__(self, thread: LoopThread, mock: Mock) -> None:
        self._thread = thread
        self._mock = mock

    def now(self) -> float:
        """Return the present moment, in seconds since 1970."""
        return self._mock.clock.now()

    def advance(self, by: float | str) -> None:
        """Let time pass on a stepped clock, and return when all that became due is over.

        Args:
            by: A duration such as ``"5m"``, or seconds.

        Raises:
            UsageError: It is no duration, or the clock runs by itself.
            LoopRunningError: An event loop is running in this thread: use :meth:`aadvance`.
        """
        refuse_to_block("advance", "aadvance")
        self._thread.wait(self._mock.advance(_seconds(by)))

    async def aadvance(self, by: float | str) -> None:
        """Like :meth:`advance`, without blocking the running event loop."""
        await asyncio.wrap_future(self._thread.submit(self._mock.advance(_seconds(by))))


def _seconds(by: float | str) -> float:
    try:
        return parse_duration(by)
    except ValueError as error:
        raise UsageError(str(error)) from None


T = TypeVar("T")

#: How many reports, of checks and of replays, are kept to be asked about.
_KEPT = 100

#: How many deliveries that no one looked at are named.
_SHOWN = 20


class MockServer:
    """The vendor's side of webhooks, for tests: a server on a free port, and events on demand.

    Use it as ``with MockServer() as mock:`` or ``async with MockServer() as mock:``. Plain methods work in sync and
    async tests alike. What waits has an async twin with an ``a`` in front (``asend``, ``areplay``, ``acheck``,
    ``await_for``, ``await_for_registration``, ``asettle``); the sync form raises at once where an event loop is
    running.

    Args:
        **settings: The fields of :class:`mockserver.model.settings.Settings`.

    Raises:
        UsageError: An unknown setting, or a value that is not allowed.
    """

    def __init__(self, **settings: Unpack[SettingsKeywords]) -> None:
        self._mock = Mock(read_settings(**settings))
        self._thread: LoopThread | None = None
        self._process = 0
        self._sampled: dict[str, EventStep] = {}
        self._checks: deque[CheckReport] = deque(maxlen=_KEPT)
        self._reports: deque[Report] = deque(maxlen=_KEPT)

    # ---------------------------------------------------------------- from start to stop

    def start(self, app: object = None, *, timeout: float | str = 10.0) -> Self:
        """Start the server, and return when it accepts connections; or start a routed application.

        Args:
            app: An application that a route leads to; None for the server.
            timeout: Seconds that the application may take, or a duration such as ``"10s"``.

        Raises:
            StartError: The port is in use, the address is not this machine's, or the application did not start.
            UsageError: The server runs already, or no route leads to the application.
            LoopRunningError: The calling code runs on an event loop: use :meth:`astart` for an application.
        """
        if app is not None:
            refuse_to_block("start", "astart")
            self._running.wait(start_apps(self._mock, _seconds(timeout), read_destination(app)))
            return self
        if self._thread is not None:
            raise UsageError("the server is running already")
        thread = LoopThread("mockserver")
        try:
            thread.wait(self._serve())
        except BaseException:
            thread.close()
            raise
        self._thread, self._process = thread, os.getpid()
        return self

    async def astart(self, app: object, *, timeout: float | str = 10.0) -> Self:
        """Start a routed application, on the running event loop; see :meth:`start`."""
        await self._awaited(start_apps(self._mock, _seconds(timeout), read_destination(app)))
        return self

    def stop(self) -> None:
        """Stop the server and close every connection. Safe to call more than once."""
        thread, self._thread = self._thread, None
        if thread is not None and green_threads():  # patched since the start: nothing here can wait for it any more
            thread.stop_after(self._mock.stop())
        elif thread is not None and self._process == os.getpid():  # in a forked child there is no thread to stop
            try:
                thread.wait(self._mock.stop())
                self._mock.apps.settle()
            finally:
                thread.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            if kind is None and self._thread is not None and self._process == os.getpid() and not green_threads():
                self.raise_for_unseen()
        finally:
            self.stop()

    async def __aenter__(self) -> Self:
        # Off the loop: starting imports aiohttp and takes some milliseconds.
        return await asyncio.get_running_loop().run_in_executor(None, self.start)

    def __del__(self) -> None:
        if getattr(self, "_thread", None) is not None and self._process == os.getpid():
            text = f"unclosed MockServer at {self.url}: call stop(), or use `with`"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        await asyncio.get_running_loop().run_in_executor(None, self.__exit__, kind, error, trace)

    # ---------------------------------------------------------------- what is there

    @property
    def url(self) -> str:
        """The server's base URL, such as ``http://127.0.0.1:49152``; the vendor API is at ``url + "/v1"``."""
        return self._mock.url

    @property
    def ca_file(self) -> str:
        """The PEM file of the authority behind the server's certificate, for clients to trust; with ``tls=True``."""
        return self._mock.ca_file

    @property
    def settings(self) -> Settings:
        """The settings, including the defaults."""
        return self._mock.settings

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries so far, the oldest first."""
        return seen(self._records())

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """The registered webhooks, in the order of registration."""
        return self._running.call(self._mock.webhooks.all)

    @property
    def requests(self) -> tuple[VendorCall, ...]:
        """The calls that the vendor API received."""
        return self._running.call(lambda: tuple(self._mock.calls.calls))

    # ---------------------------------------------------------------- set-up

    def register(
        self,
        url: str,
        events: Sequence[str] | None = None,
        secret: str = "whsec_test",  # noqa: S107 - a test secret
        account: str | None = None,
    ) -> Webhook:
        """Register a webhook on behalf of the application.

        Args:
            url: Where its deliveries go; any http or https URL.
            events: The event types; None for all of them.
            secret: The key of its signatures.
            account: Whose it is, by API key, with ``accounts="per_key"``; None for no account in particular.

        Raises:
            UsageError: The URL or an event is not valid, or the secret is empty.
        """
        owner = "" if account is None else named_account(account)
        return self._running.call(lambda: self._mock.register(url, events, secret, owner))

    def route(self, source: str, to: object, *, interface: Interface | None = None, lifespan: bool = True) -> None:
        """Deliver what is meant for one base URL to another, or to an application in this process.

        Args:
            source: The base URL as registered, such as ``https://your-app.com``.
            to: The base URL to contact instead, such as ``http://127.0.0.1:5000``; or an ASGI, WSGI or aiohttp
                application object. An application gets requests for the URL as registered, without any network.
            interface: How an application is called: ``asgi`` or ``wsgi``; None decides by its shape.
            lifespan: Whether the mock runs the lifespan of an ASGI application: it starts before its first delivery,
                when the test waits for a registration or for flows, or by ``start(app)``. False where the test, or a
                client of it, runs the lifespan itself: otherwise the application would start twice.

        Raises:
            UsageError: One of them is no http or https URL and no application.
        """
        destination = read_destination(to, interface, lifespan=lifespan)
        self._running.call(lambda: self._mock.route(source, destination))

    def fail_next(
        self,
        status: int = 503,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        *,
        body: Any = None,
        refuse: bool = False,
        account: str = "",
    ) -> None:
        """Make the vendor API answer its next calls badly, so that the application's own retries can be tested.

        Args:
            status: The status to answer with.
            times: How many calls to answer so.
            headers: Headers to add, such as ``{"Retry-After": "1"}``.
            delay: Seconds to wait before answering.
            body: What to answer with: bytes or text as they are, anything else as JSON; None for the vendor's error.
            refuse: Whether to cut the connection off without an answer; the rest but ``times`` and ``delay`` means
                nothing then.
            account: The API key whose calls are meant, where each key is an account; empty for all.

        Raises:
            UsageError: A value is of the wrong type or out of range.
        """
        plan, named = self._mock.plan, account and named_account(account)
        self._running.call(lambda: plan.fail_next(status, times, headers, delay, body, refuse=refuse, account=named))

    def shut_down_apps(self) -> None:
        """Shut the applications in this process down; the next delivery to one starts it again.

        The pytest plugin does it at the end of each test, while the test's event loop is still there.
        """
        if self._thread is not None and self._mock.apps.running:
            self._running.call(self._mock.apps.shut_down)
            self._mock.apps.settle()

    def reset(self) -> None:
        """Forget webhooks, deliveries, requests, planned answers and routes; end what is in flight."""
        self._checks.clear()
        self._reports.clear()
        if self._thread is not None and self._mock.untouched:
            return  # what every test of a suite does twice should cost nothing
        self._running.cancel_all()
        self._running.call(self._mock.reset)
        self._mock.apps.settle()

    # ---------------------------------------------------------------- events

    def send(  # noqa: PLR0913 - the keys of an event step, by keyword
        self,
        event: EventName | str,
        *,
        data: Mapping[str, Any] | None = None,
        override: Mapping[str, Any] | None = None,
        remove: Sequence[str] = (),
        fault: Any = None,
        retry: Any = None,
        at: datetime | str | float | None = None,
        after: float | str = 0.0,
        nobody_ok: bool = False,
    ) -> SendResult:
        """Make one event happen, and deliver it to every webhook that is subscribed.

        Without ``data``, and unless its id is overridden, an event of a type that was sent before is about an object of
        its own: it has another ``run_id``, or whatever the id of its type is. Otherwise a consumer would rightly take
        it for a duplicate.

        Args:
            event: The event type.
            data: The data of the payload, exactly; without it, the sample data of the event.
            override: Values that differ from the sample data, by key or dotted path.
            remove: Keys or dotted paths to take away from the sample data.
            fault: A deliberate defect, as a script writes it: ``"wrong_secret"``, ``{"duplicate": 3}`` or a list.
            retry: When a failed attempt is made again: the name of a policy, or a schedule such as ``[0, 1, 4]``.
            at: When it happens, by the mock's clock: a time of day in ISO 8601, or seconds since 1970; now without.
            after: How much later it happens: a duration such as ``"8h"``, or seconds. At speed ``max``, as in the
                fixture, nothing waits for it; on a stepped clock it is delivered when the clock is advanced.
            nobody_ok: Whether the event may go to no webhook at all.

        Returns:
            The outcome, when every delivery has one.

        Raises:
            NobodySubscribedError: No active webhook is subscribed to the event.
            UsageError: The event, its data, the fault, the policy or the time is not valid.
            LoopRunningError: The calling code runs on an event loop: use :meth:`asend`.
        """
        refuse_to_block("send", "asend")
        step = self._step(event, data, override, remove, fault, retry)
        moment = _moment(at, after, self._mock.clock)
        return _sent(self._running.wait(self._mock.send(step, at=moment)), nobody_ok)

    async def asend(  # noqa: PLR0913 - as send
        self,
        event: EventName | str,
        *,
        data: Mapping[str, Any] | None = None,
        override: Mapping[str, Any] | None = None,
        remove: Sequence[str] = (),
        fault: Any = None,
        retry: Any = None,
        at: datetime | str | float | None = None,
        after: float | str = 0.0,
        nobody_ok: bool = False,
    ) -> SendResult:
        """Like :meth:`send`, without blocking the running event loop."""
        step = self._step(event, data, override, remove, fault, retry)
        moment = _moment(at, after, self._mock.clock)
        return _sent(await self._awaited(self._mock.send(step, at=moment)), nobody_ok)

    def replay(self, script: str | Path | Mapping[str, Any] | Script, speed: Speed | None = None) -> Report:
        """Replay a script: install its flows, and play its steps.

        Args:
            script: A file, the name of a bundled script, the script as a dict, or one read before.
            speed: How fast; None for the settings' speed.

        Returns:
            The report: planned = delivered + failed + not sent.

        Raises:
            ScriptError: The script has problems; nothing was sent.
            UsageError: There is no such file.
            LoopRunningError: An event loop is running in this thread: use :meth:`areplay`.
        """
        refuse_to_block("replay", "areplay")
        _check_speed(speed)
        return self._noted(self._running.wait(self._mock.replay(self._script_to_play(script), speed)))

    async def areplay(self, script: str | Path | Mapping[str, Any] | Script, speed: Speed | None = None) -> Report:
        """Like :meth:`replay`, without blocking the running event loop."""
        _check_speed(speed)
        return self._noted(await self._awaited(self._mock.replay(self._script_to_play(script), speed)))

    def start_replay(
        self, script: str | Path | Mapping[str, Any] | Script, speed: Speed | None = None
    ) -> BackgroundReplay:
        """Start a replay that goes on in the background, such as one on a stepped clock; does not wait.

        Raises:
            ScriptError: The script has problems; nothing was sent.
            UsageError: There is no such file.
        """
        _check_speed(speed)
        read = self._script_to_play(script)
        with noting_the_loop():  # async probes of the test run on it
            running = self._running.call(lambda: self._mock.start_replay(read, speed))
        self._noted(running.report)
        return BackgroundReplay(self._running, running)

    def write_report(
        self,
        report: Report,
        *,
        junit: str | Path | None = None,
        har: str | Path | None = None,
        markdown: str | Path | None = None,
        html: str | Path | None = None,
    ) -> None:
        """Write a report for a build or a reader; secrets of registered webhooks and API keys are not in it.

        Missing folders are made.

        Args:
            report: What a replay returned.
            junit: The file for JUnit XML; None for none.
            har: The file for a HAR 1.2 document; None for none.
            markdown: The file for Markdown; None for none.
            html: The file for a page of HTML; None for none.

        Raises:
            OSError: A file cannot be written.
        """
        clean = report.clean(Redactor.of(self.settings, *(webhook.secret for webhook in self.webhooks)))
        for file, form in ((junit, junit_xml), (har, har_document), (markdown, markdown_summary)):
            if file is not None:
                _in_its_folder(file).write_text(form([clean]), "utf-8")
        if html is not None:
            _in_its_folder(html).write_bytes(clean.html().encode("utf-8", "replace"))

    # ---------------------------------------------------------------- flows

    def flow(self, on: str, *, account: str = "", **keys: Any) -> None:
        """Decide what becomes of a call of the application; of several flows, the first that matches a call counts.

        Args:
            on: The call, such as ``"POST /v1/runs"``.
            account: The API key whose calls are meant, where each key is an account; empty for all.
            **keys: The other keys of a flow in a script: ``when``, ``times``, ``states``, ``advance``, ``outcome``,
                ``turns``, ``failed_turn``, ``deliver``, ``events``.

        Raises:
            ScriptError: The flow has problems; nothing was changed.
        """
        flows = read_flow_keys({"on": on, **keys}, self._mock.catalog, self._mock.settings.extra_events)
        named = account and named_account(account)
        self._running.call(lambda: self._mock.flows.rules.install(flows, account=named))

    def use(self, script: str | Path | Mapping[str, Any] | Script) -> None:
        """Install the flows of a script, after those that are there; its steps are not replayed.

        Args:
            script: A file, the name of a bundled script, the script as a dict, or one read before.

        Raises:
            ScriptError: The script has problems; nothing was changed.
            UsageError: There is no such file, or it has no flows.
        """
        read = self._script(script)
        if not read.flows:
            raise UsageError(f"{read.source} has no flows to use: replay() plays its steps")
        self._running.call(lambda: self._mock.flows.rules.install(read.flows))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What calls of the application have made, as of now, the oldest first: runs, evaluations, agents and so on."""
        return self._running.call(lambda: tuple(map(copy, self._mock.flows.resources)) if self._mock.has_flows else ())

    def advance(self, resource_id: str) -> Resource:
        """Move a run or an optimization one state on, whose flow is advanced by hand (or by reads).

        What it leads to goes on in the background: :meth:`settle` waits for it.

        Args:
            resource_id: Its id, such as ``run_abc123``.

        Returns:
            The resource as it is then.

        Raises:
            UsageError: There is none with this id, it moves by time, or it has no further state.
        """
        return self._running.call(lambda: copy(self._mock.flows.advance(resource_id)))

    def settle(self, timeout: float | str = 30.0) -> None:
        """Wait until no flow is under way: what time moves has ended, and each event about it has its outcome.

        What waits for a read or for :meth:`advance` is not under way. On a stepped clock, only what is due is waited
        for.

        Args:
            timeout: Seconds to wait, or a duration such as ``"5s"``.

        Raises:
            WaitTimeoutError: Flows are under way still; the message says which.
            LoopRunningError: An event loop is running in this thread: use :meth:`asettle`.
        """
        refuse_to_block("settle", "asettle")
        self._running.wait(self._settled(timeout))

    async def asettle(self, timeout: float | str = 30.0) -> None:
        """Like :meth:`settle`, without blocking the running event loop."""
        await self._awaited(self._settled(timeout))

    async def _settled(self, timeout: float | str) -> None:
        seconds = _seconds(timeout)
        await start_apps(self._mock, seconds)
        await self._mock.flows.settle(seconds)

    def probe(self, name: str, function: ProbeFunction) -> None:
        """Name a function that reads the application's state, for steps that expect an effect.

        Args:
            name: What a script calls it: ``expect: {effect: {probe: name, change: 1}}``.
            function: Takes nothing and returns a JSON value, usually a count. A plain function is called in a thread
                of its own, an async one on the loop of the async test that replays the script, else on the mock's.
        """
        self._running.call(lambda: self._mock.prober.functions.update({name: function}))

    @property
    def clock(self) -> ClockControl:
        """The mock's clock; with ``speed="stepped"`` it is advanced by hand."""
        return ClockControl(self._running, self._mock)

    # ---------------------------------------------------------------- checks

    def check(self, target: object = None, secret: str | None = None, **options: Unpack[CheckKeywords]) -> CheckReport:
        """Find out what a consumer gets wrong: forged events, duplicates, odd payloads, and more.

        The deliveries do not go into the mock's record, and its webhooks and routes stay as they are.

        Args:
            target: The URL of the consumer, to which routes apply; an ASGI, WSGI or aiohttp application object; None
                for the one webhook that is registered.
            secret: What the consumer verifies with; None for the secret of the webhook that is registered with this
                URL, else ``whsec_test``.
            **options: See :class:`CheckKeywords`.

        Returns:
            The report: look at its ``ok``, ``failures`` or ``finding("PG012")``, or call ``raise_for_failures()``.

        Raises:
            UsageError: The target, an option, or the probe cannot be used.
            LoopRunningError: An event loop is running in this thread: use :meth:`acheck`.
        """
        __tracebackhide__ = True
        refuse_to_block("check", "acheck")
        try:
            return self._running.wait(self._kept(checking(self._mock, target, secret, options)))
        except UsageError as error:
            raise error.with_traceback(None) from None  # our own frames mean nothing to a user
        finally:
            self._mock.apps.settle()

    async def acheck(
        self, target: object = None, secret: str | None = None, **options: Unpack[CheckKeywords]
    ) -> CheckReport:
        """Like :meth:`check`, without blocking the running event loop."""
        __tracebackhide__ = True
        try:
            return await self._awaited(self._kept(checking(self._mock, target, secret, options)))
        except UsageError as error:
            raise error.with_traceback(None) from None  # our own frames mean nothing to a user
        finally:
            if self._mock.apps.ending:  # in a thread: an application that was started here shuts down on this loop
                await asyncio.to_thread(self._mock.apps.settle)

    def broken_checks(self) -> tuple[CheckReport, ...]:
        """Return the reports since the last reset that are not ``ok``; this does not count as looking at them."""
        return tuple(check for check in self._checks if check.broken)

    # ---------------------------------------------------------------- waiting

    def find(self, q: str = "") -> tuple[Delivery, ...]:
        """Return the deliveries that a search finds, the oldest first.

        Args:
            q: A search, such as ``event:run.failed status:4xx -fault:wrong_secret "some text"``; see docs/dashboard.md.

        Raises:
            UsageError: The search cannot be read.
        """
        search = self._search(q)
        return seen(filter(search.matches, self._records()))

    def wait_for(
        self,
        event: str | None = None,
        count: int = 1,
        timeout: float | str = 5.0,
        where: Mapping[str, Any] | None = None,
        *,
        q: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Wait until events were delivered, or until a search finds enough; what is on record before counts.

        Args:
            event: The event type; deliveries of it that the consumer accepted count.
            count: How many deliveries are waited for.
            timeout: Seconds to wait, or a duration such as ``"5s"``.
            where: Values that the data must have.
            q: A search in place of the event and ``where``; what failed counts too, unless the search says otherwise.

        Returns:
            The deliveries.

        Raises:
            WaitTimeoutError: They did not come in time; the message says what did, and why it is not what was meant.
            UsageError: There is no such event, the search cannot be read, or both or neither are given.
            LoopRunningError: An event loop is running in this thread: use :meth:`await_for`.
        """
        refuse_to_block("wait_for", "await_for")
        return self._running.wait(self._waiting(event, count, timeout, where, q))

    async def await_for(
        self,
        event: str | None = None,
        count: int = 1,
        timeout: float | str = 5.0,
        where: Mapping[str, Any] | None = None,
        *,
        q: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Like :meth:`wait_for`, without blocking the running event loop."""
        return await self._awaited(self._waiting(event, count, timeout, where, q))

    def _waiting(
        self, event: str | None, count: int, timeout: float | str, where: Mapping[str, Any] | None, q: str | None
    ) -> Coroutine[Any, Any, tuple[Delivery, ...]]:
        seconds = _seconds(timeout)
        if q is None and event is not None:
            return wait_for_deliveries(self._mock, event, count, seconds, where)
        if q is None or event is not None or where is not None:
            raise UsageError('wait for an event, wait_for("run.failed"), or for a search, wait_for(q="is:failed")')
        return self._found(self._search(q), count, seconds)

    async def _found(self, search: Search, count: int, timeout: float) -> tuple[Delivery, ...]:
        return seen(await wait_for_search(self._mock.records, search, count, timeout))

    def _search(self, q: str) -> Search:
        events = (*self._mock.catalog.names, *self.settings.extra_events)
        return read_search(q, {"event": events, "fault": FAULTS})

    def wait_for_registration(self, events: Sequence[str] = (), timeout: float | str = 5.0) -> Webhook:
        """Wait until the application has registered a webhook; one that is there already counts.

        Applications in this process are started first, if they have not been.

        Args:
            events: The event types that it must be subscribed to.
            timeout: Seconds to wait, or a duration such as ``"5s"``.

        Returns:
            The webhook; of several, the one registered last.

        Raises:
            WaitTimeoutError: None came in time; the message says what the vendor API received.
            LoopRunningError: An event loop is running in this thread: use :meth:`await_for_registration`.
        """
        refuse_to_block("wait_for_registration", "await_for_registration")
        return self._running.wait(wait_for_registration(self._mock, events, _seconds(timeout)))

    async def await_for_registration(self, events: Sequence[str] = (), timeout: float | str = 5.0) -> Webhook:
        """Like :meth:`wait_for_registration`, without blocking the running event loop."""
        return await self._awaited(wait_for_registration(self._mock, events, _seconds(timeout)))

    # ---------------------------------------------------------------- assertions

    def assert_delivered(
        self, event: str, times: int | None = None, where: Mapping[str, Any] | None = None
    ) -> tuple[Delivery, ...]:
        """Assert that the consumer accepted deliveries of an event.

        Args:
            event: The event type.
            times: How many exactly; None for at least one.
            where: Values that the data must have, by key or dotted path.

        Returns:
            The deliveries.

        Raises:
            DeliveryError: There are not as many; the message says what did come, and how it differs.
        """
        self._mock.catalog.check(event, self._mock.settings.extra_events)
        return assert_delivered(self.deliveries, event, times, where)

    def assert_not_delivered(self, event: str, where: Mapping[str, Any] | None = None) -> None:
        """Assert that the consumer accepted no delivery of an event.

        Raises:
            DeliveryError: It did; the message says which.
        """
        self.assert_delivered(event, 0, where)

    def unseen_failures(self) -> tuple[Delivery, ...]:
        """Return the deliveries that did not go as expected, and whose outcome no one has looked at.

        Expected is an answer with 2xx; where the signature is defective on purpose, one with 4xx; of other faults,
        nothing. Looking at ``deliveries``, at an outcome of ``send``, at a report or an assertion counts.
        """
        if self._thread is not None and not len(self._mock.records):
            return ()  # what every test of a suite asks twice should cost nothing
        return tuple(each for each in self._records() if each.unmet and not each.seen)

    def raise_for_unseen(self) -> None:
        """Raise for failures that no one has looked at: of checks, and unless switched off, of replays and deliveries.

        The fixture does this at the end of each test that has not failed, and ``with MockServer()`` where its block
        ends. ``strict_deliveries=False`` switches it off, but for checks.

        Raises:
            CheckError: A check found something that the consumer must get right.
            DeliveryError: A replay or a delivery did not go as expected.
        """
        __tracebackhide__ = True
        checks = [check for check in self._checks if check.broken and not check.looked_at]
        if checks:
            raise CheckError("\n\n".join(map(str, checks)))
        if self.settings.strict_deliveries and (problems := self._unseen_problems()):
            raise DeliveryError(f"{problems}\nLook at the outcome, or allow failures: strict_deliveries=False")

    def _unseen_problems(self) -> str:
        reports = [report for report in self._reports if report.broken and not report.looked_at]
        lines = [line for report in reports for line in (report.summary, *report.explanations())]
        for report in reports:
            seen(report.deliveries)
        unseen = self.unseen_failures()
        lines += [f"{delivery}; {what_is_unmet(delivery)}" for delivery in unseen[:_SHOWN]]
        lines += [f"and {len(unseen) - _SHOWN} more"] if len(unseen) > _SHOWN else []
        seen(unseen)
        return "\n  ".join(["no one looked at what failed:", *lines]) if lines else ""

    def describe(self) -> str:
        """Return the deliveries on record for a reader: event, target, attempts, status, time, the answer."""
        return f"{describe(self._records())}\n{self._describe_webhooks()}{self._describe_resources()}"

    # ---------------------------------------------------------------- inside

    @property
    def _running(self) -> LoopThread:
        if self._thread is not None and self._process != os.getpid():
            raise UsageError(
                "this mock runs in the process that has started it, and not in a forked child: call it over HTTP there"
            )
        if self._thread is None:
            raise UsageError("the server is not running: use `with MockServer() as mock:`, or call start()")
        refuse_green_threads()
        self._mock.touch()
        return self._thread

    async def _serve(self) -> None:
        # Imported here: a check without a server needs neither it nor aiohttp.
        from mockserver.control_api import ControlApi  # noqa: PLC0415 - start-up does without
        from mockserver.dashboard import Dashboard  # noqa: PLC0415 - start-up does without

        await self._mock.start(Dashboard, ControlApi)

    async def _awaited(self, work: Coroutine[Any, Any, T]) -> T:
        with noting_the_loop():  # an application in this process runs on it
            future = self._running.submit(work)
        return await asyncio.wrap_future(future)

    async def _kept(self, check: Coroutine[Any, Any, CheckReport]) -> CheckReport:
        report = await check
        self._checks.append(report)
        return report

    def _noted(self, report: Report) -> Report:
        report.looked_at = False
        self._reports.append(report)
        return report

    def _records(self) -> tuple[Delivery, ...]:
        return self._running.call(self._mock.records.all)

    def _describe_webhooks(self) -> str:
        webhooks = self.webhooks
        if not webhooks:
            return "No webhook is registered."
        return "Registered:" + "".join(f"\n  {webhook!r}" for webhook in webhooks)

    def _describe_resources(self) -> str:
        """The last of what calls have made, with their states and events; empty for none."""
        resources = self.resources
        more = f"\n  ({len(resources) - _KEPT} earlier ones)" if len(resources) > _KEPT else ""
        lines = "".join(f"\n  {resource}" for resource in resources[-_KEPT:])
        return f"\nMade by calls:{more}{lines}" if resources else ""

    def _step(
        self,
        event: str,
        data: Mapping[str, Any] | None,
        override: Mapping[str, Any] | None,
        remove: Sequence[str],
        fault: Any,
        retry: Any,
    ) -> EventStep:
        """The step of an event; one that changes nothing about the sample is made once."""
        as_sampled = data is None and override is None and not remove and fault is None and retry is None
        as_sampled = as_sampled and isinstance(event, str)  # what else is given is refused below
        if as_sampled and (made := self._sampled.get(event)):
            return made
        step = literal_step(
            self._mock.catalog,
            event,
            data=data,
            override=override,
            remove=remove,
            fault=fault,
            retry=retry,
            extra_events=self._mock.settings.extra_events,
        )
        if as_sampled:
            self._sampled[event] = step
        return step

    def _script_to_play(self, script: str | Path | Mapping[str, Any] | Script) -> Script:
        """Read a script whose steps are played, and install its flows: they decide on the calls meanwhile."""
        read = self._script(script)
        if read.flows and read.steps:
            self._running.call(lambda: self._mock.flows.rules.install(read.flows))
        return read

    def _script(self, script: str | Path | Mapping[str, Any] | Script) -> Script:
        if isinstance(script, Script):
            return script
        if isinstance(script, Mapping):
            check_json(script, "script")
            return read_script(msgspec.json.encode(script), self._mock.catalog)
        path = find_script(str(script))
        return read_script(read_script_file(path), self._mock.catalog, shown_path(path))


def _check_speed(speed: Speed | None) -> None:
    if speed is not None:
        check_speed(speed)


def _in_its_folder(file: str | Path) -> Path:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _sent(result: SendResult, nobody_ok: bool) -> SendResult:
    if not nobody_ok:
        result.raise_for_nobody()
    return result


def _whole_second(text: str) -> float:
    seconds = parse_timestamp(text)
    if not seconds.is_integer():
        raise ValueError(f"{text!r} has a fraction of a second, and the timestamps of events have none")
    return seconds


def _moment(at: datetime | str | float | None, after: float | str, clock: AnyClock) -> float | None:
    """When an event happens, in seconds since 1970; None for now."""
    if at is None and not after:
        return None
    try:
        wait = parse_duration(after)
        if isinstance(at, datetime):
            return at.timestamp() + wait
        return (clock.now() if at is None else _whole_second(at) if isinstance(at, str) else float(at)) + wait
    except ValueError as error:
        raise UsageError(f"when the event happens: {error}") from None


class _Checker(MockServer):
    """A mock that checks one consumer: it listens on no port."""

    async def _serve(self) -> None:
        pass


def check(target: object, secret: str | None = None, **options: Unpack[CheckKeywords]) -> CheckReport:
    """Fail unless a consumer gets everything right that it must: one line in a test suite, without a fixture.

    Args:
        target: The URL of the consumer, or an ASGI, WSGI or aiohttp application object.
        secret: What it verifies with; None for ``whsec_test``.
        **options: See :class:`CheckKeywords`.

    Returns:
        The report.

    Raises:
        CheckError: Something that it must get right is wrong; the message is a table of what, and how to fix it.
        UsageError: The target, an option, or the probe cannot be used.
        LoopRunningError: An event loop is running in this thread: use :func:`acheck`.
    """
    __tracebackhide__ = True  # pytest would show the arguments, and so the secret
    refuse_to_block("check", "acheck")
    with _Checker() as checker:  # leaving it raises for a failure that no one has looked at
        return checker.check(target, secret, **options)


async def acheck(target: object, secret: str | None = None, **options: Unpack[CheckKeywords]) -> CheckReport:
    """Like :func:`check`, without blocking the running event loop."""
    __tracebackhide__ = True
    async with _Checker() as checker:
        return await checker.acheck(target, secret, **options)


class ServerPool:
    """Running servers, one for each combination of settings."""

    def __init__(self) -> None:
        self._servers: dict[bytes, MockServer] = {}

    def get(self, settings: dict[str, Any]) -> MockServer:
        """Return the running server with these settings, starting it if it is the first time.

        Raises UsageError or StartError.
        """
        key = msgspec.json.encode(read_settings(**settings))
        if key not in self._servers:
            self._servers[key] = MockServer(**settings).start()
        return self._servers[key]

    def close(self) -> None:
        """Stop them all."""
        while self._servers:
            self._servers.popitem()[1].stop()
