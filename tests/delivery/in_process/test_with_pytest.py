"""In the test suites of others: the fixture, an application with a lifespan, and each way to run async tests."""

from typing import Any

import pytest

pytestmark = pytest.mark.full

SUITE = """
import asyncio
import pytest
from contextlib import asynccontextmanager
from fastapi import FastAPI

log = []

@asynccontextmanager
async def lifespan(app):
    log.append("up")
    app.state.lock = asyncio.Lock()
    loop = asyncio.get_running_loop()
    try:
        yield
    finally:
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0)
        log.append("down")

app = FastAPI(lifespan=lifespan)

@app.post("/hooks")
async def receive():
    async with app.state.lock:
        log.append(asyncio.get_running_loop())

@pytest.fixture(autouse=True)
def routed(mockserver):
    mockserver.route("https://your-app.com", to=app)
    mockserver.register("https://your-app.com/hooks")

MARK
async def test_async(mockserver):
    log.clear()
    assert (await mockserver.asend("run.failed")).delivered
    assert (await mockserver.asend("run.failed")).delivered
    loop = asyncio.get_running_loop()
    assert log == ["up", loop, loop]

MARK
async def test_after_it(mockserver):
    assert log[-1] == "down"
    assert (await mockserver.asend("run.failed")).delivered

def test_sync(mockserver):
    assert log[-1] == "down"
    assert mockserver.send("run.failed").delivered

def test_at_the_end():
    assert log[-1] == "down"
"""


@pytest.mark.parametrize(
    ("plugins", "mark", "ini"),
    [
        (["pytest_asyncio.plugin"], "@pytest.mark.asyncio", "asyncio_mode = strict"),
        (["pytest_asyncio.plugin"], "", "asyncio_mode = auto"),
        (["pytest_asyncio.plugin"], "@pytest.mark.asyncio(loop_scope='session')", "asyncio_mode = strict"),
        (["anyio.pytest_plugin"], "@pytest.mark.anyio", ""),
        (["pytest_asyncio.plugin", "pytest_aiohttp.plugin"], "", "asyncio_mode = auto"),
    ],
    ids=["strict", "auto", "session loop", "anyio", "pytest-aiohttp"],
)
def test_an_application_with_a_lifespan(
    pytester: Any, monkeypatch: pytest.MonkeyPatch, plugins: Any, mark: Any, ini: Any
) -> None:
    """It runs on the loop of each test, and has been shut down when the test is over; no warning, no error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    scope = "asyncio_default_fixture_loop_scope = function" if "asyncio" in plugins[0] else ""
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ini}\n{scope}\n")
    pytester.makepyfile(SUITE.replace("MARK", mark))
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n")
    plugged = [argument for plugin in ("playgent_mockserver", *plugins) for argument in ("-p", plugin)]
    result = pytester.runpytest_subprocess(*plugged, "-p", "no:cacheprovider", "-W", "error", "--log-level=WARNING")
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*never retrieved*")
    result.stderr.no_fnmatch_line("*pending*")
