"""Async tests here run on the same event loops as those of the sender, against servers that see every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.delivery.http1.conftest import pytest_asyncio_loop_factories, serve, transport

__all__ = ["pytest_asyncio_loop_factories", "serve", "transport"]


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(3):  # a cancelled task ends in one of the next turns of the loop
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}
