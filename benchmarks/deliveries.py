"""Deliveries per second to a fast receiver, 50 at a time, against client libraries that sign and post the same body.

Ours signs each event's payload, sends it and records it whole; the payload, which has no templates, is made again for
each second of the clock. The peers get a payload that is made once, sign it and post it, and keep nothing. The limits
are a protocol that writes one and the same request again and again, and wrk, which does so in C on one thread.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from time import perf_counter, process_time
from typing import Any, cast

import aiohttp

from benchmarks.peers import is_installed, new_loop, not_installed
from benchmarks.receiver import Receiver, receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver.faults.request_builder import build_request
from mockserver.model.events import encode_payload
from mockserver.model.records import Event
from mockserver.model.settings import read_settings
from mockserver.model.targets import Target
from mockserver.script.model import EventStep, Script
from mockserver.script.package_files import load_catalog
from mockserver.script.templates import DataTemplate
from mockserver.server.mock import Mock

CONCURRENCY = 50
_EVENT = "run.failed"
_SECRET = "whsec_benchmark"
_TIMESTAMP = "2024-12-16T10:00:00Z"

_OURS, _OURS_UVLOOP = "standard loop", "uvloop"
_AIOHTTP, _AIOHTTP_UVLOOP = "aiohttp.ClientSession, standard loop", "aiohttp.ClientSession, uvloop"
_REQUESTS, _HTTPX = "requests.Session, 50 threads", "httpx.AsyncClient, standard loop"
_LIMIT, _LIMIT_UVLOOP = "the same request again and again, standard loop", "the same request again and again, uvloop"
_WRK = "wrk, one thread"
_FAN_OUT, _ONE_WEBHOOK = "processor time of one event to 10,000 webhooks", "10,000 events to one webhook"

#: What each contender needs beside the package's own dependencies.
_NEEDS = {
    _OURS_UVLOOP: "uvloop",
    _AIOHTTP_UVLOOP: "uvloop",
    _LIMIT_UVLOOP: "uvloop",
    _REQUESTS: "requests",
    _HTTPX: "httpx",
    _WRK: "wrk",
}

#: Our contender, its peer, and the ratio to reach.
_PAIRS: tuple[tuple[str, str, float | None], ...] = (
    (_OURS, _AIOHTTP, 2.8),
    (_OURS_UVLOOP, _AIOHTTP, 4.2),
    (_OURS_UVLOOP, _AIOHTTP_UVLOOP, None),
    (_OURS, _REQUESTS, None),
    (_OURS, _HTTPX, None),
    (_OURS, _LIMIT, None),
    (_OURS_UVLOOP, _LIMIT_UVLOOP, None),
    (_OURS_UVLOOP, _WRK, None),
)

#: Whose processor time is compared, and the ratio to reach: 22 µs where aiohttp takes 95.
_BUSY_PAIRS: tuple[tuple[str, str, float | None], ...] = (
    (_OURS, _AIOHTTP, None),
    (_OURS_UVLOOP, _AIOHTTP, 22 / 95),
    (_OURS_UVLOOP, _LIMIT_UVLOOP, None),
)


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to make a few deliveries only.
    """
    # Ours is to run about as long as the peers: each pays for its connections once.
    count, seconds, rounds = (200, 0.1, 1) if quick else (15_000, 0.3, 9)
    absent = uninstalled()
    with receiving() as receiver:
        contenders = _contenders(receiver, count, seconds)
        made = Rounds({name: work for name, work in contenders.items() if name not in absent}, rounds)
        busy = Rounds(_processor_times(receiver, count, seconds, absent), rounds)
        fan = Rounds(_fan_out(receiver.url, 500 if quick else 10_000), 1 if quick else 3)
    rows = []
    for ours, peer, at_least in _PAIRS:
        what = f"deliveries, {CONCURRENCY} at once, {ours}"
        if lacking := [absent[name] for name in (ours, peer) if name in absent]:
            rows.append(not_installed(f"{what}, against {peer}", lacking[0]))
            continue
        figure = Figure("ratio", "at least", at_least) if at_least else None
        rows.append(made.row(what, "/s", ours, peer, figure))
    rows += [
        *(
            busy.row(
                f"processor time of a delivery, {ours}",
                "µs",
                ours,
                peer,
                Figure("ratio", "at most", at_most) if at_most else None,
            )
            for ours, peer, at_most in _BUSY_PAIRS
            if ours not in absent
        ),
        fan.row(_FAN_OUT, "s", _FAN_OUT, _ONE_WEBHOOK, Figure("ratio", "at most", 1.2)),
    ]
    return rows


def uninstalled() -> dict[str, str]:
    """Return the contenders that cannot be measured here, each with the package or program that it lacks."""
    return {name: needed for name, needed in _NEEDS.items() if not is_installed(needed)}


def one_step_script(repeat: int, concurrency: int = CONCURRENCY) -> Script:
    """Return a script of one step: the vendor's sample event, again and again."""
    event_type = load_catalog().get(_EVENT)
    data = DataTemplate(event_type.data if event_type else {}, {})
    step = EventStep(line=1, number="1", event=_EVENT, data=data, repeat=repeat, concurrency=concurrency)
    return Script(source="benchmark", name="benchmark", steps=(step,))


