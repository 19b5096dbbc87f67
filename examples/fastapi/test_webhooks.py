"""The handler in FastAPI, on the event loop of the test, where its locks and connection pools live."""

import pytest
from app import SECRET, app

from mockserver import MockServer

URL = "https://your-app.com/webhooks/playgent"


@pytest.mark.asyncio
async def test_a_failed_run_is_noted(mockserver: MockServer) -> None:
    """A signed event is accepted, and has its effect."""
    mockserver.route("https://your-app.com", to=app)
    mockserver.register(URL, events=["run.failed"], secret=SECRET)
    sent = await mockserver.asend("run.failed", override={"run_id": "run_1"})
    assert sent.delivered
    assert app.state.failed_runs == ["run_1"]


@pytest.mark.asyncio
async def test_a_forged_event_is_refused(mockserver: MockServer) -> None:
    """An event that is signed with another secret gets a 401."""
    mockserver.route("https://your-app.com", to=app)
    mockserver.register(URL, events=["run.failed"], secret="another secret")
    sent = await mockserver.asend("run.failed")
    assert sent.status == 401
