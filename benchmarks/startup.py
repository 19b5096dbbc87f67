"""From the start of ``serve`` to its first answer, and its memory then, against a bare aiohttp application.

Both run on the same loop: uvloop takes 2 MB, whoever serves on it.

And what a test suite pays that imports the package and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from http.client import HTTPConnection
from statistics import fmean, median
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from benchmarks.peers import is_installed, not_installed
from benchmarks.processes import child, run
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement

#: What is started on each loop: ours, and a bare application.
_SERVERS = {
    "standard": (
        ("-m", "benchmarks.without_uvloop", "serve", "--port", "0"),
        ("-m", "benchmarks.servers", "bare", "standard"),
    ),
    "uvloop": (("-m", "mockserver", "serve", "--port", "0"), ("-m", "benchmarks.servers", "bare", "uvloop")),
}
_IMPORT, _PYTHON = "`import mockserver`, over bare Python", "bare Python"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to start each server once only.
    """
    count = 1 if quick else 9
    rows = _compare("standard", count)
    rows += _compare("uvloop", count) if is_installed("uvloop") else [not_installed("`serve`, uvloop", "uvloop")]
    _import("import mockserver")  # once without counting, as below
    imports = Rounds({_IMPORT: lambda: _import("import mockserver"), _PYTHON: lambda: _import("pass")}, 2 * count)
    imported, bare = imports.median(_IMPORT), imports.median(_PYTHON)
    return [*rows, Measurement(_IMPORT, "ms", imported - bare, _PYTHON, bare, figure=Figure("value", "at most", 40))]


def _compare(loop: str, count: int) -> list[Measurement]:
    commands = dict(zip(("ours", peer := f"bare aiohttp application, {loop} loop"), _SERVERS[loop], strict=True))
    for command in commands.values():  # once without counting: the byte code may not be written yet
        start(command)
    started: dict[str, list[Started]] = {name: [] for name in commands}

    def milliseconds(name: str) -> float:
        started[name].append(start(commands[name]))
        return started[name][-1].milliseconds

    times = Rounds({name: partial(milliseconds, name) for name in commands}, count)
    # The system counts processor time in steps of 10 ms: only the mean shows less.
    busy = [fmean(each.processor_milliseconds for each in started[name]) for name in ("ours", peer)]
    memory = [median(each.megabytes for each in started[name]) for name in ("ours", peer)]
    start_figure, memory_figure = Figure("ratio", "at most", 1.08), Figure("ratio", "at most", 1.12)
    return [
        times.row(f"`serve`: start to first answer, {loop} loop", "ms", "ours", peer, start_figure),
        Measurement(
            f"`serve`: processor time of it, {loop} loop", "ms", busy[0], peer, busy[1], busy[0] / busy[1]
        ),
        Measurement(
            f"`serve`: memory after it, {loop} loop", "MB", memory[0], peer, memory[1], memory[0] / memory[1],
            memory_figure,
        ),
    ]  # fmt: skip


class Started(NamedTuple):
    """A server that has given its first answer."""

    milliseconds: float
    processor_milliseconds: float
    megabytes: float


def _import(statement: str) -> float:
    begin = perf_counter()
    run(["-c", statement])
    return (perf_counter() - begin) * 1000


def start(command: Sequence[str]) -> Started:
    """Start a server, and end it after its first answer."""
    begin = perf_counter()
    with child(command) as (process, line):
        address = re.search(r"http://[0-9.:]+[0-9]", line)
        if address is None:
            raise RuntimeError(f"no address in the ready line {line!r}")
        _get(address[0])
        took = perf_counter() - begin
        watched = psutil.Process(process.pid)
        busy, resident = watched.cpu_times(), watched.memory_info().rss
    return Started(took * 1000, (busy.user + busy.system) * 1000, resident / 1e6)


def _get(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", "/")  # 404 is an answer too, and both have to make it
        connection.getresponse().read()
    finally:
        connection.close()