def _contenders(receiver: Receiver, count: int, seconds: float) -> dict[str, Callable[[], float]]:
    url = receiver.url
    return {
        _OURS: lambda: _run_on("standard", _ours(url, count)),
        _AIOHTTP: lambda: _run_on("standard", _aiohttp(url, seconds)),
        _OURS_UVLOOP: lambda: _run_on("uvloop", _ours(url, count)),
        _AIOHTTP_UVLOOP: lambda: _run_on("uvloop", _aiohttp(url, seconds)),
        _LIMIT: lambda: _run_on("standard", _limit(receiver, count)),
        _LIMIT_UVLOOP: lambda: _run_on("uvloop", _limit(receiver, count)),
        _REQUESTS: lambda: _requests(url, seconds),
        _HTTPX: lambda: _run_on("standard", _httpx(url, seconds)),
        _WRK: lambda: _wrk(url),
    }


def _run_on(kind: str, work: Coroutine[Any, Any, float]) -> float:
    gc.collect()  # no contender pays for what others have left behind
    loop = new_loop(kind)
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def _processor_times(
    receiver: Receiver, count: int, seconds: float, absent: Collection[str]
) -> dict[str, Callable[[], float]]:
    """The microseconds of processor time that one delivery of each contender takes in this process."""
    url = receiver.url
    times = {
        _OURS: lambda: 1e6 / _run_on("standard", _ours(url, count, process_time)),
        _AIOHTTP: lambda: 1e6 / _run_on("standard", _aiohttp(url, seconds, process_time)),
        _OURS_UVLOOP: lambda: 1e6 / _run_on("uvloop", _ours(url, count, process_time)),
        _LIMIT_UVLOOP: lambda: 1e6 / _run_on("uvloop", _limit(receiver, count, process_time)),
    }
    return {name: time for name, time in times.items() if name not in absent}


async def _ours(url: str, count: int, clock: Callable[[], float] = perf_counter) -> float:
    mock = Mock(read_settings(speed="max"))
    mock.register(url, None, _SECRET)
    script = one_step_script(count)
    begin = clock()
    report = await mock.replay(script)
    seconds = clock() - begin
    await mock.stop()
    if report.delivered != count:
        raise RuntimeError(f"not everything was delivered: {report.summary}")
    return count / seconds


def _fan_out(url: str, count: int) -> dict[str, Callable[[], float]]:
    async def seconds(webhooks: int, events: int) -> float:
        mock = Mock(read_settings(speed="max", max_concurrency=CONCURRENCY))
        for _ in range(webhooks):
            mock.register(url, None, _SECRET)
        script = one_step_script(events)
        begin = process_time()
        report = await mock.replay(script)
        took = process_time() - begin
        await mock.stop()
        if report.delivered != events:
            raise RuntimeError(f"not everything was delivered: {report.summary}")
        return took

    return {
        _FAN_OUT: lambda: _run_on("uvloop", seconds(count, 1)),
        _ONE_WEBHOOK: lambda: _run_on("uvloop", seconds(1, count)),
    }


class _Repeating(asyncio.Protocol):
    """Writes a request, and again when anything comes back."""

    def __init__(self, request: bytes, left: int) -> None:
        self._request = request
        self._left = left
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        self._left -= 1
        if self._left > 0:
            self._transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def _limit(receiver: Receiver, count: int, clock: Callable[[], float] = perf_counter) -> float:
    event = Event(_EVENT, _TIMESTAMP, _body())
    request = build_request(event, Target.parse(receiver.url), _SECRET, ()).wire
    loop, begin = asyncio.get_running_loop(), clock()
    protocols = []
    for _ in range(CONCURRENCY):
        factory = partial(_Repeating, request, count // CONCURRENCY)
        _, protocol = await loop.create_connection(factory, "127.0.0.1", receiver.port)
        protocols.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in protocols))
    return count / (clock() - begin)


def _wrk(url: str) -> float:
    """For a second, which is the least that wrk does."""
    body = _body()
    lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(body.decode())}"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in _headers(body).items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        command = ["wrk", "-t1", f"-c{CONCURRENCY}", "-d1s", "-s", script.name, url]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.search(r"Requests/sec: *([0-9.]+)", output)
    if found is None or "Non-2xx" in output:
        raise RuntimeError(f"wrk measured nothing: {output}")
    return float(found[1])


def _body() -> bytes:
    event_type = load_catalog().get(_EVENT)
    return encode_payload(_EVENT, _TIMESTAMP, event_type.data if event_type else {})


def _headers(body: bytes) -> dict[str, str]:
    signature = "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Playgent-Signature": signature, "Content-Type": "application/json"}


async def _aiohttp(url: str, seconds: float, clock: Callable[[], float] = perf_counter) -> float:
    body = _body()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:

        async def post() -> None:
            async with session.post(url, data=body, headers=_headers(body)) as response:
                await response.read()

        return await _rate(post, seconds, clock)


async def _httpx(url: str, seconds: float) -> float:
    body, httpx = _body(), import_module("httpx")
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:

        async def post() -> None:
            await client.post(url, content=body, headers=_headers(body))

        return await _rate(post, seconds)


async def _rate(
    post: Callable[[], Coroutine[Any, Any, None]], seconds: float, clock: Callable[[], float] = perf_counter
) -> float:
    begin, begun = perf_counter(), clock()

    async def worker() -> int:
        count = 0
        while perf_counter() - begin < seconds:
            await post()
            count += 1
        return count

    counts = await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return sum(counts) / (clock() - begun)


def _requests(url: str, seconds: float) -> float:
    """A session for each thread: a session is not made to be shared."""
    body, requests = _body(), import_module("requests")
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
