"""What ``mockserver check`` shows: each finding as it comes, then what to do about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from mockserver.checks.model import Check, Finding, Verdict
from mockserver.cli.check.blocks import diagnosis_block, finding_block, group_block
from mockserver.cli.interruption import Interruptible
from mockserver.model.wording import one_line
from mockserver.reports.check_report import clean_finding
from mockserver.reports.check_text import together, worst_first

if TYPE_CHECKING:
    from mockserver.cli.check.live import LiveChecks
    from mockserver.cli.check.run import UrlCheck

#: The colour of each verdict.
COLOURS: Mapping[Verdict, str] = MappingProxyType(
    {"pass": "green", "fail": "red", "warn": "yellow", "inconclusive": "magenta", "not tested": "bright_black"}
)

#: Verdicts that say nothing of the consumer. They are shown at the end, together where the reason is the same.
_SAYS_NOTHING: tuple[Verdict, ...] = ("inconclusive", "not tested")
#: From this many checks with the same reason on they share a line, which names up to this many of them by id.
_TOGETHER, _BY_ID = 3, 20

#: The most characters that are shown of what is right.
_PASSED = 100

_CONTROL = "PG001"
_HINT = "--diagnose looks for what explains it: another path, another secret, a usual mistake of verification"


class CheckView:
    """Shows a run of checks: on a terminal as a live table, elsewhere as plain lines.

    Args:
        checked: What is checked.
        to_stderr: Whether standard output is taken by a report.
        work: What prints.
        verbose: Whether to show every delivery that proves a finding.
    """

    def __init__(self, checked: UrlCheck, *, to_stderr: bool, work: Interruptible, verbose: bool) -> None:
        self._checked = checked
        self._verbose = verbose
        self._printer = work.err if to_stderr else work.out
        self._err = work.err
        self._title_width = max(len(check.title) for check in checked.checks)
        self._first_of: dict[str, str] = {}
        self._live: LiveChecks | None = None
        if self._printer.colour and not to_stderr:
            # Imported here: rich takes long to import, and only a terminal shows what it can do.
            from mockserver.cli.check.live import LiveChecks  # noqa: PLC0415 - start-up does without

            self._live = LiveChecks(checked.checks, COLOURS)

    def start(self, notes: Iterable[str]) -> None:
        """Begin, with what is to be said first."""
        for note in notes:
            self._printer.line(note)
        if self._live is not None:
            self._live.start()

    def begin(self, check: Check) -> None:
        """Show that a check is being made."""
        if self._live is not None:
            self._live.begin(check)

    def finding(self, finding: Finding) -> None:
        """Show what a check found out."""
        finding = clean_finding(finding, self._checked.redactor)
        if finding.check.id == _CONTROL and finding.verdict == "fail":
            self._warn(finding)
        if self._live is not None:
            self._live.add(finding, self._seen(finding))
        elif finding.verdict not in _SAYS_NOTHING:
            self._line(finding)

    def finish(self, commands: Iterable[str] = ()) -> None:
        """Show what to do about the findings, and what all of it comes to.

        Args:
            commands: Lines that make a CI system show the findings.
        """
        report = self._checked.report.clean()
        if self._live is not None:
            self._live.stop()
        self._said_nothing(report.findings)
        for findings in together(worst_first(report)):
            self._wrong(findings)
        if report.diagnosis is not None:
            self._heading("DIAGNOSIS", "cyan")
            self._lines(diagnosis_block(report.diagnosis, verbose=self._verbose))
        for line in commands:
            self._printer.command(line)
        self._sum_up()
        self._printer.flush()
        for what, why in (("cannot be used", report.unusable), ("the target could not be reached", report.unreachable)):
            if why:
                self._err.line(f"mockserver: {what}: {one_line(why)}")

    # ---------------------------------------------------------------- the table

    def _line(self, finding: Finding) -> None:
        check = finding.check
        verdict = self._styled(f"{finding.verdict:<12}", fg=COLOURS[finding.verdict])
        title = check.title.ljust(self._title_width)
        self._printer.line(f"{verdict}  {check.id}  {check.severity:<6}  {title}  {self._seen(finding)}")

    def _warn(self, control: Finding) -> None:
        """Say at once that everything hangs on one thing."""
        lines = [f"THE CONTROL FAILED ({one_line(control.summary)}): nothing can be judged until that is fixed"]
        if not self._checked.options.diagnose:
            lines.append(_HINT)
        for line in lines:
            if self._live is not None:
                self._live.note(line)
            else:
                self._printer.line(line)

    def _said_nothing(self, findings: Iterable[Finding]) -> None:
        by_reason: dict[tuple[Verdict, str], list[Finding]] = {}
        for finding in findings:
            if finding.verdict in _SAYS_NOTHING:
                by_reason.setdefault((finding.verdict, finding.summary), []).append(finding)
        for (verdict, summary), alike in by_reason.items():
            if len(alike) < _TOGETHER:
                for finding in alike:
                    self._line(finding)
                continue
            ids = f" ({', '.join(each.check.id for each in alike)})" if len(alike) <= _BY_ID else ""
            styled = self._styled(f"{verdict:<12}", fg=COLOURS[verdict])
            self._printer.line(f"{styled}  {len(alike)} checks {verdict}: {one_line(summary)}{ids}")

    # ---------------------------------------------------------------- what follows

    def _wrong(self, findings: Sequence[Finding]) -> None:
        first, *more = findings
        loud, colour = first.verdict.upper(), COLOURS[first.verdict]
        if more:
            self._heading(f"{loud} {len(findings)} checks: {one_line(first.cause)}", colour)
            self._lines(group_block(findings, verbose=self._verbose))
        else:
            self._heading(f"{loud} {first.check.id} {first.check.title} ({first.check.severity})", colour)
            self._lines(finding_block(first, verbose=self._verbose))

    def _sum_up(self) -> None:
        report = self._checked.report.clean()
        if report.unreachable or (report.unusable and not report.findings):
            return
        ok = self._checked.exit_code == 0
        self._printer.line("")
        deliveries = "1 delivery" if report.deliveries == 1 else f"{report.deliveries} deliveries"
        self._printer.line(f"{deliveries} in {report.seconds:.1f} s, seed {report.seed}")
        verdict = f"{self._printer.mark(ok)} {one_line(report.summary)}"
        self._printer.line(self._styled(verdict, fg="green" if ok else "red", bold=True))

    def _heading(self, text: str, colour: str) -> None:
        self._printer.line("")
        self._printer.line(self._styled(text, fg=colour, bold=True))

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._printer.line(line)

    def _styled(self, text: str, *, fg: str, bold: bool = False) -> str:
        return click.style(text, fg=fg, bold=bold) if self._printer.colour else text

    def _seen(self, finding: Finding) -> str:
        """What was seen; in short where all is well, or where the same was said before."""
        text = one_line(finding.told_after(self._first_of.setdefault(finding.cause, finding.check.id)))
        return f"{text[:_PASSED]}..." if finding.verdict == "pass" and len(text) > _PASSED else text
