"""Load on Locust: signed events against a hand-written user that posts a constant body, and how exact a rate is."""

from __future__ import annotations

import json
import statistics
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, run
from benchmarks.receiver import receiving
from benchmarks.table import Figure, Measurement, missing

_PEER = """
from locust import FastHttpUser, task

class Plain(FastHttpUser):
    host = "{host}"
    @task
    def post(self):
        self.client.post("/hook", data=b'{{"event":"run.failed"}}' * 8, headers={{"Content-Type": "application/json"}})
"""
_OURS = """
import sys
sys.path.insert(0, {root!r})
from mockserver.load import WebhookUser

class Signed(WebhookUser):
    host = "{host}"
    path = "/hook"
    secret = "whsec_benchmark"
    script = "{script}"
    rate = {rate}
"""
_USERS = 20
#: Events a second, for the rows about the rate.
_ASKED = 300


def measure(*, quick: bool = False) -> list[Measurement]:
    """Measure, in turns.

    Args:
        quick: A short run, to see that it works.
    """
    if find_spec("locust") is None:
        return [missing("load on Locust", "Locust is not installed: pip install 'playgent-mockserver[load]'")]
    # Locust counts from its start, and it takes seconds to import on a busy machine.
    seconds, rounds = (6, 1) if quick else (8, 3)
    with receiving() as receiver, tempfile.TemporaryDirectory() as folder:
        host = receiver.url.removesuffix("/hook")
        peer, ours = Path(folder, "peer.py"), Path(folder, "ours.py")
        peer.write_text(_PEER.format(host=host))
        ours.write_text(_OURS.format(host=host, script="run_failed", rate=None, root=str(ROOT)))
        pairs = [(_rate(ours, seconds), _rate(peer, seconds)) for _ in range(rounds)]
        ours.write_text(_OURS.format(host=host, script="run_failed", rate=_ASKED, root=str(ROOT)))
        error = _rate_error(ours, 6 if quick else 30)
    return [
        Measurement(
            "signed events of one Locust worker",
            "1/s",
            statistics.median(pair[0] for pair in pairs),
            "a FastHttpUser that posts a constant body",
            statistics.median(pair[1] for pair in pairs),
            statistics.median(pair[0] / pair[1] for pair in pairs),
            Figure("ratio", "at least", 0.9),
        ),
        Measurement("rate error at 300/s", "%", error, figure=Figure("value", "at most", 1.0)),
    ]


def _rate(file: Path, seconds: int) -> float:
    """Requests a second between the first and the last."""
    report = file.with_suffix("")
    arguments = ["-f", str(file), "--headless", "-u", str(_USERS), "-r", str(_USERS), "-t", f"{seconds}s"]
    run(["-m", "locust", *arguments, "--only-summary", "--json-file", str(report)], file.parent)
    table: list[dict[str, Any]] = json.loads(report.with_suffix(".json").read_text())
    entries = [entry for entry in table if entry["method"] == "POST"]
    begin = min(entry["start_time"] for entry in entries)
    end = max(entry["last_request_timestamp"] for entry in entries)
    return float(sum(entry["num_requests"] for entry in entries) / (end - begin))


def _rate_error(file: Path, seconds: int) -> float:
    """By how many per cent the rate of the answers differs from the one asked for."""
    return abs(_rate(file, seconds) / _ASKED - 1) * 100
