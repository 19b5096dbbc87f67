"""Markdown: a summary of replays for people, such as the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence

from mockserver.core.report import Report, StepReport
from mockserver.edges.redaction import Redactor


def markdown(reports: Sequence[Report], redactor: Redactor) -> str:
    """Return reports as Markdown: a table of steps for each script, and what was not met.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    return redactor.text("\n".join(_section(report) for report in reports))


def _section(report: Report) -> str:
    lines = [
        f"## {_cell(report.script.name)}: {'passed' if report.ok else 'failed'}",
        "",
        f"`{report.script.source}`: {report.counts}; {report.seconds:.2f} s.",
        "",
        "| step | line | what | planned | delivered | failed | not sent | |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *(_row(report, step) for step in report.steps),
        "",
    ]
    explanations = report.explanations()
    if explanations:
        lines += ["```text", *(line.replace("```", "'''") for line in explanations), "```", ""]
    return "\n".join(lines)


def _row(report: Report, step: StepReport) -> str:
    verdict = "not met" if report.problems(step) else "ok"
    counts = f"{step.planned} | {step.delivered} | {step.failed} | {sum(step.not_sent.values())}"
    return f"| {step.number} | {step.line} | {_cell(step.what)} | {counts} | {verdict} |"


def _cell(text: str) -> str:
    """A text for one cell: nothing of it is markup, nothing of it ends the row."""
    escaped = "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~" else char for char in text)
    return " ".join(escaped.split())
