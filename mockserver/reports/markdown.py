"""Markdown: a summary of replays for people, such as the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report, StepReport
from mockserver.reports.exchanges import exchange_text, unmet_by_source
from mockserver.reports.markdown_text import fenced, inline_code, plain

#: The most explanations of a script that are shown; the other reports have them all.
_EXPLANATIONS = 100
#: The most rows of a script that are shown, those of steps with problems before the others.
_ROWS = 500

_CUT = "\nThe rest does not fit in here.\n"


def markdown(reports: Sequence[Report], redactor: Redactor) -> str:
    """Return reports as Markdown: a table of steps for each script, what was not met, what was sent and came back.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    return "\n".join(_section(report, redactor) for report in reports)


def shortened_markdown(text: str, most_bytes: int) -> str:
    """Return as many lines of a summary as fit, and a note if they are not all.

    Args:
        text: The summary.
        most_bytes: How many bytes it may have.
    """
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return text
    kept = encoded[: max(most_bytes - len(_CUT), 0)]
    return kept[: kept.rfind(b"\n") + 1].decode() + _CUT


def _section(report: Report, redactor: Redactor) -> str:
    name = plain(redactor.text(report.script.name))
    return "\n".join(
        [
            f"## {name}: {'passed' if report.ok else 'failed'}",
            "",
            f"{inline_code(report.script.source)}: {report.counts}; {report.seconds:.2f} s.",
            "",
            *_table(report, redactor),
            *_explanations(report, redactor),
            *_exchanges(report, redactor),
        ]
    )


def _table(report: Report, redactor: Redactor) -> list[str]:
    worst_first = sorted(report.steps, key=lambda step: not report.problems(step))
    shown = {step.number for step in worst_first[:_ROWS]}
    hidden = len(report.steps) - len(shown)
    return [
        "| step | line | what | planned | delivered | failed | not sent | |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *(_row(report, step, redactor) for step in report.steps if step.number in shown),
        *(["", f"{hidden} more steps are not shown."] if hidden else []),
        "",
    ]


def _row(report: Report, step: StepReport, redactor: Redactor) -> str:
    not_sent = sum(step.not_sent.values())
    verdict = "**not met**" if report.problems(step) else "not sent" if not_sent else "ok"
    counts = f"{step.planned} | {step.delivered} | {step.failed} | {not_sent}"
    return f"| {step.number} | {step.line} | {plain(redactor.text(step.what))} | {counts} | {verdict} |"


def _explanations(report: Report, redactor: Redactor) -> list[str]:
    lines = report.explanations()
    if not lines:
        return []
    more = len(lines) - _EXPLANATIONS
    shown = [redactor.text(line) for line in lines[:_EXPLANATIONS]]
    return [*fenced("\n".join([*shown, f"... and {more} more"] if more > 0 else shown)), ""]


def _exchanges(report: Report, redactor: Redactor) -> list[str]:
    """What was sent and what came back, folded, for the first delivery of each step that was not met."""
    first = [deliveries[0] for deliveries in unmet_by_source(report).values()][:_EXPLANATIONS]
    lines: list[str] = []
    for delivery in first:
        title = escape(redactor.text(f"{delivery.source}: {delivery.event.type}"))
        lines += ["<details>", f"<summary>{title}: what was sent, and what came back</summary>", ""]
        lines += [*fenced(exchange_text(redactor.delivery(delivery))), "", "</details>", ""]
    return lines
