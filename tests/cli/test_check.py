"""``mockserver check``: what it says of correct and of broken consumers, its reports, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from mockserver.checks.model import Check, Diagnosis, Finding, Judgement
from mockserver.cli.check_run import diagnosis_block, finding_block
from mockserver.model.messages import Exchange, ExchangeError, Request, Response
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.redaction import Redactor
from mockserver.model.targets import Target
from mockserver.reports.check_report import clean_finding
from tests.answering import answering
from tests.cli.program import Result, mockserver, recorder, running
from tests.cli.test_terminal import GREEN, HIDE_CURSOR, RED, SHOW_CURSOR, Terminal
from tests.consumers.launch import SECRET, Consumer, Endpoint, launch
from tests.consumers.serve import serve_flask
from tests.tables import each_row

REPORTS = ("--json", "r.json", "--junit", "r.xml", "--markdown", "r.md", "--sarif", "r.sarif")
LINE = re.compile(r"(pass|fail|warn|inconclusive|not tested) +(PG\d{3})  (must|should|note) +(\S.*?)  +(\S.*)")


@pytest.fixture(scope="module")
def flask(launched: Callable[[str], Consumer]) -> Consumer:
    """A correct consumer: its URL, and the options that let a check look into it."""
    return launched("flask")


def looking_into(consumer: Endpoint) -> tuple[str, ...]:
    return (
        *("--probe", f"{consumer.url}/debug/events", "--probe-json", "$.count"),
        *("--state", f"{consumer.url}/debug/objects/{{id}}", "--fail-once", f"{consumer.url}/debug/fail-next"),
    )


def check(consumer: Endpoint | str, *options: str, cwd: Path | None = None, **env: Any) -> Result:
    """Check a consumer by its URL or as a program, with its secret in the environment."""
    url = consumer if isinstance(consumer, str) else consumer.webhook_url
    return mockserver("check", url, *options, cwd=cwd, MOCKSERVER_SECRET=SECRET, **env)


@contextmanager
def hanging() -> Iterator[tuple[str, threading.Event]]:
    """A consumer that gives no answer to run.failed: its URL, and what shows that it has begun to wait."""
    waiting, released = threading.Event(), threading.Event()

    def answer(body: bytes, _: str) -> tuple[int, bytes]:
        if b"run.failed" in body:
            waiting.set()
            released.wait()
        return 200, b"ok"

    with answering(answer) as url:
        try:
            yield url, waiting
        finally:
            released.set()


# ---------------------------------------------------------------- what it says


def test_a_correct_consumer_passes_everything(flask: Consumer, tmp_path: Path) -> None:
    """One line for each check in columns, no failure, exit code 0, and what only the code can tell is said to be."""
    slow = {"PG052", "PG053"}
    done = check(flask, *looking_into(flask), "--skip", ",".join(slow), *REPORTS, cwd=tmp_path)
    assert (done.code, done.err) == (0, ""), done
    lines = done.out.split("\n\n")[0].splitlines()
    found = [match for line in lines if (match := LINE.fullmatch(line))]
    assert len(found) == len(lines)
    assert {match[1] for match in found} == {"pass", "not tested"}
    assert {match[2] for match in found if match[1] == "not tested"} == {"PG027", "PG090", "PG091", "PG092"}
    assert len({match.start(5) for match in found}) == 1
    listed = {each["id"] for each in json.loads(mockserver("check", "--list", "--json", "-").out)}
    assert {match[2] for match in found} == listed - slow
    assert re.search(r"\n\n\d+ deliveries in \d+\.\d s, seed \d+\n✓ \d+ checks: \d+ pass, 4 not tested\n$", done.out)
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (report["ok"], report["counts"]["fail"]) == (True, 0)
    assert JUnitXml.fromfile(str(tmp_path / "r.xml")).tests == len(listed - slow)
    assert json.loads((tmp_path / "r.sarif").read_text("utf-8"))["runs"][0]["results"] == []
    assert ": passed\n" in (tmp_path / "r.md").read_text("utf-8")


def test_without_a_probe_it_says_what_is_missing(flask: Consumer) -> None:
    """What needs more than the URL and the secret is reported in one line, not in ten."""
    done = check(flask, "--only", "effect,duplicate_effect,PG073,PG010", "--only", "retry after failure")
    assert done.code == 0
    (line,) = (line for line in done.out.splitlines() if line.startswith("not tested"))
    assert "4 checks not tested: needs --probe, to see the effect (PG070, PG072, PG073, PG081)" in line


@pytest.mark.full
def test_a_mistake_is_shown_with_the_request_that_proves_it(tmp_path: Path) -> None:
    """A failure comes with what was seen, why it matters, how to fix it, and a command that shows it again."""
    with launch("flask", secret=SECRET, mistake="missing_signature_accepted") as consumer:
        done = check(consumer, "--only", "PG010,PG012", *REPORTS, cwd=tmp_path)
        block = done.out.split("\n\n")[1]
        (command,) = re.findall(r"  sent:\n    (curl .*)\n  answer: 200 OK", block)
        again = subprocess.run(["sh", "-c", command], check=True, capture_output=True, cwd=tmp_path)
    assert done.code == 1
    assert re.search(r"^fail +PG010  must    missing signature  .*answered 200", done.out, re.MULTILINE)
    assert re.search(r"^pass +PG012  must ", done.out, re.MULTILINE)
    assert block.startswith("FAIL PG010 missing signature (must)\n  seen: ")
    assert re.search(r"^  why:  \w", block, re.MULTILINE)
    assert re.search("^  fix: +refuse the request", block, re.MULTILINE)
    assert json.loads(again.stdout) == {"status": "duplicate"}  # it took the forged event, and knows it
    assert "1 fail" in done.out
    (finding,) = (
        each for each in json.loads((tmp_path / "r.json").read_text("utf-8"))["findings"] if each["id"] == "PG010"
    )
    assert (finding["verdict"], finding["evidence"][0]["curl"]) == ("fail", command)
    assert JUnitXml.fromfile(str(tmp_path / "r.xml")).failures == 1
    (result,) = json.loads((tmp_path / "r.sarif").read_text("utf-8"))["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("PG010", "error")
    assert "missing signature" in (tmp_path / "r.md").read_text("utf-8")


def test_failures_with_one_cause_are_reported_together() -> None:
    """The cause once, each check with its remedy, and one proof; few are reported one by one."""
    with serve_flask(SECRET, "no_verification") as consumer:
        few = check(consumer, "--only", "PG010,PG012").out
        done = check(consumer, "--only", "PG010,PG012,PG015,PG021")
    assert few.count("\nFAIL PG01") == 2
    block = done.out.split("\n\n")[1]
    cause = "the genuine event after it was answered as a duplicate, so it was handled"
    assert block.startswith(f"FAIL 3 checks: {cause}\n  PG010 missing signature (must): run.completed without")
    assert "\n  PG015 truncated signature (must): " in block
    assert block.count("\n    fix: ") == 3
    assert block.count("\n  sent:\n    curl ") == 1
    assert "--explain PG010" in block
    assert done.out.count(cause) == 3  # with the first line, in the heading, and of the warning
    assert re.search(r"^fail +PG012 .*\(answered 200\): as PG010$", done.out, re.MULTILINE)
    assert "\nWARN PG021 " in done.out


def test_a_request_that_curl_cannot_send_is_shown_as_it_was() -> None:
    """What should be met fails no build; a body that is too long for a command is shown by its beginning."""
    with serve_flask(SECRET, "body_limit_100kb") as consumer:
        done = check(consumer, "--only", "body_size")
    assert done.code == 0
    assert "FAIL PG045 body size (should)" in done.out
    assert re.search(r"\n  sent \(no curl command: .+\):\n    POST /webhooks/playgent HTTP/1\.1\n", done.out)
    assert re.search(r"\n\n    \{\"event\":.*x \.\.\. \(\d+ more characters\)\n  answer: 413 ", done.out)


def test_a_refused_control_is_said_first() -> None:
    """A consumer that takes nothing gets one loud line, one failure, and one line for all that cannot be judged."""
    with serve_flask(SECRET, "secret_without_prefix") as consumer:
        done = check(consumer)
        diagnosed = check(consumer, "--diagnose", "--only", "wrong_secret")
    assert done.code == diagnosed.code == 1
    loud, hint, first, *_ = done.out.splitlines()
    assert re.fullmatch(r"THE CONTROL FAILED \(.*401\): nothing can be judged until that is fixed", loud)
    assert hint.startswith("--diagnose looks for what explains it")
    assert re.match(r"fail +PG001 ", first)
    assert re.search(r"^inconclusive  \d\d checks inconclusive: a valid event answered 401", done.out, re.MULTILINE)
    assert done.out.count("\ninconclusive") < 5
    assert done.out.count("\nFAIL ") == 1
    assert "\n--diagnose looks" not in diagnosed.out
    assert re.search(r"\n\nDIAGNOSIS\n  why correct deliveries are refused: \S", diagnosed.out)
    assert SECRET.removeprefix("whsec_") not in done.out + diagnosed.out


def test_nothing_of_a_consumer_commands_the_terminal_or_shows_the_secret(tmp_path: Path) -> None:
    """An answer that holds the secret, whole or without its prefix, and control characters is shown without both."""
    bare = SECRET.removeprefix("whsec_")
    with answering(lambda *_: (200, f"\x1b[2J{SECRET} {bare} end".encode())) as url:
        done = check(url, "--only", "PG010,PG061", *REPORTS, cwd=tmp_path)
    written = "".join((tmp_path / name).read_text("utf-8") for name in REPORTS[1::2])
    assert done.code == 1
    assert bare not in done.out + done.err + written
    assert "\n  answer: 200 OK \\x1b[2J*** *** end\n" in done.out
    assert "\x1b" not in done.out


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("wait", [(), ("--wait-for-target", "200ms")])
def test_no_one_listens(tmp_path: Path, wait: tuple[str, ...], closed_port: int) -> None:
    """One line, exit code 3, and reports that say so."""
    done = check(f"http://127.0.0.1:{closed_port}/hooks", *wait, *REPORTS, cwd=tmp_path)
    assert done.code == 3
    assert done.err.startswith("mockserver: the target could not be reached: ")
    assert done.err.count("\n") == 1
    assert "checks:" not in done.out
    assert JUnitXml.fromfile(str(tmp_path / "r.xml")).errors == 1
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["unreachable"]
    assert "not reached" in (tmp_path / "r.md").read_text("utf-8")


def test_a_probe_that_cannot_be_read(flask: Consumer, tmp_path: Path) -> None:
    """Nothing is sent, for it would prove nothing; exit code 2."""
    flask.clear()
    done = check(flask, "--probe", f"{flask.url}/debug/nothing", *REPORTS, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"mockserver: cannot be used: the probe {flask.url}/debug/nothing answered 404\n"
    assert flask.events()["count"] == 0
    done = check(flask, "--probe", f"{flask.url}/debug/events", "--probe-json", "$.events")
    assert (done.code, done.out) == (2, "")
    assert "the probe must read a number that grows with each event" in done.err


def test_what_was_proved_counts_for_more_than_a_probe_that_fails_later() -> None:
    """The exit code is 1 for a must that failed, whatever could not be used any more after that."""
    with serve_flask(SECRET, "no_verification") as consumer:
        probe = ("--probe", f"{consumer.url}/debug/events", "--probe-json", "$.count")
        done = check(consumer, *probe, "--fail-once", "exit 3", "--only", "PG012,PG080")
    assert done.code == 1
    assert "mockserver: cannot be used: the command 'exit 3' ended with exit code 3" in done.err


def test_a_suspicion_fails_a_build_unless_only_what_is_proven_counts() -> None:
    """A consumer that takes forgeries of every kind is said to verify nothing, and not one that takes a few."""
    says = "It looks as if no signature is verified at all"
    with answering(lambda *_: (200, b"ok")) as url:
        assert check(url, "--only", "PG012", "--fail-on", "proven").code == 0
        one = check(url, "--only", "PG012")
        all_kinds = check(url, "--only", "PG010,PG012,PG013,PG015,PG017").out
        some = check(url, "--only", "PG010,PG012,PG013").out
    assert (one.code, "WARN PG012 wrong secret (must)" in one.out) == (1, True)
    assert "WARN 5 checks: only --probe can show whether it was handled" in all_kinds
    assert "WARN 3 checks: " in some
    assert (says in all_kinds, says in some) == (True, False)


def test_a_hook_can_be_a_command(flask: Consumer) -> None:
    """The consumer can be made to fail by a command of the shell as well as by a POST to a URL."""
    options = looking_into(flask)[:4]
    command = f"curl -sS -o /dev/null -X POST {flask.url}/debug/fail-next"
    done = check(flask, *options, "--fail-once", command, "--only", "PG081")
    assert done.code == 0
    assert re.search(r"^pass +PG081 .*answered 500, then answered 200: one effect", done.out, re.MULTILINE)
    # One that fails is wrong usage: the consumer did nothing wrong.
    done = check(flask, *options, "--fail-once", f"echo no {SECRET} >&2; exit 3", "--only", "PG080")
    assert done.code == 2
    assert "mockserver: cannot be used: the command " in done.err
    assert "ended with exit code 3: no ***" in done.err
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """What was found is printed and written; the rest is not tested, as the run was stopped."""
    arguments = ("--event", "run.completed", "--event", "run.failed", "--timeout", "1h", "--secret", SECRET)
    with hanging() as (url, waiting), running("check", url, *arguments, *REPORTS, cwd=tmp_path) as command:
        command.wait_for_line("PG001")
        assert waiting.wait(60)
        command.send_signal(number)
        done = command.end()
    assert done.code == code
    assert "Traceback" not in done.err
    assert re.search(r"^not tested    \d\d checks not tested: the run was stopped$", done.out, re.MULTILINE)
    assert re.search(r"^✗ \d\d checks: .*; the run was stopped$", done.out, re.MULTILINE)
    findings = json.loads((tmp_path / "r.json").read_text("utf-8"))["findings"]
    assert (findings[0]["id"], findings[0]["verdict"]) == ("PG001", "pass")
    assert findings[-1]["summary"] == "the run was stopped"
    junit = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert (junit.tests, junit.errors) == (len(findings) + 1, 1)  # that it was stopped is a case of its own
    assert "the run was stopped" in (tmp_path / "r.md").read_text("utf-8")
    assert json.loads((tmp_path / "r.sarif").read_text("utf-8"))["version"] == "2.1.0"


# ---------------------------------------------------------------- reports


def test_a_report_on_standard_output(flask: Consumer) -> None:
    """It has standard output to itself: a program reads it; people read the rest on standard error."""
    done = check(flask, "--only", "PG010", "--json", "-", "--seed", "7")
    assert (done.code, json.loads(done.out)["seed"]) == (0, 7)
    assert re.search(r"^pass +PG010 ", done.err, re.MULTILINE)
    assert SECRET not in done.out


# ---------------------------------------------------------------- the checks themselves


def test_the_list() -> None:
    """--list is a table of what would be made, in columns, and as JSON it has all about each; nothing else is asked."""
    done = mockserver("check", "--list")
    assert done.code == 0
    head, first, *rest = done.out.splitlines()
    assert head.split() == ["ID", "SEVERITY", "LEVEL", "NAME", "WHAT", "IT", "SENDS"]
    assert first.split()[:4] == ["PG001", "must", "0", "control"]
    view = json.loads(mockserver("check", "--list", "--json", "-").out)
    assert len(view) == len(rest) + 1
    assert all(each["why"] and each["good"] and each["fix"] and each["sends"] for each in view)


def test_the_list_of_some() -> None:
    """--only and --skip choose by id or name, several times or with commas; the control is always made."""
    chosen = ("--only", "wrong_secret, PG013", "--only", "pg014", "--skip", "tampered-body")
    lines = mockserver("check", "--list", *chosen).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["PG001", "PG012", "PG014"]
    only = "wrong_secret PG013,PG014"
    done = mockserver("check", MOCKSERVER_LIST="1", MOCKSERVER_ONLY=only, MOCKSERVER_SKIP="PG013")
    assert done.out.splitlines() == lines


def test_one_explained() -> None:
    """--explain says all about one check, by id or by name."""
    done = mockserver("check", "--explain", "PG012")
    assert done.code == 0
    assert done.out.startswith("PG012 wrong secret (must)\n\nsends:    ")
    assert all(f"\n{what}" in done.out for what in ("correct:", "why:", "fix:", "needs:    only the URL"))
    assert mockserver("check", "--explain", "wrong_secret") == done
    assert "needs:    --probe and --fail-once" in mockserver("check", "--explain", "PG081").out


# ---------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the URL of the consumer is missing: mockserver check http://localhost:3000/webhooks/playgent"),
        (["URL", "--target", "http://127.0.0.1:1/"], "two URLs are given, http://"),
        (["URL"], "--secret is missing: right events are signed with what the consumer verifies with"),
        (["localhost:3000", "--secret", "s"], "'localhost:3000' is not an http:// or https:// URL"),
        (["URL", "--secret", "s", "--event", "run.faild"], "unknown event 'run.faild'"),
        (["URL", "--secret", "s", "--only", "wrong_secrt"], "did you mean 'wrong_secret'?"),
        (["URL", "--secret", "s", "--skip", "PG999"], "no check 'PG999'; `mockserver check --list` shows them all"),
        (["URL", "--secret", "s", "--only", ","], "--only ',' names no check"),
        (["URL", "--secret", "s", "--only", "control", "--skip", "PG001"], "no check is left"),
        (["URL", "--secret", "s", "--only", "PG070"], "nothing of what was chosen can be tested: PG070"),
        (["URL", "--secret", "s", "--probe", "count"], "'count' is not an http:// or https:// URL"),
        (["URL", "--secret", "s", "--probe", "URL", "--probe-json", "$["], "'$[' is not a JSONPath such as $.count"),
        (["URL", "--secret", "s", "--probe-json", "$.count"], "--probe-json needs --probe"),
        (["URL", "--secret", "s", "--state-json", "$.latest"], "--state-json needs --state"),
        (["URL", "--secret", "s", "--probe", "URL", "--state", "URL"], "the URL of the state needs {id}"),
        (["URL", "--secret", "s", "--time-limit", "0"], "'0' is no duration: it must be more than 0"),
        (["URL", "--secret", "s", "--effect-within", "soon"], "'soon' is not a duration such as 250ms"),
        (["URL", "--secret", "s", "--seed", "-1"], "Invalid value for '--seed': -1 is not in the range"),
        (["URL", "--secret", "s", "--json", "r", "--sarif", "r"], "--json and --sarif cannot both go to r"),
        (["URL", "--secret", "s", "--ca-file", "no.pem"], "cannot use the CA file no.pem"),
        (["--explain", "wrong_secrt"], "no check 'wrong_secrt'"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Every wrong value has its message on standard error, exit code 2, and nothing is sent."""
    with recorder() as server:
        done = mockserver("check", *(server.url if each == "URL" else each for each in arguments), cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mockserver: ")
    assert message in done.err
    assert server.requests == []


def test_the_url_from_the_environment(flask: Consumer, closed_port: int) -> None:
    """MOCKSERVER_TARGET is the URL where the argument is not given, and gives way to it."""
    env: Any = {"MOCKSERVER_SECRET": SECRET, "MOCKSERVER_TARGET": flask.webhook_url, "MOCKSERVER_ONLY": "PG010"}
    assert mockserver("check", **env).code == 0
    nowhere = {**env, "MOCKSERVER_TARGET": f"http://127.0.0.1:{closed_port}/"}
    assert mockserver("check", flask.webhook_url, **nowhere).code == 0
    assert mockserver("check", **nowhere).code == 3


# ---------------------------------------------------------------- on a terminal


def test_a_live_table() -> None:
    """Each check turns to its verdict in colour, the one that is being made is marked, and the blocks follow."""
    with serve_flask(SECRET, "missing_signature_accepted") as consumer:
        terminal = Terminal("check", consumer.webhook_url, "--secret", SECRET, "--only", "PG010,PG012,PG052")
        terminal.read_until("... running")
        assert terminal.end() == 1
    last = terminal.plain[terminal.plain.rindex("pass          PG001") :]
    assert "of 4 checks made" in terminal.plain
    assert re.search(r"fail +PG010 +missing signature +must +run.completed without a signature", last)
    assert re.search(r"pass +PG012 +wrong secret +must +refused with 401", last)
    assert f"{GREEN}pass" in terminal.text
    assert f"{RED}fail" in terminal.text
    assert "FAIL PG010 missing signature (must)" in last
    assert "4 checks: 3 pass, 1 fail" in last
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0


@pytest.mark.parametrize(
    ("columns", "lines"),
    [("30", "3"), pytest.param("40", "10", marks=pytest.mark.full), pytest.param("300", "5", marks=pytest.mark.full)],
)
def test_terminals_of_any_size(flask: Consumer, columns: str, lines: str) -> None:
    """A terminal with little room shows what fits, and in the end every check all the same."""
    only = "PG010,PG011,PG012,PG013,PG014,PG015,PG016,PG017,PG018,PG020"
    terminal = Terminal("check", flask.webhook_url, "--secret", SECRET, "--only", only, COLUMNS=columns, LINES=lines)
    assert terminal.end() == 0
    last = terminal.plain[terminal.plain.rindex("PG001") :]
    assert [each for each in only.split(",") if each not in last] == []
    assert "11 checks: 11 pass" in last


def test_a_refused_control_on_a_terminal() -> None:
    """It is said above the table, where it stays."""
    with answering(lambda *_: (401, b"no")) as url:
        terminal = Terminal("check", url, "--secret", SECRET)
        assert terminal.end() == 1
    assert terminal.plain.count("THE CONTROL FAILED (") == 1
    assert re.search(r"inconclusive +\d\d checks inconclusive: ", terminal.plain)


def test_ctrl_c_gives_the_terminal_back() -> None:
    """After Ctrl-C the cursor is there again, and what is known so far below the table."""
    with hanging() as (url, waiting):
        events = ("--event", "run.completed", "--event", "run.failed")
        terminal = Terminal("check", url, "--secret", SECRET, *events)
        assert waiting.wait(60)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0
    assert "; the run was stopped" in terminal.plain


def test_no_one_listens_on_a_terminal(closed_port: int) -> None:
    """There is nothing to draw, and the cursor is there again."""
    terminal = Terminal("check", f"http://127.0.0.1:{closed_port}/hooks", "--secret", SECRET)
    assert terminal.end() == 3
    assert "could not be reached" in terminal.plain
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0


# ---------------------------------------------------------------- the proof


def test_more_deliveries_than_are_shown_are_counted() -> None:
    """One proves enough; -v shows them all, and an answer that is the same only once."""
    with answering(lambda body, _: (200 if body.startswith(b'{"event"') else 500, b"")) as url:
        brief, whole = (
            check(url, "--only", "PG043", *verbose).out.partition("FAIL PG043 ")[2].partition("\n\n")[0]
            for verbose in ((), ("-v",))
        )
    assert brief.count("\n  answer: 500 ") == 1
    assert brief.endswith("\n  ... and 3 more deliveries, which -v shows")
    assert whole.count("\n  answer: the same") == 3


def test_what_cannot_be_shown_is_not_reported_as_a_command() -> None:
    """A command that holds a line separator cannot be copied from a terminal as it is."""
    with answering(lambda body, _: (400 if "\u2028".encode() in body else 200, b"ok")) as url:
        done = check(url, "--only", "PG031", "-v")
    assert done.code == 1
    assert "\n  sent (no curl command: it holds characters that cannot be shown):\n    POST /hooks " in done.out
    assert "\u2028" not in done.out
    assert "\n  answer: 400 Bad Request\n    ok\n" in done.out


def block_of(*evidence: Delivery, why: str = "It matters.") -> str:
    """What is printed of a finding with this evidence."""
    shown = Check(id="PG001", name="x", severity="must", sends="An event.", good="2xx", why=why, fix="fix it")
    finding = Finding(shown, Judgement("fail", "what was seen", evidence))
    return "\n".join(finding_block(clean_finding(finding, Redactor([SECRET])), verbose=True))


def evidence(head: bytes = b"", exchange: Exchange | None = None) -> Delivery:
    """A delivery as it may be found in the evidence; without an exchange it was not attempted."""
    target = Target.parse("http://127.0.0.1:1/hooks")
    lines = b"POST /hooks HTTP/1.1\r\nHost: 127.0.0.1:1\r\n" + head + b"Content-Length: 0\r\n\r\n"
    request = Request(target, lines, b"")
    attempts = () if exchange is None else (Attempt(1, 0.0, request, exchange),)
    return Delivery(1, Event("run.failed", "", b"{}"), "check", "http://127.0.0.1:1/hooks", "PG001", attempts)


@each_row(
    ("exchange", "answer"),
    [
        (None, "  sent (no curl command: no request was made):"),
        (Exchange(Response(204, "No Content")), "  answer: 204 No Content"),
        (Exchange(Response(200, body=b"ok")), "  answer: 200\n    ok"),
        (Exchange(error=ExchangeError("closed", f"closed by {SECRET}")), "  answer: closed by ***"),
        (
            Exchange(Response(200, "OK", body=b"half"), ExchangeError("closed", "the connection ended")),
            "  answer: 200 OK\n    half\n  and then: the connection ended",
        ),
    ],
)
def test_what_came_back_is_shown(exchange: Exchange | None, answer: str) -> None:
    """As much of an answer as came, and why there is no more of it; nothing where nothing was attempted."""
    assert block_of(evidence(exchange=exchange)).endswith(f"\n{answer}")


def test_the_same_request_is_shown_once() -> None:
    """What is sent several times differs in its answers only."""
    ok, gone = (evidence(exchange=Exchange(Response(status))) for status in (200, 500))
    block = block_of(ok, gone)
    assert block.count("curl ") == 1
    assert block.endswith("\n  answer: 200\n  sent: the same once more\n  answer: 500")


def test_a_command_that_is_too_long_is_not_printed() -> None:
    """The beginning of each line is, with how much more there is."""
    block = block_of(evidence(b"X-Playgent-Signature: sha256=" + b"a" * 4100 + b"\r\n", Exchange(Response(500))))
    assert "curl " not in block.replace("no curl command", "")
    assert re.search(r"\n  sent \(no curl command: \S.* long\):\n    POST /hooks HTTP/1.1\n", block)
    assert re.search(r"\n    X-Playgent-Signature: sha256=a+ ?\.\.\. \(\d+ more characters\)\n", block)


@each_row(
    ("why", "shown"),
    [
        ("One. Two. Three.", "One. Two. Three."),
        (f"One. {'x' * 150}. {'y' * 60}.", f"One. {'x' * 150}."),
        ("x" * 300, "x" * 300),
    ],
)
def test_why_it_matters_is_reported_in_whole_sentences(why: str, shown: str) -> None:
    """As many as fit; --explain says all."""
    assert f"\n  why:  {shown}\n" in block_of(why=why)


@pytest.mark.parametrize("proved", [False, True])
def test_a_diagnosis_has_a_proof_where_there_is_one(proved: bool) -> None:
    """Some reasons are known without a wrong delivery."""
    deliveries = (evidence(exchange=Exchange(Response(200))),) if proved else ()
    block = list(diagnosis_block(Diagnosis("it answers 404", "see its routes", 0, deliveries), verbose=False))
    assert block[0] == "  why correct deliveries are refused: it answers 404; fix: see its routes"
    assert ("  this delivery is wrong, and was accepted:" in block) is proved
    assert (len(block) > 1) is proved


def test_findings_are_shown_by_github_and_answers_command_nothing(tmp_path: Path) -> None:
    """A failure is an annotation; a line of an answer that looks like one is not; the Markdown is in the summary."""
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n", "utf-8")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    with answering(lambda *_: (200, b"::error::evil\n##[error]evil")) as url:
        done = check(url, "--only", "PG010,PG061", "-v", "--markdown", "r.md", cwd=tmp_path, **env)
    assert summary.read_text("utf-8") == "# Before\n" + (tmp_path / "r.md").read_text("utf-8")
    lines = done.out.splitlines()
    assert [line for line in lines if re.match(r"::(error|warning) title=PG010 ", line)]
    assert not [line for line in lines if line.lstrip().startswith("::") and "title=PG0" not in line]
    assert "##[" not in done.out
