"""Workflow annotations of GitHub Actions: a line for each expectation that was not met, shown at the script's line.

The form is documented on GitHub's page "Workflow commands for GitHub Actions": ``::error file=,line=,title=::message``;
how values are escaped, in the ``command`` module of the official toolkit (``actions/toolkit``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report

#: GitHub shows ten errors of a step of a workflow.
MOST = 10


def workflow_annotations(
    reports: Sequence[Report], redactor: Redactor, path_of: Callable[[str], str] = str
) -> list[str]:
    """Return the workflow commands for reports, at most ten: then the last one says how many more there are.

    Args:
        reports: One for each script.
        redactor: Hides secrets.
        path_of: Turns the name of a script's file into its path below the root of the repository.
    """
    lines = list(_lines(reports, redactor, path_of))
    if len(lines) <= MOST:
        return lines
    more = len(lines) - MOST + 1
    return [*lines[: MOST - 1], f"::error title=mockserver::{more} more problems: see the log or the reports"]


def _lines(reports: Sequence[Report], redactor: Redactor, path_of: Callable[[str], str]) -> Iterator[str]:
    for report in reports:
        path = _property(path_of(report.script.source))
        for step in report.steps:
            title = _property(redactor.text(f"step {step.number} ({step.what})"))
            for problem in report.problems(step):
                yield f"::error file={path},line={step.line},title={title}::{_message(redactor.text(problem))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
