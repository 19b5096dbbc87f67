"""Deliveries per second to a fast receiver, 50 at a time, against client libraries that sign and post the same body.

Ours makes each event's payload, signs it, sends it and records it whole. The peers get a payload that is made once,
sign it and post it, and keep nothing.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import aiohttp
import httpx
import requests
import uvloop

from benchmarks.receiver import receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver.model.events import encode_payload
from mockserver.model.settings import read_settings
from mockserver.script.model import EventStep, Script
from mockserver.script.package_files import load_catalog
from mockserver.script.templates import DataTemplate
from mockserver.server.mock import Mock

CONCURRENCY = 50
_EVENT = "run.failed"
_SECRET = "whsec_benchmark"

_OURS, _OURS_UVLOOP = "standard loop", "uvloop"
_AIOHTTP, _AIOHTTP_UVLOOP = "aiohttp.ClientSession, standard loop", "aiohttp.ClientSession, uvloop"
_REQUESTS, _HTTPX = "requests.Session, 50 threads", "httpx.AsyncClient, standard loop"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to make a few deliveries only.
    """
    count, seconds = (200, 0.1) if quick else (5000, 0.3)
    with receiving() as receiver:
        rounds = Rounds(_contenders(receiver.url, count, seconds), 1 if quick else 9)

    def row(ours: str, peer: str, at_least: float | None = None) -> Measurement:
        figure = Figure("ratio", "at least", at_least) if at_least else None
        what = f"deliveries, {CONCURRENCY} at once, {ours}"
        return Measurement(what, "/s", rounds.median(ours), peer, rounds.median(peer), rounds.ratio(ours, peer), figure)

    return [
        row(_OURS, _AIOHTTP, 1.8),
        row(_OURS_UVLOOP, _AIOHTTP, 3.0),
        row(_OURS_UVLOOP, _AIOHTTP_UVLOOP),
        row(_OURS, _REQUESTS),
        row(_OURS, _HTTPX),
    ]


def one_step_script(repeat: int, concurrency: int = CONCURRENCY) -> Script:
    """Return a script of one step: the vendor's sample event, again and again."""
    event_type = load_catalog().get(_EVENT)
    data = DataTemplate(event_type.data if event_type else {}, {})
    step = EventStep(line=1, number="1", event=_EVENT, data=data, repeat=repeat, concurrency=concurrency)
    return Script(source="benchmark", name="benchmark", steps=(step,))


def _contenders(url: str, count: int, seconds: float) -> dict[str, Callable[[], float]]:
    standard, fast = asyncio.new_event_loop, uvloop.new_event_loop
    return {
        _OURS: lambda: _run_on(standard(), _ours(url, count)),
        _AIOHTTP: lambda: _run_on(standard(), _aiohttp(url, seconds)),
        _OURS_UVLOOP: lambda: _run_on(fast(), _ours(url, count)),
        _AIOHTTP_UVLOOP: lambda: _run_on(fast(), _aiohttp(url, seconds)),
        _REQUESTS: lambda: _requests(url, seconds),
        _HTTPX: lambda: _run_on(standard(), _httpx(url, seconds)),
    }


def _run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, float]) -> float:
    gc.collect()  # nobody pays for what others have left behind
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _ours(url: str, count: int) -> float:
    mock = Mock(read_settings(speed="max"))
    mock.register(url, None, _SECRET)
    script = one_step_script(count)
    begin = perf_counter()
    report = await mock.replay(script)
    seconds = perf_counter() - begin
    await mock.stop()
    if report.delivered != count:
        raise RuntimeError(f"not everything was delivered: {report.summary}")
    return count / seconds


def _body() -> bytes:
    event_type = load_catalog().get(_EVENT)
    return encode_payload(_EVENT, "2024-12-16T10:00:00Z", event_type.data if event_type else {})


def _headers(body: bytes) -> dict[str, str]:
    signature = "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Playgent-Signature": signature, "Content-Type": "application/json"}


async def _aiohttp(url: str, seconds: float) -> float:
    body = _body()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:

        async def post() -> None:
            async with session.post(url, data=body, headers=_headers(body)) as response:
                await response.read()

        return await _rate(post, seconds)


async def _httpx(url: str, seconds: float) -> float:
    body = _body()
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:

        async def post() -> None:
            await client.post(url, content=body, headers=_headers(body))

        return await _rate(post, seconds)


async def _rate(post: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> float:
    begin = perf_counter()

    async def worker() -> int:
        count = 0
        while perf_counter() - begin < seconds:
            await post()
            count += 1
        return count

    counts = await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return sum(counts) / (perf_counter() - begin)


def _requests(url: str, seconds: float) -> float:
    """A session for each thread: a session is not made to be shared."""
    body = _body()
    begin = perf_counter()

    def worker(_: int) -> int:
        count = 0
        with requests.Session() as session:
            while perf_counter() - begin < seconds:
                session.post(url, data=body, headers=_headers(body), timeout=30)
                count += 1
        return count

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        counts = list(threads.map(worker, range(CONCURRENCY)))
    return sum(counts) / (perf_counter() - begin)
