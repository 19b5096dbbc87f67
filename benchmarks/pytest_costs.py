"""What the plugin and the fixture cost a test suite, against other plugins and fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from pytest_httpserver import HTTPServer

from benchmarks.plugin_runs import only
from benchmarks.processes import run
from benchmarks.pytest_suites import CONFTEST, TRIVIAL, fixture_suite
from benchmarks.receiver import receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver import MockServer

_SERVER = "pytest_httpserver.HTTPServer"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to run each suite once or twice only.
    """
    with TemporaryDirectory() as folder:
        return [
            *_plugins(Path(folder), 2 if quick else 15),
            *_fixtures(Path(folder), 3 if quick else 100),
            *_sessions(2 if quick else 9),
        ]


def _plugins(folder: Path, count: int) -> list[Measurement]:
    suite = folder / "test_trivial.py"
    suite.write_text(TRIVIAL, encoding="utf-8")
    output = run(["-m", "benchmarks.plugin_runs", str(suite), str(count)])
    spent: dict[str, float] = json.loads(output.splitlines()[-1])
    without, ours = spent.pop("none"), spent.pop("mockserver")
    cost = max(ours - without, 0.0)  # less than nothing is noise
    return [
        Measurement(
            "plugin installed and not used, a run",
            "ms",
            cost,
            f"{peer} plugin",
            total - without,
            cost / (total - without),
            Figure("value", "at most", 5.0),
        )
        for peer, total in spent.items()
    ]


def _fixtures(folder: Path, count: int) -> list[Measurement]:
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    suite = folder / "test_fixtures.py"
    with receiving() as receiver:
        suite.write_text(fixture_suite(receiver.url, count), encoding="utf-8")
        run(["-m", "pytest", *only(("playgent_mockserver", "pytest_httpserver")), str(suite)], folder)
    seconds: dict[str, list[float]] = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    bare = _typical(seconds["test_bare"])
    mock, event, night = (_typical(seconds[f"test_{name}"]) - bare for name in ("mockserver", "event", "night"))
    http = _typical(seconds["test_httpserver"]) - bare
    first = seconds["test_night"][0] * 1000
    return [
        Measurement(
            "test that takes the fixture, over a bare one",
            "ms",
            mock,
            "httpserver fixture",
            http,
            mock / http,
            Figure("value", "at most", 0.1),
        ),
        Measurement("test: register, send one event, check", "ms", event, figure=Figure("value", "at most", 2.0)),
        Measurement(
            "test: replay night_of_runs",
            "ms",
            night,
            figure=Figure("value", "at most", 50.0),
            note=f"120 events; the first one of a session, with imports: {first:.0f} ms",
        ),
    ]


def _typical(seconds: list[float]) -> float:
    return median(seconds) * 1000


def _sessions(count: int) -> list[Measurement]:
    def ours() -> float:
        begin = perf_counter()
        MockServer().start().stop()
        return (perf_counter() - begin) * 1000

    def peer() -> float:
        begin = perf_counter()
        server = HTTPServer(host="127.0.0.1", port=0)
        server.start()
        server.stop()
        return (perf_counter() - begin) * 1000

    ours()  # once without counting: it imports
    rounds = Rounds({"ours": ours, _SERVER: peer}, count)
    return [
        rounds.row("starting and stopping the server", "ms", "ours", _SERVER, Figure("value", "at most", 50.0)),
    ]
