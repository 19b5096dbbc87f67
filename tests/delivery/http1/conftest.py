"""Every async test here leaves nothing behind; in the full tier each runs on uvloop as well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import Behaviour, RawServer


@pytest.hookimpl(optionalhook=True)  # older versions of pytest-asyncio do not ask, and test the standard loop only
def pytest_asyncio_loop_factories(config: pytest.Config) -> dict[str, Any]:
    factories = {"asyncio": asyncio.new_event_loop}
    if config.getoption("full"):
        import uvloop  # noqa: PLC0415 - the default tier does without

        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture
async def transport() -> AsyncIterator[Http1Transport]:
    transport = Http1Transport(idle_seconds=60)  # however long a test is held up between two exchanges
    yield transport
    await transport.close()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[RawServer]]]:
    """Starts raw servers, and stops them after the test."""
    servers: list[RawServer] = []

    async def start(behaviour: Behaviour, host: str = "127.0.0.1", port: int = 0) -> RawServer:
        servers.append(RawServer(behaviour, host, port))
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture(autouse=True)
async def _nothing_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    yield
    for _ in range(3):  # a cancelled task ends in one of the next turns of the loop
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}
    assert trouble == []  # nothing was raised in a callback, where it would only be logged
