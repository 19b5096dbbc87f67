"""The running server of ``mockserver serve``: what it prints, and the scripts that it replays."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.output import delivery_line, row_of
from mockserver.cli.readiness import Reach
from mockserver.cli.replay_run import show_explanations, show_verdict
from mockserver.cli.report_files import ReportFiles, exit_code_of, replay_forms, workflow_lines
from mockserver.control_api import ControlApi
from mockserver.dashboard import PAGE, Dashboard
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor, without_tokens
from mockserver.model.settings import Settings
from mockserver.model.webhooks import Webhook
from mockserver.model.wording import one_line, shortened, visible
from mockserver.replay.report import STOPPED, Report
from mockserver.reports.serializers import refusal_of
from mockserver.script.model import Script
from mockserver.server.mock import Mock
from mockserver.vendor_api.calls import VendorCall

if TYPE_CHECKING:
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
        self._scripts = [script for script in scripts if script.steps]
        self._flows = [script for script in scripts if script.flows]
        self._one_per_url = one_per_url
        self._files = reports
        self._reports: list[Report] = []
        self._reach = Reach()
        self._registered: dict[str, int] = {}
        self._known: set[str] = set()
        self._work = Interruptible(needs_output=False)
        self._follows = False
        self._err = self._work.err
        self._out = self._err if reports is not None and reports.to_standard_output else self._work.out

    def run(self) -> int:
        """Serve, and return the exit code; raises StartError or UnwritableError."""
        return self._work.run(self._serve()) or exit_code_of(self._reports, self._reach.why_not)

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
            for script in self._flows:
                self._install(script)
            for script in self._scripts:
                await self._replay(script)
            if self._files is None:
                await asyncio.Event().wait()
        finally:
            self._out.flush()
            await self.mock.stop()
            if self._files is not None:
                self._conclude(self._files)

    def _show_ready(self) -> None:
        self._out.line(f"mockserver is ready: {self.mock.url} (vendor API /v1, control API /_mock)")
        if self._page:
            self._out.line(f"watch and re-send in a browser: {self.mock.url}{PAGE}")
        if self.mock.settings.tls:
            self._out.line(f"clients trust its certificate with the CA file {self.mock.ca_file}")
        self._out.flush()
        if not _is_loopback(self.mock.settings.host):
            self._err.line("mockserver: it does not listen on a loopback address: other machines can reach it")

    def _install(self, script: Script) -> None:
        """Let the flows of a script decide from now on, also after a reset."""
        self.mock.flows.rules.install(script.flows, standing=True)
        count = len(script.flows)
        self._out.line(visible(f"{script.name}: {count} flow{'' if count == 1 else 's'} for calls of the API"))
        self._out.flush()

    async def _replay(self, script: Script) -> None:
        running = self.mock.start_replay(script)
        self._reports.append(running.report)
        try:
            await running.wait()
        finally:
            await running.stop()
            self._out.line(visible(running.report.summary))
            self._out.flush()
            if self._files is None:  # else all of it is shown in the end
                show_explanations([running.report.clean(self._redactor())], self._err)

    def _conclude(self, files: ReportFiles) -> None:
        for script in self._scripts[len(self._reports) :]:
            self._reports.append(Report(script))
            self._reports[-1].close(STOPPED)
        redactor = self._redactor()
        reports = [report.clean(redactor) for report in self._reports]
        for line in workflow_lines(files, reports):
            self._out.command(one_line(line))
        self._out.flush()
        show_explanations(reports, self._err, redactor.text(self._reach.why_not))
        show_verdict(self._reports, self._out)
        files.write(replay_forms(reports), self._work.out)

    def _redactor(self) -> Redactor:
        """Hide what a consumer may have echoed in its answers."""
        own = (script.webhook.secret for script in self._scripts if script.webhook)
        webhooks = (webhook.secret for webhook in self.mock.webhooks.all())
        return Redactor.of(self.mock.settings, *own, *webhooks)

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
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
