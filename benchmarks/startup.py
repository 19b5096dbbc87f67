"""From the start of ``serve`` to its first answer, and its memory then, against a bare aiohttp application."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlsplit

import psutil

from benchmarks.processes import child
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement

_SERVE = ("-m", "mockserver", "serve", "--port", "0")
_BARE = ("-m", "benchmarks.servers", "bare", "standard")
_PEER = "bare aiohttp application"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to start each server once only.
    """
    memory: dict[Sequence[str], float] = {}
    for command in (_SERVE, _BARE):  # once without counting: the byte code may not be written yet
        _, memory[command] = start(command)
    contenders = {"ours": lambda: start(_SERVE)[0], _PEER: lambda: start(_BARE)[0]}
    rounds = Rounds(contenders, 1 if quick else 9)
    ours, theirs = memory[_SERVE], memory[_BARE]
    at_most = Figure("ratio", "at most", 1.3)
    return [
        Measurement(
            "`serve`: start to first answer",
            "ms",
            rounds.median("ours"),
            _PEER,
            rounds.median(_PEER),
            rounds.ratio("ours", _PEER),
            at_most,
        ),
        Measurement("`serve`: memory after it", "MB", ours, _PEER, theirs, ours / theirs, at_most),
    ]


def start(command: Sequence[str]) -> tuple[float, float]:
    """Start a server; return the milliseconds to its first answer, and its resident memory then in MB."""
    begin = perf_counter()
    with child(command) as (process, line):
        address = re.search(r"http://[0-9.:]+[0-9]", line)
        if address is None:
            raise RuntimeError(f"no address in the ready line {line!r}")
        _get(address[0])
        took = perf_counter() - begin
        resident: int = psutil.Process(process.pid).memory_info().rss
    return took * 1000, resident / 1e6


def _get(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", "/")  # 404 is an answer too, and both have to make it
        connection.getresponse().read()
    finally:
        connection.close()
