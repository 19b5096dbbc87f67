"""One run of ``mockserver check``: what it comes to, each finding as it is made, and what to do about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from mockserver.checks.model import Check, Diagnosis, Finding, Verdict
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.registry import chosen_checks
from mockserver.checks.run import OnBegin, OnFinding
from mockserver.cli import exit_codes
from mockserver.cli.interruption import Interruptible
from mockserver.cli.readiness import Readiness
from mockserver.errors import UsageError
from mockserver.model.messages import Request
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings
from mockserver.model.wording import one_line, shortened, visible
from mockserver.reports.check_report import CheckReport, clean_finding
from mockserver.reports.check_text import diagnosis_text, together, worst_first
from mockserver.reports.evidence import curl_of, head_lines, request_of, status_line, why_no_curl
from mockserver.server.mock import Mock

if TYPE_CHECKING:
    from mockserver.cli.live import LiveChecks

_STOPPED = "the run was stopped"
_PREFIX = "whsec_"
#: What follows the prefix of a secret is hidden as well, unless it is a short word that reports are full of.
_LONG = 12


class UrlCheck:
    """Checks the consumer at a URL.

    Attributes:
        checks: The checks, in the order in which they are made.
        report: What they found out; whatever becomes of the run, there is a finding for each, or the reason why not.
        redactor: Hides the secret.
    """

    def __init__(self, options: CheckOptions, settings: Settings) -> None:
        self.options = options
        self.checks = chosen_checks(options.only, options.skip)
        self.redactor = Redactor.of(settings, *_spellings(options.secret))
        self.report = CheckReport(self.redactor)
        self._mock = Mock(settings)
        self._on_begin: OnBegin = lambda _: None
        self._on_finding: OnFinding = lambda _: None
        self._run = prepare_check(
            self._mock,
            options,
            self.report,
            lambda check: self._on_begin(check),  # noqa: PLW0108 - the listeners come with the run
            lambda found: self._on_finding(found),  # noqa: PLW0108 - as above
        )

    async def run(self, readiness: Readiness, on_begin: OnBegin, on_finding: OnFinding) -> None:
        """Make the checks."""
        self._on_begin, self._on_finding = on_begin, on_finding
        try:
            target = self._mock.routes.resolve(self.options.url)
            self.report.unreachable = await readiness.why_not(self._mock, [target])
            if not self.report.unreachable:
                await self._run.run()
        except UsageError as error:
            self.report.unusable = str(error)
        except asyncio.CancelledError:
            self.report.stop(_STOPPED, self.checks)
            raise
        finally:
            await self._mock.stop()

    @property
    def exit_code(self) -> int:
        """The exit code; what was proved before something stopped working counts for more."""
        if self.report.unusable and not self.report.failures:
            return exit_codes.USAGE
        if self.report.unreachable:
            return exit_codes.UNREACHABLE
        return exit_codes.OK if self.report.ok else exit_codes.FAILED


def _spellings(secret: str) -> Iterable[str]:
    """The secret, and what of it remains where a consumer strips its prefix."""
    bare = secret.removeprefix(_PREFIX)
    return (secret, bare) if len(bare) >= _LONG else (secret,)


# ---------------------------------------------------------------- one finding

#: A consumer that takes all of these verifies nothing.
_NOTHING_VERIFIED = {"missing_signature", "wrong_secret", "tampered_body", "truncated_signature", "malformed_signature"}
#: A longer command is not printed, in characters.
_LONGEST_COMMAND = 4000
#: The most characters of a body that are printed, and of one that is shown on the line of its answer.
_BODY, _BRIEF_BODY = 500, 100
#: The most characters of why it matters that are printed; --explain shows all.
_WHY = 200


def finding_block(finding: Finding, *, verbose: bool) -> Iterator[str]:
    """Show a failure or a warning, below its heading."""
    yield f"  seen: {one_line(finding.summary)}"
    yield f"  why:  {_beginning(finding.check.why)}"
    yield f"  fix:  {one_line(finding.fix)}"
    yield from _proof(finding.evidence, verbose=verbose)


def group_block(findings: Sequence[Finding], *, verbose: bool) -> Iterator[str]:
    """Show findings with one cause, below a heading that names the cause."""
    errors = any(delivery.response and delivery.response.status >= 500 for delivery in findings[0].evidence)
    if {finding.check.name for finding in findings} >= _NOTHING_VERIFIED and not errors:
        yield "  It looks as if no signature is verified at all, or as if forgeries were dropped without a word."
    for finding in findings:
        check = finding.check
        yield f"  {check.id} {check.title} ({check.severity}): {one_line(finding.particular)}"
        yield f"    fix: {one_line(finding.fix)}"
    yield f"  why each matters: mockserver check --explain {findings[0].check.id}"
    yield f"  the proof of {findings[0].check.id}, as --json FILE writes it of each:"
    yield from _proof(findings[0].evidence[:1], verbose=verbose)


def diagnosis_block(diagnosis: Diagnosis, *, verbose: bool) -> Iterator[str]:
    """Show what would explain that right events are refused."""
    yield f"  {one_line(diagnosis_text(diagnosis))}"
    if diagnosis.evidence:
        yield "  this delivery is wrong, and was accepted:"
        yield from _proof(diagnosis.evidence[:1], verbose=verbose)


def _proof(deliveries: tuple[Delivery, ...], *, verbose: bool) -> Iterator[str]:
    """The deliveries, what they have in common only once; by default the first of them alone, with a short answer."""
    sent = answer = ""
    for delivery in deliveries if verbose else deliveries[:1]:
        before, sent = sent, "\n".join(_sent(delivery))
        yield "  sent: the same once more" if sent == before else sent
        before, answer = answer, "\n".join(_answer(delivery) if verbose else _brief_answer(delivery))
        if answer:
            yield "  answer: the same" if answer == before else answer
    more = 0 if verbose else len(deliveries) - 1
    if more > 0:
        yield f"  ... and {more} more {'delivery' if more == 1 else 'deliveries'}, which -v shows"


def _sent(delivery: Delivery) -> Iterator[str]:
    """The request: as a command where there is one that can be copied from here, else as it went over the wire."""
    command = curl_of(delivery)
    reason = why_no_curl(delivery)
    if command and len(command) > _LONGEST_COMMAND:
        reason = "it is long"
    elif command and visible(command) != command:
        reason = "it holds characters that cannot be shown"
    elif command:
        yield "  sent:"
        yield f"    {command}"
        return
    yield f"  sent (no curl command: {reason}):"
    request = request_of(delivery)
    if request is not None:
        yield from _request(request)


def _request(request: Request) -> Iterator[str]:
    yield from map(_line, head_lines(request))
    if request.body:
        yield ""
        yield from _body(request.body)


def _answer(delivery: Delivery) -> Iterator[str]:
    response = delivery.response
    if response is not None:
        yield f"  answer: {one_line(status_line(response))}"
        if response.body:
            yield from _body(response.body)
    if delivery.error is not None:
        yield f"  {'and then' if response else 'answer'}: {one_line(delivery.error.message)}"


def _brief_answer(delivery: Delivery) -> Iterator[str]:
    response = delivery.response
    parts = []
    if response is not None:
        body = one_line(shortened(response.body.decode("utf-8", "replace"), _BRIEF_BODY))
        parts.append(one_line(f"{status_line(response)} {body}".strip()))
    if delivery.error is not None:
        parts.append(one_line(delivery.error.message))
    if parts:
        yield f"  answer: {', and then '.join(parts)}"


def _body(body: bytes) -> Iterator[str]:
    text = shortened(body.decode("utf-8", "replace"), _BODY)
    for line in visible(text).split("\n"):
        yield f"    {line}"


def _line(text: str) -> str:
    return f"    {one_line(shortened(text, _BODY))}"


def _beginning(text: str) -> str:
    """The first sentences of a text, as many as fit into two lines."""
    first, *more = text.split(". ")
    for sentence in more:
        if len(first) + len(sentence) > _WHY:
            return f"{first}."
        first = f"{first}. {sentence}"
    return first


# ---------------------------------------------------------------- the whole check

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
    """Shows a run of checks: on a terminal as a live table, elsewhere as plain lines."""

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
            from mockserver.cli.live import LiveChecks  # noqa: PLC0415 - start-up does without

            self._live = LiveChecks(checked.checks, COLOURS)

    def start(self, notes: Iterable[str]) -> None:
        """Begin with some notes."""
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
        """Show what to do about the findings, and what all of it comes to."""
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
        """Say at once that everything else depends on the control."""
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
