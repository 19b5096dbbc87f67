"""Attacks on the accounting: closes at the worst moment, answers that fill the memory, stops at any moment."""

import asyncio
import random
from typing import Any

import psutil
import pytest

from mockserver.model.settings import read_settings
from mockserver.replay.report import Report
from mockserver.script.model import Script
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock
from tests.delivery.http1.raw_server import Behaviour, Peer, RawServer, keep_answering
from tests.receiving import SECRET

pytestmark = pytest.mark.full


def many(events: int, concurrency: int = 20, more: str = "") -> Script:
    step = f"event: run.failed, repeat: {events}, concurrency: {concurrency}{more}"
    data = "override: {run_id: 'run_{{ index }}'}"
    return read_script(f"version: 1\nsteps:\n- {{{step}, {data}}}\n", load_catalog())


async def replayed(behaviour: Behaviour, script: Script, **settings: Any) -> tuple[Report, Mock]:
    server = RawServer(behaviour)
    mock = Mock(read_settings(speed="max", timeout=60, **settings))
    mock.register(server.url, None, SECRET)
    try:
        return await mock.replay(script), mock
    finally:
        await mock.stop()
        await server.stop()


async def test_answers_with_large_headers_are_bounded_in_memory() -> None:
    """60 KB of small headers in each answer count in what the record holds."""

    async def behaviour(peer: Peer) -> None:
        while await peer.request():
            lines = b"".join(b"X-%d-%d: y\r\n" % (next(numbers), line) for line in range(3000))
            await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % lines)

    numbers = iter(range(10**9))
    before = psutil.Process().memory_info().rss
    report, mock = await replayed(behaviour, many(300), max_recorded_bytes=4 << 20)
    assert report.delivered == 300
    assert mock.records.dropped > 250
    assert psutil.Process().memory_info().rss - before < 100e6


async def test_a_stop_at_any_moment_leaves_nothing_pending() -> None:
    """Stopped after a random number of turns of the loop, a fan-out with copies and retries adds up."""
    chance, server = random.Random(5), RawServer(keep_answering)
    script = many(50, 10, ", fault: {concurrent_duplicates: 2}, retry: [0, 1, 4]")
    tasks = asyncio.all_tasks()
    for _ in range(100):
        mock = Mock(read_settings(speed="max", max_concurrency=3))
        for _ in range(3):
            mock.register(server.url, None, SECRET)
        replay = mock.replaying(script)
        running = asyncio.create_task(replay.run())
        for _ in range(1 + chance.randrange(200)):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        report = replay.report
        assert report.planned == report.delivered + report.failed + report.not_sent == 50
        assert not [each for each in mock.records.all() if each.outcome == "pending"]
        await mock.stop()
    await server.stop()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - tasks
