"""Ctrl-C, SIGTERM and a reader that leaves: a command ends at once, and accounts for everything."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.program import ROOT, SECRET, recorder, running

PAUSES = """\
version: 1
name: Pauses
steps:
  - event: run.failed
  - pause: 1h
  - event: run.completed
    repeat: 3
"""


def test_in_the_middle_of_a_delivery(tmp_path: Path) -> None:
    """A delivery that waits for its answer is interrupted: what became of it is unknown, and nothing is blamed."""
    (tmp_path / "s.yaml").write_text(PAUSES, "utf-8")
    with (
        recorder(None) as server,
        running("replay", "s.yaml", *server.target, "--timeout", "1h", cwd=tmp_path) as command,
    ):
        assert server.came.wait(60)
        command.send_signal(signal.SIGINT)
        done = command.end()
    assert done.code == 130
    assert "4 planned = 0 delivered + 0 failed + 3 not sent + 1 interrupted (outcome unknown)\n" in done.out
    assert "step 1 (run.failed): 1 interrupted, outcome unknown\n" in done.err


def test_a_second_time(tmp_path: Path) -> None:
    """Pressing Ctrl-C again and again does nothing worse."""
    (tmp_path / "s.yaml").write_text(PAUSES, "utf-8")
    with running("replay", "s.yaml", cwd=tmp_path) as command:
        command.wait_for_line("run.failed")
        for _ in range(50):
            command.send_signal(signal.SIGINT)
        done = command.end()
    assert done.code == 130
    assert "4 planned = 1 delivered + 0 failed + 3 not sent" in done.out
    assert "Traceback" not in done.err


def test_while_waiting_for_the_target(closed_port: int) -> None:
    """Waiting for a target can be stopped as well; nothing was sent."""
    target = f"http://127.0.0.1:{closed_port}/"
    with running("replay", "run_failed", "--target", target, "--secret", SECRET, "--wait-for-target", "1h") as command:
        command.wait_for_line("waiting up to 1h for the target to accept connections")
        command.send_signal(signal.SIGINT)
        done = command.end()
    assert done.code == 130
    assert "1 planned = 0 delivered + 0 failed + 1 not sent" in done.out
    assert done.err.endswith("1 not sent: the replay was stopped\n")


@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        (("serve", "--port", "0"), signal.SIGTERM, 143),
        (("receive", "--port", "0", "--secret", SECRET), signal.SIGINT, 130),
    ],
)
def test_servers(arguments: tuple[str, ...], number: signal.Signals, code: int) -> None:
    """A server stops at once and says nothing more than it must."""
    with running(*arguments) as command:
        command.wait_for_line("http://127.0.0.1:")
        command.send_signal(number)
        done = command.end()
    assert (done.code, done.err) == (code, "")


def test_sending_one_event() -> None:
    """`send` can be stopped while the consumer does not answer."""
    with recorder(None) as server, running("send", "run.failed", *server.target) as command:
        assert server.came.wait(60)
        command.send_signal(signal.SIGINT)
        done = command.end()
    assert done.code == 130
    assert "interrupted while waiting for the answer: outcome unknown" in done.out
    assert "Traceback" not in done.err


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`| head` ends a replay quietly: it stops, and the report accounts for every event."""
    script = "version: 1\nsteps:\n" + "  - event: run.failed\n  - pause: 100ms\n" * 200
    (tmp_path / "s.yaml").write_text(script, "utf-8")
    with running("replay", "s.yaml", "--verbose", "--json", "r.json", cwd=tmp_path) as command:
        command.wait_for_line("run.failed")
        command.read_no_more()
        done = command.end()
    assert done.code == 141
    assert "Traceback" not in done.err
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert report["planned"] == 200 == report["delivered"] + report["failed"] + report["not_sent"]
    assert report["not_sent"] > 0


def test_a_name_lookup_that_hangs(tmp_path: Path) -> None:
    """Nothing can cut a name lookup short, and yet a stopped replay ends: it does not wait for it."""
    hanging = "sys.modules['uvloop'] = None\nsocket.getaddrinfo = lambda *a, **k: time.sleep(3600)\n"
    (tmp_path / "sitecustomize.py").write_text(f"import socket, sys, time\n{hanging}", "utf-8")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    arguments = ("replay", "run_failed", "--target", "http://slow.test/", "--secret", SECRET, "--wait-for-target", "1h")
    with running(*arguments, PYTHONPATH=path) as command:
        command.wait_for_line("waiting up to 1h")
        command.send_signal(signal.SIGINT)
        done = command.end()
    assert done.code == 130
    assert "1 planned = 0 delivered + 0 failed + 1 not sent" in done.out
