"""Flows: what a call that leads to an event costs, and how soon the event comes."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

import psutil

from benchmarks.peers import is_installed, run_fast
from benchmarks.processes import child, run
from benchmarks.receiver import Receiver, receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver import MockServer
from mockserver.model.settings import read_settings
from mockserver.script.reader import read_flows
from mockserver.server.mock import Mock

_HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}
_RUN = json.dumps({"test_case_id": "tc_refund"})
_FLOW = {"on": "POST /v1/runs", "when": {"test_case_id": "tc_refund"}, "outcome": "failed"}
_PEER = f"bare aiohttp handler, {'uvloop' if is_installed('uvloop') else 'standard'} loop"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to post for a moment only.
    """
    with receiving() as receiver:
        return [
            _rate(quick=quick, receiver=None),
            _rate(quick=quick, receiver=receiver),
            _latency(20 if quick else 300, receiver),
            *_night(200 if quick else 10_000, receiver),
            _fixture(10 if quick else 200, receiver),
        ]


def _rate(*, quick: bool, receiver: Receiver | None) -> Measurement:
    seconds, count = (0.1, 1) if quick else (0.6, 7)
    with (
        child(["-m", "benchmarks.servers", "mock", "uvloop"]) as (_, ours),
        child(["-m", "benchmarks.servers", "bare", "uvloop"]) as (_, bare),
    ):

        def post_to_ours() -> float:
            _call(ours, "/_mock/reset")
            _call(ours, "/_mock/flows", _FLOW)
            if receiver:
                _call(ours, "/_mock/webhooks", {"url": receiver.url, "events": ["run.failed"], "secret": "whsec_x"})
            return _post(ours, seconds)

        contenders: dict[str, Callable[[], float]] = {"ours": post_to_ours, _PEER: lambda: _post(bare, seconds)}
        rounds = Rounds(contenders, count)
    what = "POST /v1/runs with a flow, 16 at once" + (", its event delivered meanwhile" if receiver else "")
    figure = None if receiver else Figure("ratio", "at least", 0.5)
    return rounds.row(what, "/s", "ours", _PEER, figure)


def _latency(count: int, receiver: Receiver) -> Measurement:
    """From the moment when the client has its answer to the one when the receiver has the event."""
    taken = []
    with MockServer(speed="max", rate_limit=1_000_000) as mock:
        mock.register(receiver.url)
        connection = HTTPConnection(urlsplit(mock.url).netloc)
        for _ in range(count):
            receiver.moments()
            connection.request("POST", "/v1/runs", _RUN, _HEADERS)
            connection.getresponse().read()
            answered = perf_counter()
            while not mock.deliveries or mock.deliveries[-1].outcome == "pending":
                pass
            (arrived,) = receiver.moments()
            taken.append((arrived - answered) * 1000)
            mock.reset()
            mock.register(receiver.url)
        connection.close()
    figure = Figure("value", "at most", 1.5)
    return Measurement("from the answer to the event, speed max, median", "ms", median(taken), figure=figure)


def _night(count: int, receiver: Receiver) -> list[Measurement]:
    output = run(["-m", "benchmarks.flows", receiver.url, str(count)])
    seconds, before, most, after = json.loads(output.splitlines()[-1])
    return [
        Measurement(
            f"{count:,} runs of an hour each on virtual time", "s", seconds, figure=Figure("value", "at most", 10.0)
        ),
        Measurement(
            f"{count:,} runs: memory after reset, over before",
            "MB",
            (after - before) / 1e6,
            figure=Figure("value", "at most", 5.0),
            note=f"{before / 1e6:.1f} MB before, {most / 1e6:.1f} MB with the runs, {after / 1e6:.1f} MB afterwards",
        ),
    ]


async def _runs_of_an_hour(url: str, count: int) -> tuple[float, int, int, int]:
    """Post runs, let an hour pass, forget them; three times, as the first time fills what is kept for good."""
    mock = Mock(read_settings(speed="stepped", max_deliveries=count))
    await mock.start()
    memory = psutil.Process().memory_info
    seconds, before, most, after = 0.0, 0, 0, 0
    flows = read_flows(json.dumps({"on": "POST /v1/runs", "states": {"running": "1h"}}), mock.catalog)
    for _ in range(3):
        before = memory().rss
        mock.register(url, None, "whsec_x")
        mock.flows.rules.install(flows)
        begin = perf_counter()
        command = ["-m", "benchmarks.load", mock.url, "60", "/v1/runs", str(count)]
        await asyncio.get_running_loop().run_in_executor(None, run, command)
        await mock.advance(3600)
        seconds = perf_counter() - begin
        states = {resource.state for resource in mock.flows.resources}
        if len(mock.flows.resources) < count or states != {"completed"}:
            raise RuntimeError(f"{len(mock.flows.resources)} runs, {states}")
        most = memory().rss
        mock.reset()
        gc.collect()
        after = memory().rss
    await mock.stop()
    return seconds, before, most, after


def _fixture(count: int, receiver: Receiver) -> Measurement:
    """What a test takes that posts a run and settles, over one that only has the fixture."""

    def empty() -> None:
        mock.reset()

    def posting() -> None:
        mock.reset()
        mock.register(receiver.url)
        connection = HTTPConnection(urlsplit(mock.url).netloc)
        connection.request("POST", "/v1/runs", _RUN, _HEADERS)
        connection.getresponse().read()
        connection.close()
        mock.settle()

    with MockServer(speed="max") as mock:
        rounds = Rounds({"posting": lambda: _taken(posting), "empty": lambda: _taken(empty)}, count)
    more = (rounds.median("posting") - rounds.median("empty")) * 1000
    return Measurement(
        "test: post a run and settle, over an empty one", "ms", more, figure=Figure("value", "at most", 3.0)
    )


def _taken(work: Callable[[], None]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def _post(url: str, seconds: float) -> float:
    return float(run(["-m", "benchmarks.load", url, str(seconds), "/v1/runs"]))


def _call(url: str, path: str, body: object = None) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(
            "POST", path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.read().decode()}")
    finally:
        connection.close()


if __name__ == "__main__":
    print(json.dumps(run_fast(_runs_of_an_hour(sys.argv[1], int(sys.argv[2])))))
