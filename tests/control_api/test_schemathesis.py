"""A property-based test of the control API against its own OpenAPI document, by schemathesis."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockserver.control_api import ControlApi
from mockserver.model.fields import Field, Whole
from mockserver.model.messages import Exchange, ExchangeError, Response
from mockserver.model.settings import read_settings
from mockserver.script.format import AWAIT_FIELDS, EVENT_FIELDS
from mockserver.server.mock import Mock
from tests.vendor_api.serving import loop_in_thread

pytestmark = pytest.mark.full

# Every check is on by default. Some things no JSON Schema can say, so that what fits it may still be refused: the
# paths of a script must exist in the sample data, its templates must have known names, its faults must go together;
# its flows must name fields and states of their call; a stepped clock ends in the year 9998; a search names keys,
# events and faults that exist; the number of checks that run at once has a limit. For these operations the check that
# whatever fits is accepted is off; for a delivery to a webhook that is gone, too. That of a planned answer, which
# needs a body or must have none by its status, would be three types in a client.
CONFIG = """
[[operations]]
include-operation-id = [
  "send", "start_replay", "validate", "install_flows", "advance", "deliveries", "latest_delivery", "brief_deliveries",
  "timeline", "start_check", "fail_next", "resend",
]
checks.positive_data_acceptance.enabled = false
"""
OPTIONS = (
    "--max-examples=6",
    "--generation-deterministic",
    "--no-color",
    "--request-timeout=60",
    "--warnings=off",  # one is certain: a webhook that was forgotten is not registered again here, and stays unknown
    "--exclude-operation-id=wait_for_deliveries",  # it waits; test_search_and_wait.py does
    "--exclude-operation-id=stream",  # it answers for ever; test_stream.py reads it
)


class Nowhere:
    """A transport that never leaves this process: scripts that are made up name hosts that are made up."""

    async def exchange(self, *_: Any) -> Exchange:
        await asyncio.sleep(0)
        return Exchange(Response(200), ExchangeError("connect", "nothing listens there"))

    async def close(self) -> None:
        """There is nothing to close."""


@contextmanager
def serving(**settings: Any) -> Iterator[str]:
    """The URL of a mock on a loop in a thread."""

    async def started() -> Mock:
        mock = Mock(read_settings(**settings), Nowhere())
        await mock.start(ControlApi)
        mock.register("https://your-app.com/hooks", None, "whsec_x")
        return mock

    with loop_in_thread() as wait:
        mock = wait(started())
        yield mock.url
        wait(mock.stop())


#: All ways to get the many fields of flows wrong are 15,000 requests: the other phases send enough of them.
NO_FLOWS = "--exclude-operation-id=install_flows"


@pytest.mark.parametrize(
    "phases", [("examples,coverage", NO_FLOWS), ("fuzzing",), ("stateful",)], ids=lambda each: each[0]
)
def test_schemathesis_finds_nothing(phases: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a real server: no answer contradicts the document, and none is a failure of the server."""
    # Scripts that are made up are to be over soon: the format itself allows a thousand million repeats.
    monkeypatch.setitem(EVENT_FIELDS, "repeat", Field(Whole(1, 3), "few"))
    monkeypatch.setitem(AWAIT_FIELDS, "within", Field(Whole(0, 0), "not at all"))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serving(speed="stepped") as url:
        program = Path(sys.executable).with_name("schemathesis")
        command = [program, "run", f"{url}/_mock/openapi.json", f"--phases={phases[0]}", *phases[1:], *OPTIONS]
        run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=1200, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No issues found" in run.stdout
