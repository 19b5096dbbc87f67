"""A running mock, consumers of its deliveries, and a client of its control API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.control_api.calling import Control, Start, controlling
from tests.delivery.http1.conftest import serve as serve_raw
from tests.receiving import Consumer, consuming

__all__ = ["serve_raw"]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts mocks with chosen settings; they stop with the test."""
    async with AsyncExitStack() as stack:

        async def started(**settings: dict[str, str] | float | list[str] | str) -> Control:
            return await stack.enter_async_context(controlling(**settings))

        yield started


@pytest.fixture
async def control(start: Start) -> Control:
    """A mock that skips all waits."""
    return await start(speed="max")


@pytest.fixture
async def stepped(start: Start) -> Control:
    """A mock whose clock is advanced by hand."""
    return await start(speed="stepped")


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    """A consumer that keeps what it received."""
    async with consuming() as running:
        yield running
