"""A consumer, and mocks that deliver to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock
from tests.receiving import SECRET, Consumer, consuming
from tests.replay.playing import Start


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with consuming() as running:
        yield running


@pytest.fixture
async def start(consumer: Consumer) -> AsyncIterator[Start]:
    """Makes mocks with chosen settings, where the consumer is registered; they stop with the test."""
    made: list[Mock] = []

    def mock(**settings: Any) -> Mock:
        made.append(Mock(read_settings(**settings)))
        made[-1].register(consumer.url, None, SECRET)
        return made[-1]

    yield mock
    for each in made:
        await each.stop()
