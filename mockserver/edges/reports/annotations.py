"""Workflow annotations of GitHub Actions: a line for each expectation that was not met, shown at the script's line.

The form is documented on GitHub's page "Workflow commands for GitHub Actions": ``::error file=,line=,title=::message``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mockserver.core.report import Report
from mockserver.edges.redaction import Redactor

_MOST = 50


def workflow_annotations(reports: Sequence[Report], redactor: Redactor) -> list[str]:
    """Return the workflow commands for reports, at most fifty: the page shows no more.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
    """
    return [redactor.text(line) for line in _lines(reports)][:_MOST]


def _lines(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        for step in report.steps:
            for problem in report.problems(step):
                place = f"file={_property(report.script.source)},line={step.line}"
                title = _property(f"step {step.number} ({step.what})")
                yield f"::error {place},title={title}::{_message(problem)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
