"""GitLab's code quality report, which merge requests show: findings of checks, and problems of scripts.

The form is documented on GitLab's page "Code Quality", section "Code Quality report format": a JSON array of issues,
each with a description, a check name, a fingerprint, a severity and a line of a file. A consumer is not a file: the
path of its URL takes the place of one, as in SARIF.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from mockserver.checks.model import CheckResult, Finding, Severity
from mockserver.errors import Problem
from mockserver.model.targets import Target
from mockserver.reports.check_json import json_text
from mockserver.reports.check_text import worst_first

GitLabSeverity = Literal["info", "minor", "major", "critical", "blocker"]

_SEVERITIES: Mapping[Severity, GitLabSeverity] = {"must": "critical", "should": "minor", "note": "info"}


def check_code_quality(report: CheckResult) -> str:
    """Return what a check found wrong as issues, the worst first."""
    path = Target.parse(report.target).path.partition("?")[0].strip("/") or "webhook"
    return json_text([_finding(finding, path) for finding in worst_first(report)])


def script_code_quality(problems: Iterable[tuple[str, Problem]]) -> str:
    """Return the problems of scripts as issues."""
    return json_text([_problem(path, problem) for path, problem in problems])


def _problem(path: str, problem: Problem) -> dict[str, Any]:
    place = f"{problem.line}:{problem.column}:{problem.message}"
    return _issue("script", problem.message, "critical", path, max(problem.line, 1), place)


def _finding(finding: Finding, path: str) -> dict[str, Any]:
    check = finding.check
    severity = _SEVERITIES[check.severity]
    if finding.verdict == "warn" and severity == "critical":
        severity = "major"
    text = f"{check.title}: {finding.summary}. To fix it: {finding.fix}"
    return _issue(check.id, text, severity, path, 1, "")


def _issue(name: str, text: str, severity: GitLabSeverity, path: str, line: int, more: str) -> dict[str, Any]:
    """One issue; its fingerprint is the same as long as the same thing is wrong, wherever the test server listens."""
    fingerprint = hashlib.sha256(f"{name}\0{path}\0{more}".encode("utf-8", "replace")).hexdigest()
    return {
        "description": " ".join(text.split()),
        "check_name": name,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
