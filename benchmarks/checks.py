"""How long ``mockserver check`` takes, and how a server that answers in two writes is waited for."""

from __future__ import annotations

import asyncio
from time import perf_counter

import aiohttp

from benchmarks.deliveries import one_step_script
from benchmarks.plain_consumer import SECRET
from benchmarks.processes import child
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver import MockServer
from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock

_CONSUMER = ("-m", "benchmarks.plain_consumer")
_OURS, _AIOHTTP = "a delivery that is answered in two writes", "aiohttp.ClientSession"
_CHECK = "mock.check, all checks, URL alone"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to make few deliveries, and one check only.
    """
    count = 5 if quick else 50
    with child(_CONSUMER) as (_, url):
        answers = Rounds({_OURS: lambda: _ours(url, count), _AIOHTTP: lambda: _aiohttp(url, count)}, 1 if quick else 3)
        checks = Rounds({_CHECK: lambda: _checked(url, quick=quick)}, 1 if quick else 3)
    ours, theirs = answers.median(_OURS), answers.median(_AIOHTTP)
    ratio = answers.ratio(_OURS, _AIOHTTP)
    return [
        Measurement(_OURS, "ms", ours, _AIOHTTP, theirs, ratio, Figure("ratio", "at most", 0.5)),
        Measurement(_CHECK, "s", checks.median(_CHECK), figure=Figure("value", "at most", 10)),
    ]


def _ours(url: str, count: int) -> float:
    async def deliver() -> float:
        mock = Mock(read_settings(speed="max"))
        mock.register(url, None, SECRET)
        begin = perf_counter()
        report = await mock.replay(one_step_script(count, 1))
        seconds = perf_counter() - begin
        await mock.stop()
        if report.delivered != count:
            raise RuntimeError(f"not everything was delivered: {report.summary}")
        return seconds

    return asyncio.run(deliver()) / count * 1000


def _aiohttp(url: str, count: int) -> float:
    async def post() -> float:
        async with aiohttp.ClientSession() as session:
            begin = perf_counter()
            for _ in range(count):
                async with session.post(url, data=b"{}") as response:
                    await response.read()
            return perf_counter() - begin

    return asyncio.run(post()) / count * 1000


def _checked(url: str, *, quick: bool) -> float:
    with MockServer() as mock:
        begin = perf_counter()
        report = mock.check(url, SECRET, only=["PG001", "PG010"] if quick else ())
        seconds = perf_counter() - begin
    if report.finding("control").verdict != "pass" or report.problems:
        raise RuntimeError(f"the consumer was not checked: {report.summary}")
    return seconds
