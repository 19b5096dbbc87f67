"""``--dry-run``: curl commands that deliver the very bytes that the sender would."""

import os
import subprocess
from pathlib import Path

import pytest

from mockserver.faults.registry import FAULTS
from mockserver.faults.request_builder import build_request
from mockserver.model.messages import Request
from mockserver.model.records import Event
from mockserver.model.targets import Target
from mockserver.reports.evidence import curl_command
from tests.cli.program import SECRET, mockserver, recorder

SCRIPT = """\
version: 1
start: 2024-12-16T10:00:00Z
seed: 5
extra_events: [note.written]
steps:
  - event: run.failed
    repeat: 2
    every: 1h
    override: {run_id: "{{ new_id('run') }}", failure_summary: "It's \\"$HOME\\" `id` \\\\ \\n €🚀 {{ index }}"}
  - together:
      - event: run.completed
  - event: note.written
    data: {text: "@file %s !! ; # '' *", number: 1.5}
"""


def shell(commands: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    """Run commands in sh, in the environment of someone whose own settings would change what curl sends."""
    (home / ".curlrc").write_text('header = "X-Own: 1"\nuser-agent = "own"\n', "utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "http_proxy": "http://127.0.0.1:1/"}
    return subprocess.run(["sh"], input=commands.encode(), capture_output=True, check=False, env=env)


def request_of(body: bytes, url: str, user_agent: str) -> Request:
    """The request that the sender makes for a body."""
    event = Event("run.failed", "2024-12-16T10:00:00Z", body)
    return build_request(event, Target.parse(url), SECRET, (("User-Agent", user_agent),))


@pytest.mark.full
@pytest.mark.parametrize("style", ["compact", "spaced"])
def test_pasted_into_a_shell_it_sends_the_same_bytes(tmp_path: Path, style: str) -> None:
    """The bytes that curl sends are those that a replay of the same script sends, whatever is in the data."""
    (tmp_path / "s.yaml").write_text(SCRIPT, "utf-8")
    with recorder() as server:
        target = f"{server.url}/a%20b?x=1&y='2'"
        arguments = ("s.yaml", "--target", target, "--secret", SECRET, "--json-style", style)
        assert mockserver("replay", *arguments, "--speed=max", cwd=tmp_path).code == 0
        sent, server.requests = server.requests, []
        dry = mockserver("replay", *arguments, "--dry-run", cwd=tmp_path)
        assert dry.code == 0
        assert server.requests == []
        done = shell(dry.out, tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
    assert server.requests == sent
    assert len(sent) == 4


def test_each_command_follows_a_comment(tmp_path: Path) -> None:
    """Before each command a comment says when it would be sent, and by which step."""
    (tmp_path / "s.yaml").write_text(SCRIPT, "utf-8")
    done = mockserver(
        "replay", "s.yaml", "--target", "http://127.0.0.1:1/", "--secret", SECRET, "--dry-run", cwd=tmp_path
    )
    comments = [line for line in done.out.splitlines() if line.startswith("#")]
    assert comments == [
        "# 10:00:00  run.failed  step 1 of s.yaml:6",
        "# 11:00:00  run.failed  step 1 of s.yaml:6",
        "# 11:00:00  run.completed  step 2.1 of s.yaml:11",
        "# 11:00:00  note.written  step 3 of s.yaml:12",
    ]
    assert SECRET not in done.out + done.err


def test_without_a_target_the_commands_fit_the_receiver() -> None:
    """With no target anywhere, the commands go to where `mockserver receive` listens, and a note says so."""
    done = mockserver("replay", "run_failed", "--dry-run")
    assert done.code == 0
    assert done.out.rstrip().endswith(" http://127.0.0.1:8485/webhooks/playgent")
    assert "`mockserver receive --secret whsec_dry_run` takes them" in done.err


def test_a_template_that_fails_is_reported(tmp_path: Path) -> None:
    """An event that cannot be made is reported with its reason, and the exit code is 1."""
    step = 'steps:\n  - {event: run.failed, repeat: 2, override: {run_id: "{{ 1 // (1 - index) }}"}}\n'
    (tmp_path / "s.yaml").write_text(f"version: 1\n{step}", "utf-8")
    done = mockserver("replay", "s.yaml", "--dry-run", cwd=tmp_path)
    assert done.code == 1
    assert done.out.count("curl ") == 1
    assert "mockserver: 1 not printed: " in done.err


@pytest.mark.full
def test_send_dry_run(tmp_path: Path) -> None:
    """`send --dry-run` prints one command; run by a shell, it delivers an event that verifies."""
    with recorder() as server:
        done = mockserver("send", "run.failed", *server.target, "--dry-run")
        assert done.code == 0
        assert server.requests == []
        assert shell(done.out, tmp_path).stdout == b"ok"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert server.requests[0] == request_of(body, server.url, "playgent-mockserver").wire
    assert b"X-Own" not in head


@pytest.mark.full
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/a[1]{b}", b"{}"),
        ("/x/../y/./z", b"{}"),
        ("/~u/%7e?q=%2F&r=[]", b"{}"),
        ("", b'{"text":"' + b"x%s'" * 80_000 + b'"}'),  # more than a system allows in one argument
    ],
    ids=["brackets", "dots", "query", "long body"],
)
def test_curl_changes_nothing(tmp_path: Path, path: str, body: bytes) -> None:
    """Brackets, braces and dots in a URL reach the server as they are, and a body of any length."""
    with recorder() as server:
        request = request_of(body, server.url + path, "it's me")
        done = shell(curl_command(request), tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
    assert server.requests == [request.wire]


UNTELLABLE = {"empty_signature", "non_ascii_signature"}


def script_of(faults: list[str]) -> str:
    steps = "".join(f"  - {{event: run.failed, fault: {name}}}\n" for name in faults)
    return f"version: 1\nstart: 2024-12-16T10:00:00Z\nsteps:\n{steps}"


@pytest.mark.full
def test_defective_requests_are_reported_byte_for_byte(tmp_path: Path) -> None:
    """Requests with faults are printed as they are; one with a header that curl cannot send is a comment instead."""
    faults = [name for name, fault in FAULTS.items() if fault.layer in {"signature", "body"}]
    (tmp_path / "s.yaml").write_text(script_of(faults), "utf-8")
    with recorder() as server:
        arguments = ("s.yaml", *server.target, "--speed=max")
        mockserver("replay", *arguments, cwd=tmp_path)
        sent, server.requests = dict(zip(faults, server.requests, strict=True)), []
        dry = mockserver("replay", *arguments, "--dry-run", cwd=tmp_path)
        assert dry.code == 0
        assert shell(dry.out, tmp_path).stderr == b""
    told = [request for name, request in sent.items() if name not in UNTELLABLE]
    assert server.requests == told
    for name in UNTELLABLE:
        assert f"# curl cannot send a header that is empty or not ASCII: {name}\n" in dry.out


def test_what_curl_cannot_do_is_a_comment(tmp_path: Path) -> None:
    """A request that is written in pieces, or with headers in curl's own keeping, is a comment."""
    (tmp_path / "s.yaml").write_text(script_of(["slow_body", "lowercase_headers", "lost"]), "utf-8")
    done = mockserver("replay", "s.yaml", "--dry-run", cwd=tmp_path)
    assert done.code == 0
    assert "# curl cannot write a request in pieces, or break it off: slow_body\n" in done.out
    assert "# curl writes Host and Content-Length in its own way: lowercase_headers\n" in done.out
    assert "\ncurl" not in done.out


def test_private_headers_are_hidden() -> None:
    """A key for a gateway is in no output, nor in what Python shows of a request."""
    header = ("--header", "X-Gateway: key-private")
    done = mockserver("send", "run.failed", "--target", "http://127.0.0.1:9/", "--secret", SECRET, "--dry-run", *header)
    assert "-H 'X-Gateway: ***'" in done.out
    assert "private" not in done.out
    request = build_request(
        Event("run.failed", "", b"{}"), Target("http", "h", 80, "/hooks"), SECRET, (("X-Gateway", "key-private"),)
    )
    assert "private" not in repr(request)
    assert "POST /hooks" in repr(request)
