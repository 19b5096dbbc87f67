"""On a terminal: the live table, colour, and the cursor given back."""

import codecs
import contextlib
import os
import pty
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import LIMIT, SECRET, answer, recorder, start

GREEN, RED = "\x1b[32m", "\x1b[31m"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def url_in(text: str) -> str:
    found = re.search(r"http://[\d.:]+", text)
    assert found
    return found[0]


class Terminal:
    """A command on a terminal of its own, and everything that it wrote there."""

    def __init__(self, *arguments: str, stdin: int | None = None, **env: str) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a reading may end within a character
        self._master, slave = pty.openpty()
        settings = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40", **env}
        self.process = start(*arguments, streams=(slave if stdin is None else stdin, slave, slave), env=settings)
        os.close(slave)
        self._watchdog = threading.Timer(LIMIT, self.process.kill)
        self._watchdog.start()

    def read_until(self, part: str) -> None:
        while part not in self.text and self._read():
            pass
        assert part in self.text

    def write(self, data: bytes) -> None:
        os.write(self._master, data)

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._master)
        code = self.process.wait()
        self._watchdog.cancel()
        self._watchdog.join()
        return code

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed: Linux says so with an error
            return False
        self.text += self._decoder.decode(data)
        return bool(data)

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)


def test_a_live_table() -> None:
    """A replay shows a table of deliveries with a heading, in colour, and gives the cursor back."""
    with recorder() as server:
        terminal = Terminal("replay", "refund_flow", *server.target, "--speed=max")
        assert terminal.end() == 0
    assert re.search(r"time +event +status +ms +target", terminal.plain)
    for event in ("run.failed", "evaluation.completed", "run.completed"):
        assert re.search(rf"✓ +10:00:0\d +{re.escape(event)} +200 +\d+\.\d +{re.escape(server.url)}", terminal.plain)
    assert GREEN in terminal.text
    assert "3 planned = 3 delivered + 0 failed + 0 not sent" in terminal.plain
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0


def test_a_long_replay_has_a_progress_bar() -> None:
    """Of many events the last ones are shown, and how far the replay has come."""
    terminal = Terminal("replay", "burst", "--speed=max")
    assert terminal.end() == 0
    assert "202/202" in terminal.plain
    assert "202 signatures verified, 0 refused" in terminal.plain


def test_failures_are_red(closed_port: int) -> None:
    """A failed delivery is red, and explained below the table."""
    target = f"http://127.0.0.1:{closed_port}/"
    terminal = Terminal("replay", "run_failed", "--target", target, "--secret", SECRET)
    assert terminal.end() == 3
    assert f"{RED}connect" in terminal.text
    assert "mockserver: the target could not be reached: nothing listens on" in terminal.plain


def test_ctrl_c_gives_the_terminal_back(tmp_path: Path) -> None:
    """After Ctrl-C the cursor is there again, and the summary below the table."""
    (tmp_path / "s.yaml").write_text("version: 1\nsteps: [event: run.failed, pause: 1h, event: run.failed]\n", "utf-8")
    with recorder() as server:
        terminal = Terminal("replay", str(tmp_path / "s.yaml"), *server.target)
        terminal.read_until(server.url)  # the row of the first delivery
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0
    assert "2 planned = 1 delivered + 0 failed + 1 not sent" in terminal.plain


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour(env: dict[str, Any]) -> None:
    """With NO_COLOR, or on a terminal that has no colour, plain lines are printed."""
    with recorder() as server:
        check = ("check", server.url, "--secret", SECRET, "--only", "control")
        for command, line in (("replay", "run_failed"), "1 signature verified, 0"), (check, "(?m)^pass +PG001 "):
            terminal = Terminal(*command, **env)
            assert terminal.end() == 0
            assert "\x1b" not in terminal.text
            assert re.search(line, terminal.text)


def test_send_and_receive_are_coloured() -> None:
    """The lines of the other commands have colour on a terminal."""
    receiver = Terminal("receive", "--port", "0", "--secret", SECRET)
    receiver.read_until("others 401)")
    url = url_in(receiver.text)
    for secret, code, colour in ((SECRET, 0, GREEN), ("wrong", 1, RED)):
        sender = Terminal("send", "run.failed", "--target", url, "--secret", secret)
        assert sender.end() == code
        assert colour in sender.text
    receiver.process.terminate()
    assert receiver.end() == 143
    assert f"{GREEN}verified" in receiver.text
    assert f"{RED}REFUSED" in receiver.text


def test_serve_is_coloured() -> None:
    """The lines of serve have colour on a terminal."""
    terminal = Terminal("serve", "--port=0", "--script", "run_failed", "--target=http://127.0.0.1:1/", "--secret=s")
    terminal.read_until("1 planned")
    url = url_in(terminal.text)
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/v1/webhooks", timeout=60)
    terminal.read_until("GET /v1/webhooks")
    terminal.process.terminate()
    assert terminal.end() == 143
    assert f"GET /v1/webhooks  {RED}401" in terminal.text


def test_ctrl_c_before_anything_runs() -> None:
    """Ctrl-C where no event loop runs ends the command as well, without a word."""
    terminal = Terminal("sign", "--secret", SECRET)
    terminal.read_until("end it with Ctrl-D\r\n")
    before = terminal.text
    # Pressed again, as people do: Python loses a signal that comes in the moment before a read begins.
    for _ in range(20):
        terminal.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            terminal.process.wait(3)
            break
    assert terminal.end() == 130
    assert terminal.text == before


def test_a_body_is_asked_for() -> None:
    """At a terminal, `mockserver sign` says what it waits for."""
    terminal = Terminal("sign", "--secret", SECRET)
    terminal.read_until("mockserver: reading the body from standard input; end it with Ctrl-D")
    terminal.write(b"abc\n\x04")
    assert terminal.end() == 0
    assert "sha256=" in terminal.text


def test_a_long_wait_is_reported_above_the_table() -> None:
    """The line that says what is waited for stays, and the table goes on below it."""
    refusal = answer("503 Service Unavailable")
    with recorder(refusal) as server:
        terminal = Terminal("replay", "run_failed", *server.target, "--retry", "0s,2h")
        terminal.read_until("next attempt of dlv_000001 in 2h (at ")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
    assert re.search(r"next attempt of dlv_000001 in 2h \(at 12:00:0\d\)\r\n", terminal.plain)
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) > 0
