"""The bundled script of faults, replayed by the real command: correct consumers pass, one that accepts all does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from junitparser import Failure, JUnitXml

from mockserver.script.package_files import bundled_scripts
from tests.cli.program import SECRET, Result, mockserver
from tests.consumers.launch import launch
from tests.consumers.serve import serve_flask

SCRIPT = bundled_scripts()["hostile_night"]
FORGED = ("wrong_secret", "missing_signature", "truncated_signature", "tampered_body")

#: The same, and more: what the consumer says of its own state proves that forgeries had no effect, copies only one.
WITH_EFFECTS = """\
version: 1
name: Proved by effects
start: 2024-12-17T01:00:00Z
defaults: {{override: {{run_id: "{{{{ new_id('run') }}}}"}}}}
steps:
  - event: run.failed
    fault: wrong_secret
    expect: {{status: 401, effect: {{url: "{url}", json: $.count, change: 0}}}}
  - event: run.completed
    fault: concurrent_duplicates(5)
    expect: {{status: 2xx, effect: {{url: "{url}", json: $.count, change: 1}}}}
  - event: run.failed
    fault: invalid_json
    expect: {{status: 400, effect: {{url: "{url}", json: $.count, change: 0}}}}
  - event: run.completed
    fault: [slow_body(100ms), stale(6h)]
    repeat: 10
    concurrency: 5
    expect: {{status: 2xx, effect: {{url: "{url}", json: $.count, change: 10}}}}
"""


def line_of(fault: str) -> int:
    lines = SCRIPT.read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if fault in line)


def replay(tmp_path: Path, *arguments: str, **env: Any) -> Result:
    files = ("--junit", "r.xml", "--json", "r.json", "--har", "r.har", "--markdown", "r.md")
    return mockserver("replay", *arguments, "--speed=max", *files, cwd=tmp_path, **env)


@pytest.mark.parametrize("name", ["flask", pytest.param("node", marks=pytest.mark.full)])
def test_a_correct_consumer_passes(tmp_path: Path, name: str) -> None:
    """It refuses every forgery, and handles everything else once."""
    with launch(name, secret=SECRET) if name == "node" else serve_flask(SECRET, None) as consumer:
        done = replay(tmp_path, "hostile_night", "--target", consumer.webhook_url, "--secret", SECRET)
        handled = consumer.events()
    assert (done.code, done.err) == (0, "")
    # 2 duplicated, 2 oddly spelled or slow, 51 of the backlog, 1 in the end; one whose answer was not read, and one
    # nested deeper than some parsers can read, may be handled or not.
    assert 56 <= handled["count"] <= 58
    assert len({event["id"] for event in handled["events"]}) == handled["count"]
    assert handled["refused"] >= len(FORGED) + 1
    (suite,) = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert (suite.tests, suite.failures, suite.skipped) == (17, 0, 1)
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (report["planned"], report["not_sent"], report["reasons"]) == (70, 5, {"lost on purpose": 5})


@pytest.mark.parametrize("name", ["flask", pytest.param("node", marks=pytest.mark.full)])
def test_effects_prove_what_answers_only_say(tmp_path: Path, name: str) -> None:
    """A forgery changes nothing, five copies at once have one effect, a backlog is handled as a whole."""
    with launch(name, secret=SECRET) if name == "node" else serve_flask(SECRET, None) as consumer:
        text = WITH_EFFECTS.format(url=f"{consumer.url}/debug/events")
        (tmp_path / "effects.yaml").write_text(text, "utf-8")
        done = replay(tmp_path, "effects.yaml", "--target", consumer.webhook_url, "--secret", SECRET)
    assert (done.code, done.err) == (0, "")


def test_the_embedded_consumer_passes(tmp_path: Path) -> None:
    """Without a target the script can be tried at once."""
    done = replay(tmp_path, "hostile_night")
    assert (done.code, done.err) == (0, "")
    assert "5 refused" in done.out.splitlines()[-2]


def test_a_consumer_that_accepts_everything_fails(tmp_path: Path) -> None:
    """Each forgery that it took is a failure, with the line of the script in every report and annotation."""
    with serve_flask(SECRET, "no_verification") as consumer:
        done = replay(
            tmp_path, "hostile_night", "--target", consumer.webhook_url, "--secret", SECRET, GITHUB_ACTIONS="true"
        )
    assert done.code == 1
    annotations = [line for line in done.out.splitlines() if line.startswith("::error ")]
    (suite,) = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    failures = [(case, case.result[0]) for case in suite if case.result and isinstance(case.result[0], Failure)]
    markdown = (tmp_path / "r.md").read_text("utf-8")
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert report["unmet"] == len(FORGED) == len(annotations) == len(failures)
    for fault, annotation, (case, failure) in zip(FORGED, annotations, failures, strict=True):
        line = line_of(fault)
        assert f"hostile_night.yaml,line={line},title=step " in annotation
        assert "::expected status 4xx, got 200 (dlv_" in annotation
        assert fault in case.name
        assert case.name.endswith(f"(line {line})")
        assert f"hostile_night.yaml:{line}:" in failure.text
        assert "sent\nPOST /webhooks/playgent HTTP/1.1" in failure.text
        assert "came back\n200 OK" in failure.text
        assert f"hostile_night.yaml:{line}: step " in markdown
        assert f"hostile_night.yaml:{line}: step " in done.err


def test_a_consumer_that_refuses_everything_fails(tmp_path: Path) -> None:
    """Refusing is no way out: what is signed right must be accepted."""
    with serve_flask("another", None) as consumer:
        done = replay(tmp_path, "hostile_night", "--target", consumer.webhook_url, "--secret", SECRET)
    assert done.code == 1
    assert "step 17 (run.completed): expected status 2xx, got 401" in done.err
