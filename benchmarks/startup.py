"""From the start of ``serve`` to its first answer, and its memory then, against a bare aiohttp application.

And what a test suite pays that imports the package and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http.client import HTTPConnection
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from benchmarks.processes import child, run
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement

_SERVE = ("-m", "mockserver", "serve", "--port", "0")
_BARE = ("-m", "benchmarks.servers", "bare", "standard")
_PEER = "bare aiohttp application"
_IMPORT, _PYTHON = "`import mockserver`, over bare Python", "bare Python"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to start each server once only.
    """
    started: dict[Sequence[str], Started] = {}

    def milliseconds(command: Sequence[str]) -> float:
        started[command] = start(command)
        return started[command].milliseconds

    for command in (_SERVE, _BARE):  # once without counting: the byte code may not be written yet
        milliseconds(command)
    _import("import mockserver")
    count = 1 if quick else 9
    times = Rounds({"ours": lambda: milliseconds(_SERVE), _PEER: lambda: milliseconds(_BARE)}, count)
    imports = Rounds({_IMPORT: lambda: _import("import mockserver"), _PYTHON: lambda: _import("pass")}, 2 * count)
    memory = [started[command].megabytes for command in (_SERVE, _BARE)]
    busy = [started[command].processor_milliseconds for command in (_SERVE, _BARE)]
    start_figure, memory_figure = Figure("ratio", "at most", 1.08), Figure("ratio", "at most", 1.12)
    imported, bare = imports.median(_IMPORT), imports.median(_PYTHON)
    return [
        times.row("`serve`: start to first answer", "ms", "ours", _PEER, start_figure),
        Measurement("`serve`: processor time of it", "ms", busy[0], _PEER, busy[1], busy[0] / busy[1]),
        Measurement(
            "`serve`: memory after it", "MB", memory[0], _PEER, memory[1], memory[0] / memory[1], memory_figure
        ),
        Measurement(_IMPORT, "ms", imported - bare, _PYTHON, bare, figure=Figure("value", "at most", 40)),
    ]


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
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", "/")  # 404 is an answer too, and both have to make it
        connection.getresponse().read()
    finally:
        connection.close()
