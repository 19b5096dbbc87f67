"""The findings of a check: which are wrong, in which order they are shown, and all of them as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from mockserver.checks.model import CheckResult, Diagnosis, Finding, Severity, Verdict
from mockserver.model.messages import Exchange
from mockserver.model.records import Delivery
from mockserver.model.signing import SIGNATURE_HEADER
from mockserver.model.wording import one_line
from mockserver.reports.evidence import head_lines, status_line

# ---------------------------------------------------------------- which findings, in which order

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

#: The verdicts that call for a change.
_WRONG: tuple[Verdict, ...] = ("fail", "warn")

#: From this many findings with the same cause on they are shown together.
_MANY = 3


def is_wrong(finding: Finding) -> bool:
    """Whether it is a failure, or probably one."""
    return finding.verdict in _WRONG


def worst_first(report: CheckResult) -> list[Finding]:
    """Return the failures, then what is probably one; each in the order of severity, then in that of the checks."""
    wrong = [finding for finding in report.findings if is_wrong(finding)]
    return sorted(wrong, key=lambda each: (_WRONG.index(each.verdict), SEVERITIES.index(each.check.severity)))


def together(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return findings in groups: those of the same verdict and cause where there are many, else each by itself."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.verdict, finding.cause), []).append(finding)
    shown: list[list[Finding]] = []
    for group in groups.values():
        shown += [group] if len(group) >= _MANY else [[finding] for finding in group]
    return shown


def counts(report: CheckResult) -> Mapping[Verdict, int]:
    """Return how many findings came to each verdict; all verdicts are there."""
    return {verdict: report.count(verdict) for verdict in VERDICTS}


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return in one sentence, and one on what to do, why the consumer refuses correct deliveries."""
    if not diagnosis.explanation:
        return f"none of the {diagnosis.tried} wrong forms that were tried explains why correct deliveries are refused"
    fix = f"; fix: {diagnosis.fix}" if diagnosis.fix else ""
    return f"why correct deliveries are refused: {diagnosis.explanation}{fix}"


# ---------------------------------------------------------------- the text

_COLUMNS = ("verdict", "check", "severity", "title", "what was seen")
#: The most characters of a line that are used, but the last column is never narrower than this.
_WIDTH, _NARROWEST = 116, 50
#: The most failures that are shown with the request that proves them.
_PROVED = 3
#: The most failed checks that are named first.
_NAMED = 2
#: The most ids of checks that are listed.
_LISTED = 8
#: The most characters of a body that are shown.
_BODY = 300


