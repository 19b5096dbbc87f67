"""The running server of ``mockserver serve``, and what it prints."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.output import delivery_line, row_of
from mockserver.cli.readiness import Reach
from mockserver.control_api import ControlApi
from mockserver.dashboard import PAGE, Dashboard
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Delivery
from mockserver.model.redaction import without_tokens
from mockserver.model.settings import Settings
from mockserver.model.targets import read_address
from mockserver.model.webhooks import Webhook
from mockserver.model.wording import one_line, shortened, visible
from mockserver.reports.serializers import refusal_of
from mockserver.server.mock import Mock
from mockserver.vendor_api.calls import VendorCall

if TYPE_CHECKING:
    from mockserver.cli.report_files import ReportFiles
    from mockserver.cli.served_scripts import ServedScripts
    from mockserver.script.model import Script
    from mockserver.vendor_api.flows.resource import FlowEventRecord, Resource

#: The most characters of the reason why the vendor API refused a call; its answer holds them all.
_REASON = 300


class ServeLoop:
    """Serves until it is stopped, or until its scripts are over.

    Attributes:
        mock: The mock.
    """

    def __init__(
        self,
        settings: Settings,
        scripts: Sequence[Script],
        *,
        page: bool = True,
        one_per_url: bool = False,
        reports: ReportFiles | None = None,
    ) -> None:
        self.mock = Mock(settings)
        self._page = page
        self._one_per_url = one_per_url
        self._reach = Reach()
        self._registered: dict[str, int] = {}
        self._known: set[str] = set()
        self._work = Interruptible(needs_output=False)
        self._follows = False
        self._err = self._work.err
        self._out = self._err if reports is not None and reports.to_standard_output else self._work.out
        self._exits = reports is not None
        self._scripts = self._served(scripts, reports) if scripts else None

    def run(self) -> int:
        """Serve, and return the exit code; raises StartError or UnwritableError."""
        return self._work.run(self._serve()) or (self._scripts.exit_code(self._reach.why_not) if self._scripts else 0)

    def _served(self, scripts: Sequence[Script], reports: ReportFiles | None) -> ServedScripts:
        # Imported here: what replays takes a tenth of the start, and most mocks serve without a script.
        from mockserver.cli.served_scripts import ServedScripts  # noqa: PLC0415 - start-up does without

        return ServedScripts(self.mock, scripts, reports, self._out, self._err)

    async def _serve(self) -> None:
        await self.mock.start(*((Dashboard,) if self._page else ()), ControlApi)
        gc.freeze()  # what the start has made stays: no collection is to go through it
        gc.enable()  # it was off for the start
        try:
            self._show_ready()
            self.mock.calls.subscribe(self._call)
            self.mock.records.subscribe(self._delivery)
            self._known.update(webhook.webhook_id for webhook in self.mock.webhooks.all())
            self.mock.webhooks.subscribe(self._webhook)
            if self._scripts is not None:
                await self._scripts.play()
            if not self._exits:
                await asyncio.Event().wait()
        finally:
            self._out.flush()
            await self.mock.stop()
            if self._scripts is not None:
                self._scripts.conclude(self._reach.why_not, self._work.out)

    def _show_ready(self) -> None:
        self._out.line(f"mockserver is ready: {self.mock.url} (vendor API /v1, control API /_mock)")
        if self._page:
            self._out.line(f"watch and re-send in a browser: {self.mock.url}{PAGE}")
        if self.mock.settings.tls:
            self._out.line(f"clients trust its certificate with the CA file {self.mock.ca_file}")
        self._out.flush()
        if not _is_loopback(self.mock.settings.host):
            self._err.line("mockserver: it does not listen on a loopback address: other machines can reach it")

    def _webhook(self, webhook: Webhook) -> None:
        """Show a registration, and what it means if the same URL was registered before."""
        if webhook.webhook_id in self._known:
            return
        self._known.add(webhook.webhook_id)
        others = [each for each in self.mock.webhooks.all() if each.url == webhook.url and each is not webhook]
        times = self._registered[webhook.url] = self._registered.get(webhook.url, 0) + 1
        if self._one_per_url:
            for other in others:
                self.mock.webhooks.remove(other.webhook_id)
            note = f", replaces {', '.join(other.webhook_id for other in others)}" if others else ""
        else:
            count = len(others) + 1
            note = (
                f", registered {max(times, count)} times: each event is delivered {count} times (check PG092); "
                "--one-per-url replaces"
                if others
                else ""
            )
        when = format_timestamp(time.time())[11:19]
        events = ", ".join(webhook.events)
        self._out.line(
            one_line(f"{when}  webhook {webhook.webhook_id}  {without_tokens(webhook.url)}  ({events}){note}")
        )

    def _call(self, call: VendorCall) -> None:
        status = str(call.status)
        if self._out.colour:
            status = click.style(status, fg="green" if call.status < 400 else "red")
        when = format_timestamp(call.received_at)[11:19]
        why = f" {shortened(one_line(refusal_of(call)), _REASON)}" if call.problem else ""
        self._out.line(f"{when}  {one_line(call.method)} {one_line(call.path)}  {status}{why}")
        if not self._follows and self.mock.has_flows:  # known only when the first call has asked for them
            self._follows = True
            self.mock.flows.resources.subscribe(self._resource)

    def _resource(self, resource: Resource, event: FlowEventRecord | None) -> None:
        """Show the state that a resource has entered, and why an event of it was not sent; deliveries show the rest."""
        if event is not None:
            if event.not_sent:
                self._out.line(visible(f"          {resource.resource_id}  {event}"))
        elif len(resource.history) > 1:
            before, entered = resource.history[-2:]
            when = format_timestamp(entered.at)[11:19]
            self._out.line(f"{when}  {resource.resource_id}  {before.state} → {entered.state}")

    def _delivery(self, delivery: Delivery) -> None:
        self._reach.note(delivery)
        self._out.line(delivery_line(row_of(delivery), self._out, with_id=True))


def _is_loopback(host: str) -> bool:
    address = read_address(host)
    return host == "localhost" if address is None else address.is_loopback
