"""Suites of another team, which tests of the plugin run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

#: Runs a suite.
Suite = Callable[..., pytest.RunResult]

MARK = "import pytest\npytestmark = pytest.mark.{}\n"
BACKEND = "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
LOOP_SCOPE = "asyncio_default_fixture_loop_scope = function\n"

#: For a test with the parameters plugins, header and ini.
PLUGINS = (
    pytest.param(["asyncio"], "", LOOP_SCOPE + "asyncio_mode = auto", id="pytest-asyncio auto"),
    pytest.param(["asyncio"], MARK.format("asyncio"), LOOP_SCOPE + "asyncio_mode = strict", id="pytest-asyncio strict"),
    pytest.param(["asyncio", "aiohttp"], "", LOOP_SCOPE + "asyncio_mode = auto", id="pytest-aiohttp"),
    pytest.param(["anyio"], MARK.format("anyio") + BACKEND, "", id="anyio"),
)
