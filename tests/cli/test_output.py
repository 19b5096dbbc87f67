"""Output that is not read, files that cannot be written, and what a run leaves behind that was cut off."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from mockserver.cli.output import MOST_WAITING, Printer, Writer
from tests.cli.program import COMMAND, ROOT, environment, mockserver, recorder, running

ENDLESS = "version: 1\nsteps:\n  - {event: run.failed, repeat: 10000}\n"
SLOW = "version: 1\nsteps:\n  - event: run.failed\n  - pause: 1h\n  - event: run.completed\n"


def test_a_server_whose_output_is_not_read_goes_on(tmp_path: Path) -> None:
    """With the pipe of its output full, the server still answers, delivers, and ends at once on SIGTERM."""
    (tmp_path / "s.yaml").write_text(ENDLESS, "utf-8")
    with recorder() as consumer:
        target = (*consumer.target, "--script", "s.yaml", "--speed=max")
        with running("serve", "--port", "0", *target, cwd=tmp_path) as command:
            url = command.wait_for_line("is ready").split()[3]
            deadline = time.monotonic() + 100
            while len(consumer.requests) < 1000 and time.monotonic() < deadline:  # the pipe holds some 600 lines
                time.sleep(0.05)
            assert len(consumer.requests) >= 1000
            assert urlopen(f"{url}/_mock/health", timeout=60).status == 200
            command.send_signal(signal.SIGTERM)
            assert command.process.wait(timeout=300) == 143


async def test_lines_that_find_no_room_are_counted() -> None:
    """What is not read in time is left out, a report is not, and the reader learns how many lines are missing."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream, os.fdopen(read, "rb") as reader:
        writer = Writer(lambda error: pytest.fail(str(error)))
        printer = Printer(stream, writer)
        line = "x" * 999
        for _ in range(3 * MOST_WAITING // 1000):
            printer.line(line)
        printer.document("the report\n")
        text = b""
        while b"left out" not in text or b"the report" not in text:
            text += await asyncio.to_thread(os.read, reader.fileno(), 1 << 20)
        (thread,) = (each for each in threading.enumerate() if each.name == "mockserver-output")
        writer.close()
        await asyncio.to_thread(thread.join, 60)
        assert not thread.is_alive()
    lines = text.decode().splitlines()
    assert "the report" in lines
    (note,) = (each for each in lines if each.startswith("... "))
    assert note == f"... {3 * MOST_WAITING // 1000 - lines.count(line)} lines left out: the output was not read in time"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_report_of_an_earlier_run_is_not_taken_for_this_one(tmp_path: Path, number: signal.Signals) -> None:
    """A run that is killed leaves no report at all; one that was hung up, its own."""
    (tmp_path / "s.yaml").write_text(SLOW, "utf-8")
    report = tmp_path / "reports" / "r.json"
    with recorder() as server:
        target = (*server.target, "--json", "reports/r.json")
        assert mockserver("replay", "run_failed", *target, cwd=tmp_path).code == 0
        assert json.loads(report.read_text("utf-8"))["ok"] is True
        with running("replay", "s.yaml", *target, cwd=tmp_path) as command:
            command.wait_for_line("run.failed")
            assert not report.exists()
            command.send_signal(number)
            done = command.end()
    if number == signal.SIGKILL:
        assert list(report.parent.iterdir()) == []
    else:
        assert done.code == 129
        assert json.loads(report.read_text("utf-8"))["not_sent"] == 1


def test_a_full_disk_leaves_no_half_of_a_report(tmp_path: Path) -> None:
    """The exit code says that a report could not be written, and nothing of it is there."""
    limit = (resource.RLIMIT_FSIZE, (1024, 1024))
    # Neither measured by coverage nor compiled for others, whose files would be cut off as well.
    alone = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [*COMMAND, "replay", "refund_flow", "--speed=max", "--json", "r.json"], cwd=tmp_path,
        env={**alone, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, check=False, timeout=300, preexec_fn=lambda: resource.setrlimit(*limit),
    )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr.decode().endswith("mockserver: cannot write r.json: File too large\n")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_kept_and_a_device_is_written_to(tmp_path: Path) -> None:
    """A report goes to where a link leads; what is no file is not replaced by one."""
    (tmp_path / "real.json").write_text("old", "utf-8")
    (tmp_path / "link.json").symlink_to("real.json")
    arguments = ("replay", "run_failed", "--speed=max", "--json", "link.json", "--junit", "/dev/null")
    assert mockserver(*arguments, cwd=tmp_path).code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text("utf-8"))["ok"] is True
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_while_it_starts(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Before a command has begun, signals already have their exit codes."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'mockserver.cli.program':\n"
        "            print('importing', flush=True)\n"
        "            time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow)\n",
        "utf-8",
    )
    with running("serve", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}") as command:
        command.wait_for_line("importing")
        command.send_signal(number)
        assert command.end()[::2] == (code, "")
