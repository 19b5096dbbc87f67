"""Markdown for people, such as on the summary page of a CI job: replays by step, and what a check found wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.model.records import Delivery
from mockserver.model.wording import one_line, shortened, visible
from mockserver.replay.report import Report, StepReport
from mockserver.reports.check_text import VERDICTS, diagnosis_text, is_wrong, worst_first
from mockserver.reports.evidence import (
    curl_of,
    evidence_text,
    evidence_texts,
    exchange_text,
    unmet_by_source,
)


def fenced(text: str, language: str = "text") -> list[str]:
    """Return the lines of a code block: a text as it is, in a fence that nothing in it can close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{fence}{language}", visible(text), fence]


def inline_code(text: str) -> str:
    """Return a text as code within a line; as plain text where a backtick in it would end that."""
    return f"`{one_line(text)}`" if "`" not in text else plain(text)


def plain(text: str) -> str:
    """Return a text on one line: nothing of it is markup, nothing of it ends a cell."""
    return " ".join(re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", visible(text)).split())


#: The most explanations of a script that are shown; the other reports have them all.
_EXPLANATIONS = 100
#: The most rows of a script that are shown, those of steps with problems before the others.
_ROWS = 500

_CUT = "\nThe rest does not fit in here.\n"


def markdown(reports: Sequence[Report]) -> str:
    """Return reports as Markdown: a table of steps for each script, what was not met, what was sent and came back."""
    return "\n".join(_section(report) for report in reports)


def shortened_markdown(text: str, most_bytes: int) -> str:
    """Return as many lines of a summary as fit, and a note if they are not all."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return text
    kept = encoded[: max(most_bytes - len(_CUT), 0)]
    return kept[: kept.rfind(b"\n") + 1].decode() + _CUT


def _section(report: Report) -> str:
    name = plain(report.script.name)
    return "\n".join(
        [
            f"## {name}: {'passed' if report.ok else 'failed'}",
            "",
            f"{inline_code(report.script.source)}: {report.counts}; {report.seconds:.2f} s.",
            "",
            *_table(report),
            *_explanations(report),
            *_exchanges(report),
        ]
    )


def _table(report: Report) -> list[str]:
    worst_first = sorted(report.steps, key=lambda step: not report.problems(step))
    shown = {step.number for step in worst_first[:_ROWS]}
    hidden = len(report.steps) - len(shown)
    return [
        "| step | line | what | planned | delivered | failed | not sent | |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *(_row(report, step) for step in report.steps if step.number in shown),
        *(["", f"{hidden} more steps are not shown."] if hidden else []),
        "",
    ]


def _row(report: Report, step: StepReport) -> str:
    not_sent = sum(step.not_sent.values())
    verdict = "**not met**" if report.problems(step) else "not sent" if not_sent else "ok"
    counts = f"{step.planned} | {step.delivered} | {step.failed} | {not_sent}"
    return f"| {step.number} | {step.line} | {plain(step.what)} | {counts} | {verdict} |"


def _explanations(report: Report) -> list[str]:
    lines = report.explanations()
    if not lines:
        return []
    more = len(lines) - _EXPLANATIONS
    shown = lines[:_EXPLANATIONS]
    return [*fenced("\n".join([*shown, f"... and {more} more"] if more > 0 else shown)), ""]


def _exchanges(report: Report) -> list[str]:
    """What was sent and what came back, folded, for the first delivery of each step that was not met."""
    first = [deliveries[0] for deliveries in unmet_by_source(report).values()][:_EXPLANATIONS]
    lines: list[str] = []
    for delivery in first:
        title = escape(f"{delivery.source}: {delivery.event.type}")
        lines += ["<details>", f"<summary>{title}: what was sent, and what came back</summary>", ""]
        lines += [*fenced(exchange_text(delivery)), "", "</details>", ""]
    return lines


# ---------------------------------------------------------------- checks

#: The most findings that are shown with their evidence.
_WITH_EVIDENCE = 100
#: The most characters of a cell that are shown.
_CELL = 1000
#: A longer command is left out: the JSON has it.
_LONGEST_COMMAND = 4000

#: What a problem with the run itself makes of it.
_RESULTS = {"unreachable": "not reached", "unusable": "not made", "stopped": "stopped"}


def check_markdown(report: CheckResult) -> str:
    """Return a report as Markdown: a table of what is not right, the evidence, then the rest."""
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
        *(line for finding in wrong[:_WITH_EVIDENCE] for line in _check_evidence(finding)),
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


def _check_evidence(finding: Finding) -> list[str]:
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
