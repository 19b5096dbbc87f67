"""Vendor APIs on real ports."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.vendor_api.serving import Mock, Start, serve, serve_in_thread


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start vendor APIs with chosen settings; they stop with the test."""
    async with AsyncExitStack() as stack:

        async def started(mock: Mock | None = None, **settings: bool | int | list[str]) -> Mock:
            return await stack.enter_async_context(serve(mock or Mock.of(**settings)))

        yield started


@pytest.fixture
async def mock(start: Start) -> Mock:
    """A vendor API with the default settings."""
    return await start()


@pytest.fixture(scope="module")
def threaded() -> Iterator[Mock]:
    """A vendor API on a loop of its own."""
    with serve_in_thread(Mock.of()) as mock:
        yield mock
