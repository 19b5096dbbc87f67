"""The page of a check: what is wrong with a consumer, how to fix it, and the proof."""

from __future__ import annotations

from typing import Any

from mockserver.checks.model import CheckResult, Finding
from mockserver.model.quantities import format_duration, format_timestamp
from mockserver.reports.check_findings import counts, is_wrong, worst_first
from mockserver.reports.html.exchange import whole
from mockserver.reports.html.page import page

#: The most deliveries that prove a finding; a burst has more.
_SHOWN = 5


def check_html(report: CheckResult) -> str:
    """Return the report of a check as one page.

    Args:
        report: What the checks found out, without secrets.
    """
    wrong = worst_first(report)
    broken = sum(finding.breaks for finding in report.findings)
    verdict = f"{broken} failed that must pass" if broken else "not checked" if report.problems else "passed"
    rest = [finding for finding in report.findings if not is_wrong(finding)]
    return page(
        "check.html.j2",
        f"Check of {report.target}: {verdict}",
        target=report.target,
        ok=not report.broken,
        verdict=verdict,
        counts={verdict: count for verdict, count in counts(report).items() if count},
        began=format_timestamp(report.began),
        took=format_duration(round(report.seconds, 2)),
        deliveries=report.deliveries,
        seed=report.seed,
        problems=list(report.problems.values()),
        diagnosis=report.diagnosis,
        diagnosis_proof=[whole(each) for each in (report.diagnosis.evidence[:_SHOWN] if report.diagnosis else ())],
        wrong=list(map(_finding, wrong)),
        rest=list(map(_line, rest)),
    )


def _line(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.check.id, "title": finding.check.title, "severity": finding.check.severity,
        "verdict": finding.verdict, "summary": finding.summary,
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **_line(finding),
        "fix": finding.fix,
        "why": finding.check.why,
        "sends": finding.check.sends,
        "proof": [whole(each) for each in finding.evidence[:_SHOWN]],
        "left_out": max(len(finding.evidence) - _SHOWN, 0),
    }
