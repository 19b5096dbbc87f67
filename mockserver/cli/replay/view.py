"""What a replay shows: its deliveries as they end, and in the end what became of all events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from mockserver.cli import exit_codes
from mockserver.cli.interruption import Interruptible
from mockserver.cli.printing import delivery_line, printable
from mockserver.model.durations import format_duration, format_timestamp
from mockserver.model.plain_text import one_line
from mockserver.model.records import Delivery
from mockserver.model.settings import Speed
from mockserver.replay.report import Report, counts_of

if TYPE_CHECKING:
    from mockserver.cli.replay.live import LiveTable
    from mockserver.cli.replay.run import ReplayRun

#: So many explanations are printed; more would hide the first.
_EXPLANATIONS = 40
#: Seconds without a word from which on it is said what is waited for.
_SILENCE = 2.0


class ReplayView:
    """Shows a replay: on a terminal as a live table, elsewhere as plain lines.

    Args:
        planned: How many events there will be.
        to_stderr: Whether standard output belongs to somebody else.
        speed: How fast the replay is.
        work: What prints.
    """

    def __init__(self, planned: int, *, to_stderr: bool, work: Interruptible, speed: Speed) -> None:
        self._speed = speed
        self._printer = work.err if to_stderr else work.out
        self._err = work.err
        self._live: LiveTable | None = None
        if self._printer.colour and not to_stderr:
            # Imported here: rich takes long to import, and only a terminal shows what it can do.
            from mockserver.cli.replay.live import LiveTable  # noqa: PLC0415

            self._live = LiveTable(planned)

    def start(self, notes: Iterable[str]) -> None:
        """Begin, with what is to be said first."""
        for note in notes:
            self._printer.line(note)
        if self._live is not None:
            self._live.start()

    def delivery(self, delivery: Delivery) -> None:
        """Show a delivery that has its outcome."""
        if self._live is not None:
            self._live.add(delivery)
        else:
            self._printer.line(delivery_line(delivery))

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
        text = f"next attempt of {delivery.delivery_id} in {left} (at {when})"
        if self._live is not None:
            self._live.note(text)
        else:
            self._printer.line(text)

    def finish(self, run: ReplayRun, annotations: Iterable[str] = ()) -> None:
        """Tell what became of all events, and why some failed.

        Args:
            run: The replay.
            annotations: Lines that make a CI system show the problems.
        """
        if self._live is not None:
            self._live.stop()
        for report in run.reports:
            self._summary(report.summary, ok=report.ok)
        if len(run.reports) > 1:
            self._summary(_total(run.reports), ok=all(report.ok for report in run.reports))
        if run.receiver is not None:
            self._printer.line(f"{run.receiver.verified} signatures verified, {run.receiver.refused} refused")
        for line in annotations:
            self._printer.line(one_line(line))
        self._printer.flush()
        self._explain(run)
        self._err.flush()

    def _summary(self, text: str, *, ok: bool) -> None:
        text = printable(text)
        self._printer.line(click.style(text, fg="green" if ok else "red", bold=True) if self._printer.colour else text)

    def _explain(self, run: ReplayRun) -> None:
        """Why events failed or were not sent: one line, where one says it all."""
        if run.exit_code == exit_codes.UNREACHABLE:
            self._err.line(f"mockserver: {printable(run.redactor.text(run.why_unreachable))}")
            return
        lines = [line for report in run.reports for line in report.explanations()]
        for line in lines[:_EXPLANATIONS]:
            self._err.line(printable(run.redactor.text(line)))
        if len(lines) > _EXPLANATIONS:
            self._err.line(f"... and {len(lines) - _EXPLANATIONS} more; --json FILE writes them all")


def _total(reports: list[Report]) -> str:
    return f"{len(reports)} scripts: {counts_of(reports)}"
