"""One run of ``mockserver replay``: the scripts one after another, each to its destination, and what it shows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import Destination
from mockserver.cli.output import Printer, delivery_line, is_as_expected, row_of
from mockserver.cli.readiness import Reach, Readiness
from mockserver.model.quantities import format_duration, format_timestamp
from mockserver.model.records import Delivery, WaitListener
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings, Speed
from mockserver.model.targets import Target
from mockserver.model.wording import one_line, visible
from mockserver.replay.report import STOPPED, Report, counts_of
from mockserver.script.model import Script
from mockserver.server.mock import Mock

if TYPE_CHECKING:
    from mockserver.cli.live import ReplayTable
    from mockserver.server.embedded_consumer import EmbeddedConsumer

#: A script, and where its events go; None is the embedded consumer.
Plan = tuple[Script, Destination | None]


class ReplayRun:
    """Replays scripts.

    Attributes:
        reports: A report for each script, whatever becomes of it.
        receiver: The embedded consumer, if there is one.
        redactor: Hides every secret that this replay knows of.
    """

    def __init__(
        self, plans: Sequence[Plan], settings: Settings, speed: Speed, secret: str | None, *, fail_fast: bool = False
    ) -> None:
        self._plans = plans
        self._settings = settings
        self._mock = Mock(settings)
        self._speed = speed
        self._fail_fast = fail_fast
        self._secret = secret or secrets.token_urlsafe()
        self._reach = Reach()
        self._unreachable = ""
        self.reports = [Report(script) for script, _ in plans]
        self.receiver: EmbeddedConsumer | None = None
        self.redactor = Redactor.of(settings, self._secret, *_secrets(plans))

    async def run(
        self, on_delivery: Callable[[Delivery], None], readiness: Readiness, on_wait: WaitListener | None = None
    ) -> None:
        """Replay every script; when this ends, however it ends, the reports account for every event."""
        self._mock.records.subscribe(self._reach.note)
        self._mock.records.subscribe(on_delivery)
        if on_wait is not None:
            self._mock.records.subscribe_to_waits(on_wait)
        try:
            self._unreachable = await self._why_not_ready(readiness)
            if not self._unreachable:
                await self._replay_all()
        finally:
            for report in self.reports:
                report.close(self._unreachable or STOPPED)
            await self._stop()

    @property
    def why_unreachable(self) -> str:
        """Why not one delivery came to a consumer; empty if one did, or none was tried."""
        return self.redactor.text(self._unreachable or self._reach.why_not)

    async def _why_not_ready(self, readiness: Readiness) -> str:
        urls = dict.fromkeys(destination.url for _, destination in self._plans if destination)
        reason = await readiness.why_not(self._mock, map(Target.parse, urls))
        return f"the target could not be reached: {reason}" if reason else ""

    async def _replay_all(self) -> None:
        for number, (script, destination) in enumerate(self._plans):
            where = destination or await self._embedded()
            webhook = self._mock.register(where.url, None, where.secret)
            replay = self._mock.replaying(script, self._speed, fail_fast=self._fail_fast)
            self.reports[number] = replay.report
            await replay.run()
            self._mock.webhooks.remove(webhook.webhook_id)
            if self._fail_fast and not replay.report.ok:
                self._halt_after(number, script.source)
                return

    def _halt_after(self, number: int, source: str) -> None:
        reason = f"not begun, as {source} has a problem (fail-fast)"
        for report in self.reports[number + 1 :]:
            report.halt(reason)
            report.close(reason)

    async def _embedded(self) -> Destination:
        """Start the embedded consumer, if it does not run yet."""
        if self.receiver is None:
            # Imported here: a replay to a target needs no server, and aiohttp takes long to import.
            from mockserver.server.embedded_consumer import EmbeddedConsumer  # noqa: PLC0415 - start-up does without

            receiver = EmbeddedConsumer(self._secret)
            await receiver.start()
            self.receiver = receiver
        return Destination(f"{self.receiver.url}/webhooks/playgent", self._secret)

    async def _stop(self) -> None:
        if self.receiver is not None:
            await self.receiver.stop()
        await self._mock.stop()


def _secrets(plans: Sequence[Plan]) -> Iterator[str]:
    for script, destination in plans:
        if script.webhook is not None:
            yield script.webhook.secret
        if destination is not None:
            yield destination.secret


# ---------------------------------------------------------------- what it shows

#: The most explanations that are printed; more would hide the first.
_EXPLANATIONS = 40
#: Seconds of silence from which on a line says what is waited for.
_SILENCE = 2.0
#: Of more planned events than this only failures are printed, and a line of progress every few seconds.
_LONG = 50
#: Seconds between two lines of progress.
_PROGRESS = 5.0
#: After this many time-outs in a row a line says how to spend less time on them.
_TIMEOUTS = 5


class ReplayView:
    """Shows a replay: on a terminal as a live table, elsewhere as plain lines."""

    def __init__(self, planned: int, *, to_stderr: bool, work: Interruptible, speed: Speed, verbose: bool) -> None:
        self._planned = planned
        self._speed = speed
        self._printer = work.err if to_stderr else work.out
        self._err = work.err
        self._brief = planned > _LONG and not verbose
        self._ended = self._failed = self._timeouts = 0
        self._last_progress = time.monotonic()
        self._live: ReplayTable | None = None
        if self._printer.colour and not to_stderr:
            # Imported here: rich takes long to import, and only a terminal shows what it can do.
            from mockserver.cli.live import ReplayTable  # noqa: PLC0415 - start-up does without

            self._live = ReplayTable(planned)

    def start(self, notes: Iterable[str]) -> None:
        """Begin with some notes."""
        for note in notes:
            self._printer.line(note)
        self._printer.flush()
        if self._live is not None:
            self._live.start()

    def delivery(self, delivery: Delivery) -> None:
        """Show a delivery that has its outcome."""
        expected = is_as_expected(delivery)
        self._ended += 1
        self._failed += not expected
        if self._live is not None:
            self._live.add(row_of(delivery))
        elif not self._brief or not expected:
            self._printer.line(delivery_line(row_of(delivery), self._printer))
        else:
            self._progress()
        self._timeouts = self._timeouts + 1 if delivery.error and delivery.error.kind == "timeout" else 0
        if self._timeouts == _TIMEOUTS:
            self._note(f"{_TIMEOUTS} time-outs in a row: --timeout makes them shorter, --fail-fast stops at the first")

    def wait(self, delivery: Delivery, wait: float, moment: float) -> None:
        """Say that nothing is wrong when the replay is silent for long: it waits to make an attempt again."""
        if isinstance(self._speed, str) or wait / self._speed < _SILENCE:
            return
        left, when = format_duration(round(wait / self._speed)), format_timestamp(moment)[11:19]
        self._note(f"next attempt of {delivery.delivery_id} in {left} (at {when})")

    def finish(self, run: ReplayRun, reports: Sequence[Report], annotations: Iterable[str] = ()) -> None:
        """Show what became of all events, why some failed, and the verdict."""
        if self._live is not None:
            self._live.stop()
        for report in run.reports:
            self._printer.line(visible(report.summary))
        if len(run.reports) > 1:
            self._printer.line(f"{len(run.reports)} scripts: {counts_of(run.reports)}")
        if run.receiver is not None:
            self._printer.line(run.receiver.summary)
        for line in annotations:
            self._printer.command(one_line(line))
        self._printer.flush()
        show_explanations(reports, self._err, run.why_unreachable)
        show_verdict(run.reports, self._printer)

    def _progress(self) -> None:
        now = time.monotonic()
        if now - self._last_progress >= _PROGRESS:
            self._last_progress = now
            failed = f", {self._failed} not as expected" if self._failed else ""
            self._printer.line(f"{self._ended} of {self._planned} events{failed}")

    def _note(self, text: str) -> None:
        if self._live is not None:
            self._live.note(text)
        else:
            self._printer.line(text)


def show_explanations(reports: Sequence[Report], err: Printer, why_unreachable: str = "") -> None:
    """Print why events failed or were not sent: one line, where one says it all."""
    if why_unreachable and not all(report.ok for report in reports):
        err.line(f"mockserver: {visible(why_unreachable)}")
        return
    lines = [line for report in reports for line in report.explanations()]
    for line in lines[:_EXPLANATIONS]:
        err.line(visible(line))
    if len(lines) > _EXPLANATIONS:
        err.line(f"... and {len(lines) - _EXPLANATIONS} more; --json FILE writes them all")
    err.flush()


def show_verdict(reports: Sequence[Report], out: Printer) -> None:
    """Print the last line: whether all is well, in words that a forgery which was rightly refused does not confuse."""
    ok = all(report.ok for report in reports)
    text = f"{out.mark(ok)} {'as expected' if ok else 'NOT as expected'}"
    failed = sum(report.failed for report in reports)
    if ok and failed:
        text += f" (the {failed} that failed {'was' if failed == 1 else 'were'} meant to)"
    out.line(click.style(text, fg="green" if ok else "red", bold=True) if out.colour else text)
    out.flush()
