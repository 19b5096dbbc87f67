"""What a replay shows: its deliveries as they end, and in the end what became of all events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.output import Printer
from mockserver.cli.printing import delivery_line, printable, row_of
from mockserver.model.quantities import format_duration, format_timestamp
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Speed
from mockserver.model.wording import one_line
from mockserver.replay.report import Report, counts_of

if TYPE_CHECKING:
    from mockserver.cli.replay.live import ReplayTable
    from mockserver.cli.replay.run import ReplayRun

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
    """Shows a replay: on a terminal as a live table, elsewhere as plain lines.

    Args:
        planned: How many events there will be.
        to_stderr: Whether standard output is taken by a report.
        work: What prints.
        speed: How fast the replay is.
        verbose: Whether to print every delivery of a long replay.
    """

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
            from mockserver.cli.replay.live import ReplayTable  # noqa: PLC0415 - start-up does without

            self._live = ReplayTable(planned)

    def start(self, notes: Iterable[str]) -> None:
        """Begin, with what is to be said first."""
        for note in notes:
            self._printer.line(note)
        self._printer.flush()
        if self._live is not None:
            self._live.start()

    def delivery(self, delivery: Delivery) -> None:
        """Show a delivery that has its outcome."""
        row = row_of(delivery)
        self._ended += 1
        self._failed += not row.expected
        if self._live is not None:
            self._live.add(row)
        elif not self._brief or not row.expected:
            self._printer.line(delivery_line(row, self._printer))
        else:
            self._progress()
        self._timeouts = self._timeouts + 1 if delivery.error and delivery.error.kind == "timeout" else 0
        if self._timeouts == _TIMEOUTS:
            self._note(f"{_TIMEOUTS} time-outs in a row: --timeout makes them shorter, --fail-fast stops at the first")

    def wait(self, delivery: Delivery, wait: float, moment: float) -> None:
        """Say that nothing is wrong when the replay is silent for long: it waits to make an attempt again.

        Args:
            delivery: What is to be attempted again.
            wait: The seconds until then, by the script's clock.
            moment: When, by the script's clock, in seconds since 1970.
        """
        if isinstance(self._speed, str) or wait / self._speed < _SILENCE:
            return
        left, when = format_duration(round(wait / self._speed)), format_timestamp(moment)[11:19]
        self._note(f"next attempt of {delivery.delivery_id} in {left} (at {when})")

    def finish(self, run: ReplayRun, annotations: Iterable[str] = ()) -> None:
        """Show what became of all events, why some failed, and the verdict.

        Args:
            run: The replay.
            annotations: Lines that make a CI system show the problems.
        """
        if self._live is not None:
            self._live.stop()
        for report in run.reports:
            self._printer.line(printable(report.summary))
        if len(run.reports) > 1:
            self._printer.line(f"{len(run.reports)} scripts: {counts_of(run.reports)}")
        if run.receiver is not None:
            self._printer.line(f"{run.receiver.verified} signatures verified, {run.receiver.refused} refused")
        for line in annotations:
            self._printer.command(one_line(line))
        self._printer.flush()
        show_explanations(run.reports, run.redactor, self._err, run.why_unreachable)
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


def show_explanations(reports: Sequence[Report], redactor: Redactor, err: Printer, why_unreachable: str = "") -> None:
    """Print why events failed or were not sent: one line, where one says it all.

    Args:
        reports: The reports.
        redactor: Hides secrets.
        err: Prints to standard error.
        why_unreachable: Why not one delivery came to the consumer; empty if one did.
    """
    if why_unreachable and not all(report.ok for report in reports):
        err.line(f"mockserver: {printable(redactor.text(why_unreachable))}")
        return
    lines = [line for report in reports for line in report.explanations()]
    for line in lines[:_EXPLANATIONS]:
        err.line(printable(redactor.text(line)))
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
