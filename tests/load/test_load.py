"""Load on Locust, as its own command runs it: the ledger is right to the event.

Locust patches the standard library of the process that imports it, so it never enters this one.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.load.consumer import ROOT, SECRET, consumer
from tests.receiving import free_port

pytestmark = pytest.mark.full

LOCUST = [sys.executable, "-m", "locust"]


def truth(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/debug/truth") as answer:
        return json.load(answer)


def locustfile(folder: Path, url: str, **attributes: Any) -> Path:
    chosen = {"host": url, "path": "/hooks", "secret": SECRET, "probe": f"{url}/debug/count", **attributes}
    lines = [f"    {name} = {value!r}" for name, value in chosen.items()]
    file = folder / "locustfile.py"
    file.write_text("\n".join(["from mockserver.load import WebhookUser", "class Night(WebhookUser):", *lines, ""]))
    return file


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}


def locust(file: Path, *arguments: object, users: int = 20, seconds: int = 4) -> tuple[int, Any, str]:
    """Run a load to its end; returns its exit code, its ledger and what it printed."""
    ledger = file.with_suffix(".json")
    options = ["-f", file, "--headless", "-u", users, "-r", users, "-t", f"{seconds}s", "--only-summary"]
    command = [*LOCUST, *map(str, [*options, "--ledger", ledger, *arguments])]
    done = subprocess.run(
        command, env=environment(), cwd=file.parent, capture_output=True, text=True, timeout=300, check=False
    )
    found = json.loads(ledger.read_text())[0] if ledger.exists() else None
    return done.returncode, found, done.stdout + done.stderr


def two_processes() -> list[object]:
    """Options of a run in two processes, which meet at a port that no other run uses."""
    port = free_port()
    return ["--processes", 2, "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def assert_accounted(ledger: dict[str, Any]) -> None:
    """Every planned event is in one row of the ledger."""
    reasons = sum(ledger["failures"].values()) + sum(ledger["not_sent"].values())
    rows = ledger["accepted"] + ledger["refused_rightly"] + ledger["forged_accepted"] + ledger["unjudged"]
    assert ledger["planned"] == rows + reasons > 0


def test_the_file_of_the_page_runs(tmp_path: Path) -> None:
    """It can be copied: all that is changed here is where the consumer is, and what a busy machine may take."""
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/load.md").read_text(), re.MULTILINE | re.DOTALL)
    with consumer() as url:
        changes = {
            "http://localhost:3000": url,
            "/webhooks/playgent": "/hooks",
            "whsec_your_secret_key": SECRET,
            "250ms": "60s",
            "rate = 300": "rate = 50",
        }
        for shown, here in changes.items():
            assert shown in block
            block = block.replace(shown, here)
        file = tmp_path / "locustfile.py"
        file.write_text(block)
        code, ledger, printed = locust(file)
    assert code == 0, printed
    assert ledger["accepted"] > 0
    assert_accounted(ledger)


def test_a_correct_consumer_is_found_correct_whatever_is_thrown_at_it(tmp_path: Path) -> None:
    """Duplicates, other spellings, forgeries and slow bodies included, nothing is lost, doubled or accused."""
    faults = {
        "wrong_secret": 0.05,
        "duplicate": 0.05,
        "concurrent_duplicates(3)": 0.05,
        "spaced_json": 0.05,
        "slow_body(200ms)": 0.005,
    }
    with consumer() as url:
        code, ledger, printed = locust(locustfile(tmp_path, url, script="night_of_runs", faults=faults))
    assert code == 0, printed
    assert_accounted(ledger)
    assert ledger["effects"] == ledger["due"] == ledger["accepted"]
    assert ledger["refused_rightly"] > 0 == ledger["forged_accepted"]
    assert "run.completed [spaced_json]" in printed
    assert "Ledger of Night" in printed


def test_what_is_lost_is_counted_to_the_event_by_a_master_and_two_workers(tmp_path: Path) -> None:
    """The master adds up what its workers counted, and a lost event makes the exit code 1."""
    port = str(free_port())
    with consumer("loses") as url:
        file = locustfile(tmp_path, url, script="refund_flow", rate=150)
        worker = [*LOCUST, "-f", str(file), "--worker", "--master-port", port, "--master-host", "127.0.0.1"]
        workers = [subprocess.Popen(worker, env=environment(), stderr=subprocess.DEVNULL) for _ in range(2)]
        try:
            master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", 2]
            code, ledger, printed = locust(file, *master)
        finally:
            for process in workers:
                process.terminate()
                process.wait(60)
        lost = truth(url)["lost"]
    assert code == 1, printed
    assert_accounted(ledger)
    assert ledger["lost"] == lost > 0 == ledger["doubled"]


def test_what_is_doubled_under_concurrency_is_counted_to_the_event(tmp_path: Path) -> None:
    """Copies that are released together have two effects at a consumer that looks first and writes later."""
    with consumer("doubles") as url:
        file = locustfile(tmp_path, url, faults={"concurrent_duplicates": 0.3})
        code, ledger, printed = locust(file, *two_processes())
        doubled = truth(url)["doubled"]
    assert code == 1, printed
    assert ledger["doubled"] == doubled > 0 == ledger["lost"]


def test_effects_that_come_late_are_waited_for(tmp_path: Path) -> None:
    """The ledger says how long the consumer took to drain after the last answer."""
    with consumer("drains") as url:
        code, ledger, printed = locust(locustfile(tmp_path, url, rate=50), seconds=3)
    assert code == 0, printed
    assert ledger["effects"] == ledger["due"] > 0
    assert ledger["drain_seconds"] > 0.2


def test_the_same_seed_gives_the_same_events_whatever_the_number_of_workers(tmp_path: Path) -> None:
    """Only where the load ends do two loads at the same rate differ."""
    found = []
    ways: list[list[object]] = [[], two_processes()]
    for processes in ways:
        with consumer() as url:
            locust(locustfile(tmp_path, url, rate=100, seed=7), *processes)
            found.append(set(truth(url)["ids"]))
    fewer, more = sorted(found, key=len)
    assert len(fewer & more) > 0.7 * len(fewer)


def test_the_ledger_is_a_tab_of_the_web_page(tmp_path: Path) -> None:
    """Locust's page shows the ledger, and serves it as JSON."""
    port = free_port()
    with consumer() as url:
        options = ["--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "-u", "2", "-t", "3s"]
        command = [*LOCUST, "-f", str(locustfile(tmp_path, url)), *options]
        with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                next(line for line in process.stderr if "Starting web interface" in line)
                next(line for line in process.stderr if "stopping test" in line)
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/").read().decode()
                rows = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests"))["extended_stats"]
                ledger = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/ledger.json"))
            finally:
                process.terminate()
    assert '"title": "Ledger"' in page
    assert rows[0]["data"][0]["user"] == "Night"
    assert ledger[0]["planned"] > 0


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"secret": ""}, "Night has no secret"),
        ({"script": "refund_flo"}, "did you mean 'refund_flow'"),
        ({"faults": {"truncated_body": 0.1}}, "'truncated_body' cannot be sent under load"),
        ({"host": "http://198.51.100.1"}, "allow_hosts = ('198.51.100.1',)"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_nothing_is_sent(
    tmp_path: Path, attributes: dict[str, Any], message: str
) -> None:
    """Exit code 2, and no traceback."""
    with consumer() as url:
        code, ledger, printed = locust(locustfile(tmp_path, url, **attributes), users=1, seconds=5)
        assert truth(url)["ids"] == []
    assert code == 2
    assert ledger is None
    assert message in printed
    assert "Traceback" not in printed
