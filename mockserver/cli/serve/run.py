"""The running server of ``mockserver serve``: what it prints, and the scripts that it replays."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from ipaddress import ip_address

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.printing import delivery_line, printable, row_of, shortened
from mockserver.control_api import ControlApi
from mockserver.dashboard import PAGE, Dashboard
from mockserver.model.durations import format_timestamp
from mockserver.model.plain_text import one_line
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings
from mockserver.reports.serializers import problem_view
from mockserver.script.model import Script
from mockserver.server.mock import Mock
from mockserver.vendor_api.calls import VendorCall

#: So much of the reason is shown why the vendor API refused a call; the answer holds the whole.
_REASON = 300


class ServeLoop:
    """Serves until it is stopped.

    Args:
        settings: Everything that can be chosen.
        scripts: What to replay once it accepts connections.
        page: Whether the dashboard is served.

    Attributes:
        mock: The mock.
    """

    def __init__(self, settings: Settings, scripts: Sequence[Script], *, page: bool = True) -> None:
        self.mock = Mock(settings)
        self._page = page
        self._scripts = scripts
        self._work = Interruptible()
        self._out, self._err = self._work.out, self._work.err

    def run(self) -> int:
        """Serve, and return the exit code.

        Raises:
            StartError: It cannot listen there.
        """
        return self._work.run(self._serve())

    async def _serve(self) -> None:
        await self.mock.start(*((Dashboard,) if self._page else ()), ControlApi)
        gc.enable()  # it was off for the start
        try:
            self._tell_ready()
            self.mock.calls.subscribe(self._call)
            self.mock.records.subscribe(self._delivery)
            for script in self._scripts:
                await self._replay(script)
            await asyncio.Event().wait()
        finally:
            self._out.flush()
            await self.mock.stop()

    def _tell_ready(self) -> None:
        self._out.line(f"mockserver is ready: {self.mock.url} (vendor API /v1, control API /_mock)")
        if self._page:
            self._out.line(f"watch and re-send in a browser: {self.mock.url}{PAGE}")
        if self.mock.settings.tls:
            self._out.line(f"clients trust its certificate with the CA file {self.mock.ca_file}")
        self._out.flush()
        if not _is_loopback(self.mock.settings.host):
            self._err.line("mockserver: it does not listen on a loopback address: other machines can reach it")

    async def _replay(self, script: Script) -> None:
        replay = self.mock.replaying(script)
        try:
            await replay.run()
        finally:
            self._out.line(printable(replay.report.summary))
            self._out.flush()
            redactor = self._redactor(script)
            for line in replay.report.explanations():
                self._err.line(printable(redactor.text(line)))

    def _redactor(self, script: Script) -> Redactor:
        """Hide what a consumer may have echoed in its answers."""
        own = [script.webhook.secret] if script.webhook else []
        webhooks = (webhook.secret for webhook in self.mock.webhooks.all())
        return Redactor([*own, *webhooks, *self.mock.settings.api_keys])

    def _call(self, call: VendorCall) -> None:
        status = str(call.status)
        if self._out.colour:
            status = click.style(status, fg="green" if call.status < 400 else "red")
        when = format_timestamp(call.received_at)[11:19]
        why = f" {shortened(one_line(problem_view(call)), _REASON)}" if call.problem else ""
        self._out.line(f"{when}  {one_line(call.method)} {one_line(call.path)}  {status}{why}")

    def _delivery(self, delivery: Delivery) -> None:
        self._out.line(delivery_line(row_of(delivery), self._out, with_id=True))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
