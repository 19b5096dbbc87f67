"""The handler in Flask, called as it is: no port, no server, no waiting."""

from app import SECRET, app, failed_runs

from mockserver import MockServer

URL = "https://your-app.com/webhooks/playgent"


def test_a_failed_run_is_noted(mockserver: MockServer) -> None:
    """A signed event is accepted, and has its effect."""
    mockserver.route("https://your-app.com", to=app)
    mockserver.register(URL, events=["run.failed"], secret=SECRET)
    assert mockserver.send("run.failed", override={"run_id": "run_1"}).delivered
    assert "run_1" in failed_runs


def test_a_forged_event_is_refused(mockserver: MockServer) -> None:
    """An event that is signed with another secret gets a 401."""
    mockserver.route("https://your-app.com", to=app)
    mockserver.register(URL, events=["run.failed"], secret="another secret")
    assert mockserver.send("run.failed").status == 401