def report_text(report: CheckResult) -> str:
    """Return a report as text: what passed is counted only."""
    wrong = [each for verdict in _WRONG for each in report.findings if each.verdict == verdict]
    failures = _first_of_each_cause(each for each in wrong if each.breaks and each.evidence)
    blocks = [
        _head(report),
        _table(wrong),
        *(_proof(finding) for finding in list(failures.values())[:_PROVED]),
        _diagnosis(report.diagnosis),
        [line for verdict in _OPEN for line in _open(verdict, report.findings)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


_OPEN: Sequence[Verdict] = ("inconclusive", "not tested")


def _first_of_each_cause(findings: Iterable[Finding]) -> dict[str, Finding]:
    firsts: dict[str, Finding] = {}
    for finding in findings:
        firsts.setdefault(finding.cause, finding)
    return firsts


def _head(report: CheckResult) -> list[str]:
    made = f"{report.deliveries} deliver{'y' if report.deliveries == 1 else 'ies'}"
    run = f"{made} in {report.seconds:.1f} s, seed {report.seed}"
    where = [] if report.unreachable else [f"{report.target}: {run}"]
    unusable = [f"cannot be used: {report.unusable}"] if report.unusable else []
    return [f"{_named(report)}{report.summary}", *where, *unusable]


def _named(report: CheckResult) -> str:
    """The checks that fail a build: where a test fails, often only the beginning of the text is shown."""
    failed = [f"{each.check.id} {each.check.title}" for each in report.findings if each.breaks]
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return f"failed: {', '.join(failed[:_NAMED])}{more}; " if failed else ""


# ---------------------------------------------------------------- the table


def _table(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    rows = [(each.verdict, each.check.id, each.check.severity, each.check.title) for each in findings]
    widths = [max(map(len, column)) for column in zip(_COLUMNS[:-1], *rows, strict=True)]
    lines = [_row(_COLUMNS[:-1], widths) + _COLUMNS[-1]]
    firsts = _first_of_each_cause(findings)
    for row, finding in zip(rows, findings, strict=True):
        begin = _row(row, widths)
        seen = finding.told_after(firsts[finding.cause].check.id)
        wrapped = _wrapped(seen, len(begin)) + _wrapped(f"fix: {finding.fix}", len(begin))
        lines += [begin + wrapped[0], *(" " * len(begin) + line for line in wrapped[1:])]
    return lines


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(cell.ljust(width + 2) for cell, width in zip(cells, widths, strict=True))


def _wrapped(text: str, indent: int) -> list[str]:
    width = max(_WIDTH - indent, _NARROWEST)
    return textwrap.wrap(one_line(text), width, break_long_words=False, break_on_hyphens=False) or [""]


def _open(verdict: Verdict, findings: Iterable[Finding]) -> list[str]:
    """The checks that say nothing, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict == verdict:
            by_reason.setdefault(_reason(finding), []).append(finding.check.id)
    return [f"{verdict}: {_listed(ids)}: {one_line(reason)}" for reason, ids in by_reason.items()]


def _reason(finding: Finding) -> str:
    return finding.summary if finding.check.procedure else "cannot be seen from outside: read the code"


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _LISTED
    return ", ".join(ids[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _diagnosis(diagnosis: Diagnosis | None) -> list[str]:
    if diagnosis is None:
        return []
    fix = [f"fix: {diagnosis.fix}"] if diagnosis.fix else []
    return [f"diagnosis: {one_line(diagnosis.explanation)}", *fix]


# ---------------------------------------------------------------- the evidence


def _proof(finding: Finding) -> list[str]:
    """The first delivery, and another one that is part of the same story: what was sent, and what came back."""
    first, *more = finding.evidence
    lines = [f"{finding.check.id} {finding.check.title}: {finding.check.sends}"]
    for delivery in (first, *(each for each in more[:1] if each.event == first.event)):
        lines += [f"  > {line}" for line in _sent(delivery)]
        lines += [f"  < {line}" for line in _came_back(delivery)]
    return [*lines, f"    expected: {finding.check.good}"]


def _sent(delivery: Delivery) -> list[str]:
    request = delivery.attempts[-1].request if delivery.attempts else None
    if request is None:
        return ["no request was made"]
    head = [_cut(one_line(line)) for line in head_lines(request)]
    signed = any(name.lower() == SIGNATURE_HEADER.lower() for name, _ in request.headers)
    unsigned = [] if signed else [f"(no {SIGNATURE_HEADER})"]
    return [*head, *unsigned, _excerpt(request.body, len(request.body))]


def _came_back(delivery: Delivery) -> list[str]:
    exchange = delivery.attempts[-1].exchange if delivery.attempts else Exchange()
    response, error = exchange.response, exchange.error
    problem = [one_line(error.message)] if error else []
    if response is None:
        return problem or ["no answer"]
    return [one_line(status_line(response)), _excerpt(response.body, response.body_size), *problem]


def _excerpt(body: bytes, size: int) -> str:
    if not body:
        return "(no body)"
    text = one_line(body.decode("utf-8", "replace"))
    return _cut(text) + (f" ({size} bytes)" if len(text) > _BODY else "")


def _cut(text: str) -> str:
    return text if len(text) <= _BODY else f"{text[:_BODY]} ..."
