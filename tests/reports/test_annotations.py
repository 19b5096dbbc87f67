"""Workflow annotations: each problem at its line of the script, escaped exactly as GitHub reads it."""

import re

from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.annotations import workflow_annotations
from tests.receiving import SECRET, statuses
from tests.reports.replayed import always, replayed, script

_COMMAND = re.compile(r"::([a-z]+) ([^:]*(?:%3A[^:]*)*)::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does (actions/runner, ActionCommand)."""
    found = _COMMAND.fullmatch(line)
    assert found
    name, properties, message = found.groups()
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))
    return name, {key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, value in pairs.items()}, unescaped(message)


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, char)
    return text


async def test_a_problem_is_shown_at_its_line() -> None:
    """File, line and title are there, and the message is the sentence of the report."""
    report = await replayed("- event: run.completed\n- event: run.failed\n", await statuses(200, 500))
    (line,) = workflow_annotations([report.clean(Redactor())])
    name, properties, message = read(line)
    assert name == "error"
    assert properties == {"file": "flows/night.yaml", "line": "5", "title": "step 2 (run.failed)"}
    assert message == report.problems(report.step("2"))[0]


def test_every_special_character_is_escaped() -> None:
    """Percent, line breaks, and in properties colon and comma: to the letter."""
    report = Report(script("- event: run.failed\n", "a,b:c%d.yaml"))
    report.explain("1", "100%: one, two\r\nthree::four")
    (line,) = workflow_annotations([report.clean(Redactor())])
    assert line == (
        "::error file=a%2Cb%3Ac%25d.yaml,line=4,title=step 1 (run.failed)::100%25: one, two%0D%0Athree::four"
    )
    assert read(line)[1]["file"] == "a,b:c%d.yaml"


async def test_secrets_are_hidden_before_they_are_escaped() -> None:
    """A secret with characters that are escaped is not there in any form."""
    body = always(text="my sec%ret:,1")
    report = await replayed("- event: run.failed\n  expect: {body: {contains: yes it is}}\n", body)
    (line,) = workflow_annotations([report.clean(Redactor(["sec%ret:,1"]))])
    assert "got 'my ***'" in line
    assert "ret" not in line.split("::")[-1]


def test_not_more_than_github_shows() -> None:
    """Ten at most: the last one counts the rest."""
    steps = "- event: run.failed\n" * 12
    reports = [Report(script(steps)), Report(script(steps))]
    for report in reports:
        report.close("the replay was stopped")
    lines = workflow_annotations(reports)
    assert len(lines) == 10
    assert lines[-1] == "::error title=mockserver::15 more problems: see the log or the reports"


def test_the_path_is_that_in_the_repository() -> None:
    """A script is named as the repository has it, not as the working directory does."""
    report = Report(script("- event: run.failed\n"))
    report.close("the replay was stopped")
    (line,) = workflow_annotations([report.clean(Redactor([SECRET]))], "sub/{}".format)
    assert "file=sub/flows/night.yaml,line=4," in line
