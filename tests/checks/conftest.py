"""What tests of checks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mockserver.checks import context
from tests.checks.judged import Judged


@pytest.fixture
def quick_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a consumer that has ended a moment to come back, for one that does not."""
    monkeypatch.setattr(context, "_RECOVERY", 0.2)
    monkeypatch.setattr(context, "_RECOVERY_PAUSE", 0.05)


@pytest.fixture
def judged(aiohttp_server: Callable[..., Any]) -> Judged:
    """Serves consumers for as long as a test takes, and checks them."""
    return Judged(aiohttp_server)
