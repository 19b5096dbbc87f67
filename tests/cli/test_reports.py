"""Reports of ``mockserver replay``: files, the summary page, annotations, and what they say when it was stopped."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from tests.cli.program import OK, SECRET, answer, mockserver, recorder, running
from tests.tables import each_row

SCRIPT = """\
version: 1
name: Three
start: 2024-12-16T10:00:00Z
steps:
  - event: run.completed
  - event: run.failed
    expect: {body: thanks}
  - together:
      - event: run.completed
      - event: run.failed
        fault: wrong_secret
        expect: {status: any}
"""
FILES = ("--json", "r.json", "--junit", "r.xml", "--har", "r.har", "--markdown", "r.md")
NAMES = FILES[1::2]


#: An answer of a consumer that reveals its secret.
ECHO = answer("200 OK", f'{{"secret": "{SECRET}"}}'.encode(), f"X-Echo: {SECRET}\r\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "three.yaml").write_text(SCRIPT, "utf-8")
    return tmp_path


def test_every_report_is_written_and_names_the_line(folder: Path) -> None:
    """One command, four reports: each shows the step that was not met, and none of them shows a secret."""
    with recorder(OK, ECHO) as server:
        done = mockserver("replay", "three.yaml", "refund_flow", *server.target, "--speed=max", *FILES, cwd=folder)
    assert done.code == 1
    assert "step 2 (run.failed): expected the body 'thanks', got '{\"secret\": \"***\"}'" in done.err
    assert "::error" not in done.out + done.err  # which is for a CI system, not for people
    report = json.loads((folder / "r.json").read_text("utf-8"))
    assert (report["ok"], report["unmet"], report["planned"]) == (False, 1, 7)
    deliveries = report["reports"][0]["deliveries"]
    assert [delivery["faults"] for delivery in deliveries] == [[], [], [], ["wrong_secret"]]
    assert [len(delivery["unmet"]) for delivery in deliveries] == [0, 1, 0, 0]
    first, second = JUnitXml.fromfile(str(folder / "r.xml"))
    assert [bool(case.result) for case in first] == [False, True, False, False]
    assert next(case for case in first if case.result).result[0].text.startswith("three.yaml:6:\n")
    assert (second.tests, second.failures) == (3, 0)
    entries = json.loads((folder / "r.har").read_text("utf-8"))["log"]["entries"]
    assert [entry["comment"].split(", ")[2][:12] for entry in entries[:2]] == ["three.yaml:5", "three.yaml:6"]
    assert len(entries) == 7
    assert "| 2 | 6 | run.failed | 1 | 1 | 0 | 0 | **not met** |" in (folder / "r.md").read_text("utf-8")
    assert SECRET not in done.out + done.err + "".join((folder / name).read_text("utf-8") for name in NAMES)


def test_github_actions(folder: Path) -> None:
    """In a workflow problems are annotated where the repository has the script, and the summary is appended to."""
    (folder / "flows").mkdir()
    (folder / "three.yaml").rename(folder / "flows" / "three.yaml")
    summary = folder / "summary.md"
    summary.write_text("# Before\n", "utf-8")
    env: Any = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(folder)}
    with recorder() as server:
        arguments = ("three.yaml", *server.target, "--speed=max", "--markdown", "r.md")
        done = mockserver("replay", *arguments, cwd=folder / "flows", **env)
    assert done.code == 1
    (line,) = (line for line in done.out.splitlines() if line.startswith("::"))
    assert line.startswith(
        "::error file=flows/three.yaml,line=6,title=step 2 (run.failed)::expected the body 'thanks', got 'ok' (dlv_0"
    )
    assert summary.read_text("utf-8") == "# Before\n" + (folder / "flows" / "r.md").read_text("utf-8")


def test_a_script_outside_of_the_repository(folder: Path) -> None:
    """It is named as the command line names it; standard output is left to the report that goes there."""
    env: Any = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(folder / "repository")}
    with recorder() as server:
        done = mockserver("replay", "three.yaml", *server.target, "--speed=max", "--junit", "-", cwd=folder, **env)
    assert JUnitXml.fromstring(done.out.encode()).failures == 1
    assert "::error file=three.yaml,line=6," in done.err


def test_a_summary_that_is_full(folder: Path) -> None:
    """GitHub drops a summary of more than a megabyte: of a longer one the beginning is kept."""
    steps = "".join(f"  - {{event: run.failed, data: {{text: {'x' * 60}{n}}}}}\n" for n in range(400))
    summary = folder / "summary.md"
    names = [f"{n}.yaml" for n in range(4)]
    for name in names:
        (folder / name).write_text(f"version: 1\nsteps:\n{steps}", "utf-8")
    with recorder(answer("500 No", b"y" * 2000)) as server:
        target = (*server.target, "--speed=max", "--markdown", "r.md")
        mockserver("replay", *names, *target, cwd=folder, GITHUB_STEP_SUMMARY=str(summary))
    assert (folder / "r.md").stat().st_size > 1024 * 1024
    assert 1000 * 1024 < summary.stat().st_size <= 1024 * 1024
    assert summary.read_text("utf-8").endswith("The rest does not fit in here.\n")


@each_row("command", [*(("replay", "run_failed", option) for option in FILES[::2]),
                      *(("check", option) for option in ("--json", "--junit", "--markdown", "--sarif"))])  # fmt: skip
def test_a_file_that_cannot_be_written_is_found_first(command: tuple[str, ...]) -> None:
    """Nothing is sent when a report has nowhere to go."""
    with recorder() as server:
        done = mockserver(*command, "/proc/nowhere/report", *server.target)
    assert done == (2, "", "mockserver: cannot write /proc/nowhere/report: No such file or directory\n")
    assert server.requests == []


def test_a_summary_that_cannot_be_written_is_found_first(folder: Path) -> None:
    """The file of the environment counts as well."""
    with recorder() as server:
        done = mockserver("replay", "three.yaml", *server.target, cwd=folder, GITHUB_STEP_SUMMARY=str(folder))
    assert (done.code, server.requests) == (2, [])
    assert done.err.startswith(f"mockserver: cannot write {folder}: ")


def test_one_that_cannot_be_written_in_the_end_does_not_keep_the_others(folder: Path) -> None:
    """Every report is tried, and each that failed is reported."""
    arguments = ("--speed=max", "--json", "/dev/full", "--junit", "r.xml")
    done = mockserver("replay", "three.yaml", *arguments, cwd=folder, GITHUB_STEP_SUMMARY="/dev/full")
    assert done.code == 4
    problem = "cannot write /dev/full: No space left on device"
    assert done.err.splitlines()[-1] == f"mockserver: {problem}; {problem}"
    assert JUnitXml.fromfile(str(folder / "r.xml")).tests == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_replay_writes_its_reports(folder: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end a pause at once: the reports are there, add up, and say what was and was not sent."""
    pauses = "  - pause: 1h\n  - {event: run.failed, repeat: 3}\n"
    (folder / "long.yaml").write_text(f"version: 1\nsteps:\n  - event: run.completed\n{pauses}", "utf-8")
    with (
        recorder() as server,
        running("replay", "long.yaml", "three.yaml", *server.target, *FILES, cwd=folder) as command,
    ):
        command.wait_for_line("run.completed")
        command.send_signal(number)
        done = command.end()
    assert done.code == code
    assert "long.yaml: 4 planned = 1 delivered + 0 failed + 3 not sent" in done.out
    assert "step 3 (run.failed): 3 not sent: the replay was stopped" in done.err
    assert "Traceback" not in done.err
    first, second = JUnitXml.fromfile(str(folder / "r.xml"))
    messages = [case.result[0].message if case.result else "" for case in first]
    assert messages == ["", "", "3 not sent: the replay was stopped"]
    assert (second.tests, second.failures) == (4, 4)
    report = json.loads((folder / "r.json").read_text("utf-8"))
    assert (report["planned"], report["delivered"], report["failed"], report["not_sent"]) == (8, 1, 0, 7)
    assert len(json.loads((folder / "r.har").read_text("utf-8"))["log"]["entries"]) == 1
    assert "4 planned = 1 delivered + 0 failed + 3 not sent" in (folder / "r.md").read_text("utf-8")


