"""What tests of checks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.checks.judged import Judged


@pytest.fixture
def judged(quick_time: None, aiohttp_server: Callable[..., Any]) -> Judged:  # noqa: ARG001 - they are checked in it
    """Serves consumers for as long as a test takes, and checks them."""
    return Judged(aiohttp_server)
