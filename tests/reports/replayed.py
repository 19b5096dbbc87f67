"""Reports of real replays, to a consumer in the test that answers as it is told."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mockserver.model.settings import read_settings
from mockserver.replay.report import Report
from mockserver.script.model import Script
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock
from tests.receiving import SECRET, Answer, Received, consuming

START = "2024-12-16T10:00:00Z"


def script(steps: str, source: str = "flows/night.yaml", **more: str) -> Script:
    """Read a script; its first step is in line 4."""
    head = "".join(f"{key}: {value}\n" for key, value in more.items())
    return read_script(f"version: 1\nstart: {START}\nsteps:\n{steps}{head}", load_catalog(), source)


def always(**response: Any) -> Answer:
    """Give the same answer to everything: these are the arguments of ``web.Response``."""

    async def answer(_: Received) -> web.Response:
        return web.Response(**response)

    return answer


async def replayed(
    steps: str, answer: Answer | None = None, *, path: str = "/hooks", fail_fast: bool = False, **more: str
) -> Report:
    """Replay a script to a consumer, and return the report."""
    service = Mock(read_settings(speed="max", timeout=60))
    async with consuming() as consumer:
        consumer.answer = answer or consumer.answer
        service.register(consumer.url + path, None, SECRET)
        try:
            return await service.replaying(script(steps, **more), fail_fast=fail_fast).run()
        finally:
            await service.stop()


async def unreachable(steps: str) -> Report:
    """Replay a script to a port on which nothing listens any more."""
    service = Mock(read_settings(speed="max"))
    async with consuming() as consumer:
        url = consumer.url
    service.register(url, None, SECRET)
    try:
        return await service.replay(script(steps))
    finally:
        await service.stop()
