"""The handler, started as a program of its own."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver import MockServer, Webhook

SECRET = "whsec_test"


@pytest.fixture
def hook(mockserver: MockServer) -> Iterator[Webhook]:
    """The webhook of a running application."""
    environment = {**os.environ, "PLAYGENT_WEBHOOK_SECRET": SECRET, "PORT": "0"}
    with subprocess.Popen(
        ["node", "app.mjs"], cwd=Path(__file__).parent, env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        started = re.search(r"listening on (\d+)", program.stdout.readline())
        assert started, "the application did not start"
        url = f"http://127.0.0.1:{started[1]}/webhooks/playgent"
        yield mockserver.register(url, events=["run.failed"], secret=SECRET)
        program.terminate()


@pytest.mark.usefixtures("hook")
def test_a_failed_run_is_noted(mockserver: MockServer) -> None:
    """A signed event is accepted, and has its effect."""
    sent = mockserver.send("run.failed", override={"run_id": "run_1"})
    assert sent.delivered
    assert "run_1" in sent.response.text


def test_the_handler_gets_nothing_wrong(mockserver: MockServer, hook: Webhook) -> None:
    """Forged, respelled, repeated, malformed and broken deliveries included."""
    mockserver.check(hook.url, SECRET).raise_for_failures()
