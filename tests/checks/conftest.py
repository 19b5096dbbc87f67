"""What tests of checks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.checks.judged import Judged


@pytest.fixture
def judged(aiohttp_server: Callable[..., Any]) -> Judged:
    """Serves consumers for as long as a test takes, and checks them."""
    return Judged(aiohttp_server)
