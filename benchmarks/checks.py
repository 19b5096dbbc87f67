"""How long ``mockserver check`` takes, by what the consumer is like; and how two writes of an answer are waited for."""

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

#: Each check that is timed: what the consumer is like, whether its effects are probed, and the seconds to reach.
_CHECKS = (
    ("of a fast consumer, URL alone", (), False, 1.5),
    ("of a fast consumer, with a probe", (), True, 3.0),
    ("of one with effects after 1 s, with a probe", ("--effects-after", "1"), True, 20.0),
    ("of one that takes 1.5 s to answer, with a probe", ("--answer-after", "1.5"), True, 60.0),
)


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to make few deliveries, and one check only.
    """
    count = 5 if quick else 50
    with child(_CONSUMER) as (_, url):
        answers = Rounds({_OURS: lambda: _ours(url, count), _AIOHTTP: lambda: _aiohttp(url, count)}, 1 if quick else 3)
    return [
        answers.row(_OURS, "ms", _OURS, _AIOHTTP, Figure("ratio", "at most", 0.5)),
        *(_check(*each, quick=quick) for each in (_CHECKS[:2] if quick else _CHECKS)),
    ]


def _check(what: str, consumer: tuple[str, ...], probed: bool, most: float, *, quick: bool) -> Measurement:
    """Time all checks, the median of three where they are fast."""
    name = f"all checks {what}"
    with child(["-m", "benchmarks.checked_consumer", *consumer]) as (_, url):
        taken = Rounds({name: lambda: _checked(url, probed, quick=quick)}, 3 if most < 10 and not quick else 1)
    return Measurement(name, "s", taken.median(name), figure=Figure("value", "at most", most))


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


def _checked(url: str, probed: bool, *, quick: bool) -> float:
    only = ["PG001", "PG010"] if quick else ()
    with MockServer() as mock:
        begin = perf_counter()
        if probed:
            report = mock.check(f"{url}/hooks", SECRET, only=only, probe=f"{url}/count", probe_json="$.count")
        else:
            report = mock.check(f"{url}/hooks", SECRET, only=only)
        seconds = perf_counter() - begin
    if report.finding("control").verdict != "pass" or report.problems:
        raise RuntimeError(f"the consumer was not checked: {report.summary}")
    return seconds
