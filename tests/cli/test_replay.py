"""``mockserver replay``: where events go, what is printed, and how it ends."""

import asyncio
import json
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.pytest_plugin import AiohttpServer

from tests.cli.program import OK, SECRET, answer, mockserver, mockserver_process, recorder, running
from tests.consumers.serve import serve_flask

REFUSAL = answer("500 Internal Server Error")
REFUND_FLOW = ["run.failed", "evaluation.completed", "run.completed"]

TWO_EVENTS = """\
version: 1
name: Two events
start: 2024-12-16T10:00:00Z
steps:
  - event: run.failed
  - event: order.shipped
    after: 1h
    data: {order: 7}
extra_events: [order.shipped]
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "two.yaml").write_text(TWO_EVENTS, "utf-8")
    return tmp_path


def test_a_flask_application_accepts_every_event() -> None:
    """An application that verifies signatures as the vendor documents it accepts a whole bundled script."""
    with serve_flask(SECRET, None) as consumer:
        target = ("--target", consumer.webhook_url, "--secret", SECRET, "--wait-for-target", "20s")
        done = mockserver("replay", "refund_flow", *target, "--speed=max")
        handled = consumer.events()
    assert done.code == 0
    assert done.err == ""
    assert [each["event"] for each in handled["events"]] == REFUND_FLOW
    assert handled["refused"] == 0
    waiting, *lines, summary, verdict = done.out.splitlines()
    assert waiting == "waiting up to 20s for the target to accept connections"
    assert verdict == "✓ as expected"
    assert [line.split()[1:4] for line in lines] == [
        ["10:00:00", "run.failed", "200"],
        ["10:00:00", "evaluation.completed", "200"],
        ["10:00:01", "run.completed", "200"],
    ]
    assert all(line.endswith(f" ms  {consumer.webhook_url}") for line in lines)
    assert summary == "Refund flow fails on its second turn: 3 planned = 3 delivered + 0 failed + 0 not sent"


def test_a_wrong_secret_fails() -> None:
    """An application that verifies with another secret refuses; the exit code is 1 and each refusal is explained."""
    with serve_flask("another", None) as consumer:
        done = mockserver("replay", "refund_flow", "--target", consumer.webhook_url, "--secret", SECRET, "--speed=max")
        assert consumer.events()["refused"] == 3
    assert done.code == 1
    assert "3 planned = 0 delivered + 3 failed + 0 not sent" in done.out
    assert done.err.count("\n") == 3
    assert done.err.startswith("refund_flow.yaml:7: step 1 (run.failed): expected status 2xx, got 401 (dlv_000001 ")
    assert "401" in done.err


def test_the_webhook_of_the_script(script: Path, closed_port: int) -> None:
    """Without a target the events go to the script's own webhook, signed with its secret or with the one given."""
    with serve_flask("of the script", None) as consumer:
        own = TWO_EVENTS + f"webhook: {{url: {consumer.webhook_url}, secret: of the script}}\n"
        (script / "own.yaml").write_text(own, "utf-8")
        assert mockserver("replay", "own.yaml", "--speed=max", cwd=script).code == 0
        assert consumer.events()["count"] == 2 - 1  # the consumer does not know order.shipped
        assert mockserver("replay", "own.yaml", "--speed=max", "--secret=other", cwd=script).code == 1
        target = f"http://127.0.0.1:{closed_port}/"
        assert mockserver("replay", "own.yaml", "--speed=max", "--target", target, cwd=script).code == 3


def test_nothing_is_sent_if_one_script_is_invalid(script: Path) -> None:
    """All scripts are checked first: every problem of each is reported with its place, and nothing is sent."""
    (script / "bad.yaml").write_text("version: 1\nsteps:\n  - event: run.faild\n  - evnt: x\n", "utf-8")
    (script / "worse.yaml").write_text("version: 2\nsteps: []\n", "utf-8")
    with recorder() as server:
        done = mockserver("replay", "two.yaml", "bad.yaml", "missing.yaml", "worse.yaml", *server.target, cwd=script)
    assert done.code == 2
    assert done.out == ""
    assert server.requests == []
    assert "bad.yaml:3:12: unknown event 'run.faild'" in done.err
    assert "did you mean 'run.failed'?" in done.err
    assert "bad.yaml:4:5: " in done.err
    assert "mockserver: no script 'missing.yaml'" in done.err
    assert "worse.yaml:1:10: " in done.err
    assert done.err.splitlines()[-1] == "mockserver: 4 problems found: nothing was sent"


