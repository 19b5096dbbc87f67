"""The handler in Node.js, a program of its own: it registers itself, and is called over a socket."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver import MockServer, Webhook


@pytest.fixture
def hook(mockserver: MockServer) -> Iterator[Webhook]:
    """What the program registers; it learns where the mock is, and gets what is meant for its public address."""
    settings = {
        "PORT": "0",
        "PLAYGENT_URL": mockserver.url,
        "PLAYGENT_API_KEY": "key",
        "PLAYGENT_WEBHOOK_SECRET": "whsec_1",
    }
    command = ["node", str(Path(__file__).with_name("app.mjs"))]
    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().split()[-1]
        mockserver.route("https://your-app.com", to=f"http://127.0.0.1:{port}")
        yield mockserver.wait_for_registration(["run.failed"])
        process.terminate()


def test_a_failed_run_is_noted(mockserver: MockServer, hook: Webhook) -> None:
    """A signed event is accepted, and has its effect."""
    assert hook.url == "https://your-app.com/webhooks/playgent"
    sent = mockserver.send("run.failed", override={"run_id": "run_1"})
    assert sent.delivered
    assert json.loads(sent.response.body) == {"failedRuns": ["run_1"]}


def test_a_forged_event_is_refused(mockserver: MockServer, hook: Webhook) -> None:
    """An event that is signed with another secret gets a 401."""
    mockserver.register(hook.url, events=["run.completed"], secret="another secret")
    assert mockserver.send("run.completed").status == 401