def test_a_target_that_cannot_be_reached_is_in_the_reports(folder: Path, closed_port: int) -> None:
    """Exit code 3, one line, and the reports say why each event failed."""
    url = f"http://127.0.0.1:{closed_port}/"
    done = mockserver("replay", "refund_flow", "--target", url, "--secret", SECRET, "--speed=max", *FILES, cwd=folder)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert done.err.startswith("mockserver: the target could not be reached: nothing listens on 127.0.0.1:")
    assert "3 planned = 0 delivered + 3 failed + 0 not sent" in done.out.splitlines()[-2]
    (suite,) = JUnitXml.fromfile(str(folder / "r.xml"))
    assert (suite.tests, suite.failures) == (3, 3)
    assert "nothing listens on 127.0.0.1:" in (folder / "r.md").read_text("utf-8")


def test_files_from_the_environment(folder: Path) -> None:
    """In a container everything is said by environment variables; of steps in a group all are sent."""
    env: Any = {"MOCKSERVER_JUNIT": "r.xml", "MOCKSERVER_ONLY": "1 3", "MOCKSERVER_FAIL_FAST": "1"}
    with recorder() as server:
        env |= {"MOCKSERVER_TARGET": server.url, "MOCKSERVER_SECRET": SECRET, "MOCKSERVER_SPEED": "max"}
        assert mockserver("replay", "three.yaml", cwd=folder, **env).code == 0
    assert JUnitXml.fromfile(str(folder / "r.xml")).tests == len(server.requests) == 3


def test_fail_fast_ends_the_whole_run(folder: Path) -> None:
    """Neither a later step nor a later script is begun, and the reports say why."""
    with recorder() as server:
        target = (*server.target, "--speed=max", "--fail-fast", *FILES)
        done = mockserver("replay", "three.yaml", "refund_flow", *target, cwd=folder)
    assert done.code == 1
    assert len(server.requests) == 2
    assert "2 scripts: 7 planned = 2 delivered + 0 failed + 5 not sent; 1 expectation not met" in done.out
    assert done.err.splitlines()[1:] == [
        "stopped after step 2, which has a problem (fail-fast)",
        "not begun, as three.yaml has a problem (fail-fast)",
    ]
    first, second = JUnitXml.fromfile(str(folder / "r.xml"))
    assert (first.failures, first.skipped, second.failures, second.skipped) == (1, 2, 0, 3)
    report = json.loads((folder / "r.json").read_text("utf-8"))
    assert report["reports"][1]["halted"] == "not begun, as three.yaml has a problem (fail-fast)"


def test_retry(folder: Path) -> None:
    """--retry makes failed attempts again; at speed max no one waits for them."""
    no = answer("503 No")
    for policy in ("0s,1h,1d", "three_attempts"):
        with recorder(no, no, OK) as server:
            done = mockserver("replay", "run_failed", *server.target, "--speed=max", "--retry", policy, cwd=folder)
        assert (done.code, len(server.requests)) == (0, 3)
        assert server.requests[0] == server.requests[1] == server.requests[2]