def test_a_script_that_sends_nothing_is_no_success(tmp_path: Path) -> None:
    """A replay without an event would be green, and would have tested nothing."""
    (tmp_path / "s.yaml").write_text("version: 1\nsteps: [pause: 1s]\n", "utf-8")
    done = mockserver("replay", "s.yaml", "--speed=max", cwd=tmp_path)
    assert (done.code, done.err) == (2, "mockserver: s.yaml: no step sends an event, so nothing is tested\n")


def test_an_await_step_finds_the_target_registered(script: Path) -> None:
    """A script that waits for a registration goes on at once: the target is registered for all its events."""
    steps = "steps:\n  - {await: registration, events: [run.failed, order.shipped], within: 5s}\n"
    (script / "awaits.yaml").write_text(TWO_EVENTS.replace("steps:\n", steps), "utf-8")
    done = mockserver("replay", "awaits.yaml", "--speed=max", cwd=script)
    assert done.code == 0
    assert "2 planned = 2 delivered" in done.out


def test_json_report(script: Path) -> None:
    """--json - prints the report and the deliveries, and nothing else, on standard output; secrets are not in it."""
    with recorder() as server:
        done = mockserver("replay", "two.yaml", *server.target, "--speed=max", "--json", "-", cwd=script)
    report = json.loads(done.out)
    assert (report["planned"], report["delivered"], report["failed"], report["not_sent"]) == (2, 2, 0, 0)
    assert report["ok"] is True
    assert report["script"] == "two.yaml"
    assert [delivery["event"] for delivery in report["deliveries"]] == ["run.failed", "order.shipped"]
    body = report["deliveries"][0]["attempts"][0]["request"]["body"]
    assert server.requests[0].endswith(body.encode())
    assert "Two events: 2 planned" in done.err
    assert SECRET not in done.out + done.err


def test_waiting_for_the_target_in_vain(script: Path, closed_port: int) -> None:
    """A target that accepts no connection in time is exit code 3; nothing was sent, and the report says why."""
    url = f"http://127.0.0.1:{closed_port}/"
    arguments = ("--target", url, "--secret", SECRET, "--wait-for-target", "150ms", "--json", "r.json")
    done = mockserver("replay", "two.yaml", *arguments, cwd=script)
    assert done.code == 3
    assert "accepted no connection within 150ms (nothing listens there)" in done.err
    assert done.err.count("\n") == 1
    report = json.loads((script / "r.json").read_text("utf-8"))
    assert report["not_sent"] == 2
    assert "accepted no connection" in next(iter(report["reasons"]))


def test_a_public_target_is_not_even_connected_to(script: Path) -> None:
    """Test events do not leave; the address guard holds for the waiting as well, and waits for nothing."""
    for waiting in ((), ("--wait-for-target", "1h")):
        arguments = ("--target", "http://192.88.99.1/", "--secret", SECRET, "--speed=max", *waiting)
        done = mockserver("replay", "two.yaml", *arguments, cwd=script)
        assert done.code == 3
        assert "allow it with --allow-host 192.88.99.1" in done.err


