"""The page of replays: verdict, time line, steps, what was not met, and each exchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report, StepReport
from mockserver.reports.html.exchange import brief_row, whole
from mockserver.reports.html.page import page
from mockserver.reports.html.timeline import chart_of

#: The most deliveries with a problem that are shown whole, and of the others.
_WHOLE, _GOOD = 300, 100
#: The most more that are shown as a line each.
_LINES = 1000
#: The most steps and explanations that are shown.
_STEPS, _EXPLANATIONS = 500, 200


def replay_html(reports: Sequence[Report], redactor: Redactor) -> str:
    """Return reports of replays as one page.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    sections = [_section(report, redactor) for report in reports]
    failed = sum(not section["ok"] for section in sections)
    verdict = f"{failed} of {len(sections)} failed" if failed else "passed"
    names = ", ".join(section["name"] for section in sections[:3]) + (" …" if len(sections) > 3 else "")
    return page("replay.html.j2", f"{names}: {verdict}", sections=sections, verdict=verdict, ok=not failed)


def _section(report: Report, redactor: Redactor) -> dict[str, Any]:
    deliveries = report.deliveries
    bad = [each for each in deliveries if each.unmet]
    good = [each for each in deliveries if not each.unmet]
    shown = sorted(bad[:_WHOLE] + good[:_GOOD], key=lambda each: each.number)
    lines = sorted((bad[_WHOLE:] + good[_GOOD:])[:_LINES], key=lambda each: each.number)
    explanations = _explanations(report, redactor)
    worst_first = sorted(report.steps, key=lambda step: not report.problems(step))
    numbers = {step.number for step in worst_first[:_STEPS]}
    return {
        "name": redactor.text(report.script.name),
        "source": redactor.text(report.script.source),
        "ok": report.ok,
        "counts": {
            "planned": report.planned, "delivered": report.delivered, "failed": report.failed,
            "not sent": report.not_sent, "not met": report.unmet,
        },
        "took": format_duration(round(report.seconds, 3)),
        "scripted": format_duration(round(report.scripted_seconds, 3)),
        "steps": [_step(report, step, redactor) for step in report.steps if step.number in numbers],
        "steps_left_out": len(report.steps) - len(numbers),
        "explanations": explanations[:_EXPLANATIONS],
        "explanations_left_out": max(len(explanations) - _EXPLANATIONS, 0),
        "chart": chart_of(list(map(redactor.delivery, deliveries)) if deliveries else ()),
        "exchanges": [_whole(each, redactor) for each in shown],
        "lines": [brief_row(redactor.delivery(each)) for each in lines],
        "left_out": len(deliveries) - len(shown) - len(lines),
    }  # fmt: skip


def _explanations(report: Report, redactor: Redactor) -> list[dict[str, str]]:
    """What was not as expected, by step."""
    lines = [
        {"where": f"Step {step.number}, line {step.line}", "what": redactor.text(step.what),
         "problem": redactor.text(problem)}
        for step in report.steps
        for problem in report.problems(step)
    ]  # fmt: skip
    if report.halted and not report.halted_at:
        lines.append({"where": "", "what": "", "problem": redactor.text(report.halted)})
    return lines


def _whole(delivery: Delivery, redactor: Redactor) -> dict[str, Any]:
    return {**whole(redactor.delivery(delivery)), "bad": bool(delivery.unmet)}


def _step(report: Report, step: StepReport, redactor: Redactor) -> dict[str, Any]:
    problems = report.problems(step)
    not_sent = sum(step.not_sent.values())
    return {
        "number": step.number, "line": step.line, "what": redactor.text(step.what), "planned": step.planned,
        "delivered": step.delivered, "failed": step.failed, "not_sent": not_sent,
        "verdict": "not met" if problems else "not sent" if not_sent else "ok", "bad": bool(problems),
    }  # fmt: skip
