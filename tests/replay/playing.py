"""Scripts for replays."""

from __future__ import annotations

from collections.abc import Callable

from mockserver.replay.report import Report
from mockserver.script.model import Script
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock

#: Makes a mock with chosen settings.
Start = Callable[..., Mock]


def script(text: str) -> Script:
    """A script of this text, which begins at a given moment."""
    return read_script(f"version: 1\nstart: 2024-12-16T10:00:00Z\n{text}", load_catalog(), "test.yaml")


async def play(mock: Mock, text: str) -> Report:
    """Replay the script of a text."""
    return await mock.replay(script(text))
