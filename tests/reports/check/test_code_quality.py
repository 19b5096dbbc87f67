"""GitLab's code quality: what its documentation asks of each issue, and the same fingerprint for the same thing."""

import json
import re
from pathlib import Path

import msgspec

from mockserver.model.redaction import Redactor
from tests.cli.program import mockserver
from tests.receiving import SECRET
from tests.reports.check.checked import check_code_quality, mixed


class Lines(msgspec.Struct, forbid_unknown_fields=True):
    begin: int


class Location(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    lines: Lines


class Issue(msgspec.Struct, forbid_unknown_fields=True):
    """An issue as GitLab documents it; all of these are required."""

    description: str
    check_name: str
    fingerprint: str
    severity: str
    location: Location


def issues_of(text: str) -> list[Issue]:
    issues = msgspec.json.decode(text, type=list[Issue])
    for issue in issues:
        assert issue.severity in {"info", "minor", "major", "critical", "blocker"}
        assert re.fullmatch(r"[^./][^\0]*", issue.location.path)  # GitLab takes neither ./ nor an absolute path
        assert "\n" not in issue.description
    assert len({issue.fingerprint for issue in issues}) == len(issues)
    return issues


async def test_findings_are_issues() -> None:
    """The worst first, each with its severity; a suspicion is less than a proof. The port changes no fingerprint."""
    report = await mixed()
    issues = issues_of(check_code_quality(report, Redactor([SECRET])))
    shown = [(issue.check_name, issue.severity, issue.location.path) for issue in issues]
    path = "webhooks/playgent"
    assert shown == [
        ("PG012", "critical", path),
        ("PG045", "minor", path),
        ("PG021", "info", path),
        ("PG010", "major", path),
    ]
    assert "answered 413. To fix it: allow 1 MB" in issues[1].description
    report.target = report.target.replace("3000", "41234")
    again = issues_of(check_code_quality(report, Redactor([SECRET])))
    assert [issue.fingerprint for issue in again] == [issue.fingerprint for issue in issues]


def test_problems_of_scripts_are_issues(tmp_path: Path) -> None:
    """Each at its line, beside what is printed; a good script has none, and what an earlier run wrote is gone."""
    (tmp_path / "bad.yaml").write_text("version: 1\nsteps:\n  - event: run.faild\n  - {event: run.failed, afer: 1s}\n")
    done = mockserver("validate", "bad.yaml", "refund_flow", "--codequality", "-", cwd=tmp_path)
    assert (done.code, done.err.count("bad.yaml:")) == (2, 2)
    issues = issues_of(done.out)
    assert [(issue.location.path, issue.location.lines.begin) for issue in issues] == [("bad.yaml", 3), ("bad.yaml", 4)]
    (tmp_path / "quality.json").write_text("old")
    assert mockserver("validate", "refund_flow", "--codequality", "quality.json", cwd=tmp_path).code == 0
    assert json.loads((tmp_path / "quality.json").read_text()) == []
