"""The handler in aiohttp: a new application for each test, served on a free port behind the scenes."""

import pytest
from app import FAILED_RUNS, SECRET, create_app

from mockserver import MockServer

URL = "https://your-app.com/webhooks/playgent"


@pytest.mark.asyncio
async def test_a_failed_run_is_noted(mockserver: MockServer) -> None:
    """A signed event is accepted, and has its effect."""
    app = create_app()
    mockserver.route("https://your-app.com", to=app)
    mockserver.register(URL, events=["run.failed"], secret=SECRET)
    sent = await mockserver.asend("run.failed", override={"run_id": "run_1"})
    assert sent.delivered
    assert app[FAILED_RUNS] == ["run_1"]


@pytest.mark.asyncio
async def test_a_forged_event_is_refused(mockserver: MockServer) -> None:
    """An event that is signed with another secret gets a 401."""
    mockserver.route("https://your-app.com", to=create_app())
    mockserver.register(URL, events=["run.failed"], secret="another secret")
    sent = await mockserver.asend("run.failed")
    assert sent.status == 401
