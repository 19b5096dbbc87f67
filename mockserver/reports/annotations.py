"""Workflow annotations of GitHub Actions: a line for each problem; those of a replay are shown at the script's line.

The form is documented on GitHub's page "Workflow commands for GitHub Actions": ``::error file=,line=,title=::message``;
how values are escaped, in the ``command`` module of the official toolkit (``actions/toolkit``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mockserver.checks.model import CheckResult, Finding
from mockserver.replay.report import Report
from mockserver.reports.check_text import worst_first

#: GitHub shows ten errors of a step of a workflow.
MOST = 10


def workflow_annotations(reports: Sequence[Report], path_of: Callable[[str], str] = str) -> list[str]:
    """Return the workflow commands for reports, at most ten: then the last one says how many more there are."""
    return _first(list(_lines(reports, path_of)))


def check_annotations(result: CheckResult) -> list[str]:
    """Return the workflow commands for checks: an error for each failure, a warning for what is probably one."""
    return _first([_finding_line(finding) for finding in worst_first(result)])


def _first(lines: list[str]) -> list[str]:
    if len(lines) <= MOST:
        return lines
    more = len(lines) - MOST + 1
    return [*lines[: MOST - 1], f"::error title=mockserver::{more} more problems: see the log or the reports"]


def _finding_line(finding: Finding) -> str:
    level = "error" if finding.verdict == "fail" else "warning"
    title = _property(f"{finding.check.id} {finding.check.title}")
    return f"::{level} title={title}::{_message(f'{finding.summary}; fix: {finding.fix}')}"


def _lines(reports: Sequence[Report], path_of: Callable[[str], str]) -> Iterator[str]:
    for report in reports:
        path = _property(path_of(report.script.source))
        for step in report.steps:
            title = _property(f"step {step.number} ({step.what})")
            for problem in report.problems(step):
                yield f"::error file={path},line={step.line},title={title}::{_message(problem)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
