"""What every report asks of the findings: whether all is well, what is wrong, in which order.

Nothing here counts as looking at the report: a file of it may be written and never be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from mockserver.checks.model import CheckResult, Diagnosis, Finding, Severity, Verdict

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
    """Return findings in groups: those of the same verdict and cause where there are many, else each by itself.

    Args:
        findings: In the order in which they are shown.

    Returns:
        Groups in the order of their first findings; none is empty.
    """
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