async def test_https_with_a_private_ca(script: Path, aiohttp_server: AiohttpServer) -> None:
    """--ca-file makes an https target trusted whose certificate is from a CA of one's own; else it is not."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(script / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def accept(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/", accept)
    server = await aiohttp_server(app, ssl=context)
    arguments = ("replay", "two.yaml", "--target", f"https://127.0.0.1:{server.port}/", "--secret", "s", "--speed=max")
    trusted = await asyncio.to_thread(mockserver_process, *arguments, "--ca-file", "ca.pem", cwd=script)
    assert trusted.code == 0
    untrusted = await asyncio.to_thread(mockserver_process, *arguments, cwd=script)
    assert untrusted.code == 3
    assert "is not trusted" in untrusted.err


def test_a_long_list_of_failures_is_cut(script: Path) -> None:
    """Only the first failures are explained; the rest is counted."""
    steps = "\n".join(f"  - event: run.failed\n    override: {{run_id: run_{number}}}" for number in range(50))
    (script / "many.yaml").write_text(f"version: 1\nsteps:\n{steps}\n", "utf-8")
    with recorder(REFUSAL) as server:
        done = mockserver("replay", "many.yaml", *server.target, "--speed=max", cwd=script)
    assert done.code == 1
    assert done.err.count("\n") == 41
    assert done.err.endswith("... and 10 more; --json FILE writes them all\n")


def test_hostile_text_does_not_command_the_terminal(script: Path) -> None:
    """Control characters in names are spelled out."""
    (script / "evil.yaml").write_text('version: 1\nname: "a\\e[2Jb"\nsteps: [event: run.failed]\n', "utf-8")
    done = mockserver("replay", "evil.yaml", "--speed=max", cwd=script)
    assert "a\\x1b[2Jb: 1 planned" in done.out


def test_spaced_json(script: Path) -> None:
    """--json-style spaced puts a space after each colon and comma of the payload."""
    with recorder() as server:
        mockserver("replay", "two.yaml", *server.target, "--speed=max", "--json-style", "spaced", cwd=script)
    assert b'{"event": "run.failed", "timestamp": "2024-12-16T10:00:00Z", ' in server.requests[0]


def test_a_failure_that_is_expected_is_marked_as_such(script: Path) -> None:
    """Also where nothing is deliberately wrong: the step wants to see a 500."""
    step = "steps:\n  - {event: run.failed, expect: {status: 500}}\n"
    (script / "broken.yaml").write_text(f"version: 1\n{step}", "utf-8")
    with recorder(answer("500 Broken")) as server:
        done = mockserver("replay", "broken.yaml", *server.target, cwd=script)
    assert done.code == 0
    assert done.out.startswith("✓ ")
    assert done.out.endswith("✓ as expected (the 1 that failed was meant to)\n")


def test_expectations_decide(script: Path) -> None:
    """A consumer that refuses what is deliberately wrong meets what is expected of it: exit code 0."""
    step = "steps:\n  - {event: run.failed, fault: wrong_secret, expect: {status: [401]}}\n"
    (script / "wrong.yaml").write_text(f"version: 1\nname: Wrong\n{step}", "utf-8")
    done = mockserver("replay", "wrong.yaml", cwd=script)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\n0 signatures verified, 1 refused\n✓ as expected (the 1 that failed was meant to)\n")
    (script / "wrong.yaml").write_text(f"version: 1\nname: Wrong\n{step.replace('[401]', '[200]')}", "utf-8")
    done = mockserver("replay", "wrong.yaml", "wrong.yaml", cwd=script)
    assert done.code == 1
    assert "2 scripts: 2 planned = 0 delivered + 2 failed + 0 not sent; 2 expectations not met" in done.out
    assert "wrong.yaml:4: step 1 (run.failed [wrong_secret]): " in done.err


# --- waits between attempts


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--retry", "0s,1h"], "next attempt of dlv_000001 in 1h (at 11:00:00)"),
        (["--retry", "0s,5m", "--speed", "20"], "next attempt of dlv_000001 in 15s (at 10:05:00)"),
        (["--retry", "0s,90s", "--speed", "0.5"], "next attempt of dlv_000001 in 3m (at 10:01:30)"),
    ],
)
def test_a_long_wait_for_the_next_attempt_is_reported(script: Path, options: list[str], line: str) -> None:
    """While nothing happens for long, a line says what is waited for: how long really, and until when by the script."""
    with recorder(REFUSAL) as server, running("replay", "two.yaml", *server.target, *options, cwd=script) as command:
        # Its seconds follow from how long the answer took.
        assert command.wait_for_line("next attempt")[:-3] == line[:-3]
        command.process.terminate()
        assert command.end().code == 143


@pytest.mark.parametrize(
    "options", [["--retry", "0s,1h", "--speed=max"], ["--retry", "0s,1m", "--speed", "1000"], ["--retry", "0s,1ms"]]
)
def test_a_wait_that_is_over_at_once_is_not_reported(tmp_path: Path, options: list[str]) -> None:
    """No line for what no one notices."""
    (tmp_path / "one.yaml").write_text("version: 1\nsteps: [event: run.failed]\n", "utf-8")
    with recorder(REFUSAL, OK) as server:
        done = mockserver("replay", "one.yaml", *server.target, *options, cwd=tmp_path)
        assert len(server.requests) == 2
    assert done.code == 0
    assert "next attempt" not in done.out


def test_waiting_for_a_health_check() -> None:
    """--wait-for polls a URL until it answers 2xx; in vain, nothing is sent and the exit code is 3."""
    no = answer("503 No")
    with recorder(no, no, OK) as health, recorder() as server:
        done = mockserver("replay", "run_failed", *server.target, "--wait-for", health.url)
        assert (done.code, len(health.requests), len(server.requests)) == (0, 3, 1)
        assert done.out.startswith(f"waiting up to 30s for {health.url} to answer with 2xx\n")
    with recorder(no) as health, recorder() as server:
        waiting = ("--wait-for", health.url, "--wait-for-target", "300ms")
        done = mockserver("replay", "run_failed", *server.target, *waiting)
        assert (done.code, server.requests) == (3, [])
        assert f"{health.url} did not answer with 2xx within 300ms (it answered 503)" in done.err
