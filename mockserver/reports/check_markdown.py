"""Markdown: what is not right and how to fix it, for people, such as on the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.model.records import Delivery
from mockserver.reports.check_evidence import curl_of, evidence_text, evidence_texts, shortened
from mockserver.reports.check_findings import VERDICTS, diagnosis_text, is_wrong, worst_first
from mockserver.reports.markdown_text import fenced, inline_code, plain

#: The most rows of a table that are shown; the other reports have them all.
_ROWS = 500
#: The most findings that are shown with their evidence.
_WITH_EVIDENCE = 100
#: The most characters of a cell that are shown.
_CELL = 1000
#: A longer command is left out: the JSON has it.
_LONGEST_COMMAND = 4000

#: What a problem with the run itself makes of it.
_RESULTS = {"unreachable": "not reached", "unusable": "not made", "stopped": "stopped"}


def check_markdown(report: CheckResult) -> str:
    """Return a report as Markdown: a table of what is not right, the evidence, then the rest.

    Args:
        report: What the checks found out.
    """
    result = next((_RESULTS[kind] for kind in report.problems), "failed") if report.broken else "passed"
    wrong = worst_first(report)
    run = f"{report.deliveries} deliveries in {report.seconds:.1f} s, seed {report.seed}"
    lines = [
        f"## Check of {inline_code(_cell(report.target))}: {result}",
        "",
        f"{plain(_cell(report.summary))}; {run}.",
        *([f"Cannot be used: {plain(_cell(report.unusable))}."] if report.unusable else []),
        "",
        *(_diagnosis(report.diagnosis) if report.diagnosis else []),
        *_wrong(wrong),
        *(line for finding in wrong[:_WITH_EVIDENCE] for line in _evidence(finding)),
        *_rest([finding for finding in report.findings if not is_wrong(finding)]),
    ]
    return "\n".join(lines)


def _wrong(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    head = ["| | severity | check | what was seen | how to fix it |", "| --- | --- | --- | --- | --- |"]
    rows = [
        f"| **{each.verdict}** | {each.check.severity} | {_name(each)} | {_plain(each.summary)} | {_plain(each.fix)} |"
        for each in findings[:_ROWS]
    ]
    return [*head, *rows, *_more(findings)]


def _evidence(finding: Finding) -> list[str]:
    """What was sent and what came back, folded, and a command that sends the first of it again."""
    if not finding.evidence:
        return []
    title = f"{finding.check.id} {finding.check.title}: what was sent, and what came back"
    texts = (line for text in evidence_texts(finding) for line in [*fenced(text), ""])
    return _folded(title, [*texts, *_command(finding.evidence)])


def _command(deliveries: Sequence[Delivery]) -> list[str]:
    commands = (curl_of(delivery) for delivery in deliveries[:1])
    return [line for each in commands if each and len(each) <= _LONGEST_COMMAND for line in [*fenced(each, "sh"), ""]]


def _rest(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    verdicts = [finding.verdict for finding in findings]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in VERDICTS if each in verdicts)
    head = ["| | severity | check | what was seen |", "| --- | --- | --- | --- |"]
    rows = [
        f"| {each.verdict} | {each.check.severity} | {_name(each)} | {_plain(each.summary)} |"
        for each in findings[:_ROWS]
    ]
    return _folded(f"The other checks: {counts}", [*head, *rows, *_more(findings)])


def _diagnosis(diagnosis: Diagnosis) -> list[str]:
    lines = [f"**Diagnosis**: {_plain(diagnosis_text(diagnosis))}.", ""]
    accepted = diagnosis.evidence[:1]
    shown = [line for each in accepted for line in [*fenced(evidence_text(each)), ""]]
    return [*lines, *(_folded("The wrong delivery that it took for genuine", shown) if shown else [])]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return ["<details>", f"<summary>{escape(' '.join(title.split()))}</summary>", "", *lines, "</details>", ""]


def _more(findings: Sequence[Finding]) -> list[str]:
    more = len(findings) - _ROWS
    return ["", f"{more} more are not shown.", ""] if more > 0 else [""]


def _name(finding: Finding) -> str:
    return plain(f"{finding.check.id} {finding.check.title}")


def _plain(text: str) -> str:
    return plain(_cell(text))


def _cell(text: str) -> str:
    return shortened(text, _CELL)
