"""The command ``replay`` over the library's own replay of the same script: what its output costs.

Both are processes of their own. Of each, what it takes for one event is taken off: that is its start.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.peers import new_loop
from benchmarks.processes import run
from benchmarks.receiver import receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver.model.settings import read_settings
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock

_SECRET = "whsec_benchmark"
_COMMAND, _LIBRARY = "processor time of the command `replay`", "the library's own replay"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to replay few events only.
    """
    count, rounds = (300, 1) if quick else (30_000, 5)
    with receiving() as receiver, tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def seconds(kind: str) -> float:
            return _processor_time(kind, folder, receiver.url, count) - _processor_time(kind, folder, receiver.url, 1)

        taken = Rounds({_COMMAND: lambda: seconds("command"), _LIBRARY: lambda: seconds("library")}, rounds)
    return [
        taken.row(f"{_COMMAND}, {count:,} events", "s", _COMMAND, _LIBRARY, Figure("ratio", "at most", 1.1)),
    ]


def _processor_time(kind: str, folder: Path, url: str, count: int) -> float:
    """The seconds that a process took from its start to its end."""
    script = folder / f"{count}.yaml"
    script.write_text(f"version: 1\nsteps:\n  - event: run.failed\n    repeat: {count}\n    concurrency: 50\n")
    ours = ["-m", "benchmarks.replay_command", str(script), url, str(count)]
    command = ["-m", "mockserver", "replay", str(script), "--target", url, "--secret", _SECRET, "--speed", "max"]
    before = psutil.Process().cpu_times()
    run(command if kind == "command" else ours)
    after = psutil.Process().cpu_times()
    return (after.children_user + after.children_system) - (before.children_user + before.children_system)


async def _replay(script: bytes, url: str, count: int) -> None:
    mock = Mock(read_settings(speed="max"))
    mock.register(url, None, _SECRET)
    report = await mock.replay(read_script(script, load_catalog()))
    await mock.stop()
    if report.delivered != count:
        raise RuntimeError(f"not everything was delivered: {report.summary}")


if __name__ == "__main__":
    loop = new_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_replay(Path(sys.argv[1]).read_bytes(), sys.argv[2], int(sys.argv[3])))
    loop.close()
