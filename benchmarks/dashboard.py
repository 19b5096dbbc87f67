"""The dashboard in Chromium: the first rows of 10,000, a flood of deliveries, and what it costs when no one looks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from benchmarks.rounds import Rounds
from benchmarks.startup import start
from benchmarks.table import Figure, Measurement
from mockserver import MockServer

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"]
_BLANK = "first paint of a blank page"
_SERVE = ("-m", "mockserver", "serve", "--port", "0")
_WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector('.row:not([hidden])')) return;
  observer.disconnect();
  requestAnimationFrame(() => { window.firstRows = performance.now(); });
}).observe(document, {subtree: true, childList: true, attributes: true});
window.longest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({entryTypes: ['longtask']});
"""


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to take fewer deliveries, once.
    """
    return [*_page(quick=quick), *_unwatched(quick=quick)]


def _page(*, quick: bool) -> list[Measurement]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other topics run without it

    count, seconds, times = (100, 1, 1) if quick else (10_000, 20, 5)
    with sync_playwright() as playwright, _mock() as mock:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)
        steps = [{"event": "run.failed", "repeat": count, "concurrency": 100}]
        mock.start_replay({"version": 1, "steps": steps}, speed="max").result()
        rounds = Rounds({"ours": lambda: _first_rows(browser, mock), _BLANK: lambda: _blank(browser)}, times)
        longest, growth = _flood(browser, mock, seconds, 300 if quick else 3000)
        browser.close()
    return [
        rounds.row(
            f"dashboard: first rows of {count}, CPU slowed 4 times", "ms", "ours", _BLANK,
            Figure("value", "at most", 1000),
        ),
        Measurement(f"dashboard: longest task, 500 deliveries/s for {seconds} s", "ms", longest,
                    figure=Figure("value", "at most", 100)),
        Measurement("dashboard: memory gained meanwhile", "MB", growth, figure=Figure("value", "at most", 10)),
    ]  # fmt: skip


def _unwatched(*, quick: bool) -> list[Measurement]:
    without = (*_SERVE, "--no-ui")
    memory: dict[str, float] = {}

    def begin(name: str, command: tuple[str, ...]) -> float:
        started = start(command)
        memory[name] = started.megabytes
        return started.milliseconds

    contenders = {"ours": lambda: begin("ours", _SERVE), "--no-ui": lambda: begin("--no-ui", without)}
    rounds = Rounds(contenders, 1 if quick else 15)
    at_most = Figure("ratio", "at most", 1.02)
    return [
        rounds.row("`serve` with the dashboard: start", "ms", "ours", "--no-ui", at_most),
        Measurement("`serve` with the dashboard: memory", "MB", memory["ours"], "--no-ui", memory["--no-ui"],
                    memory["ours"] / memory["--no-ui"], at_most),
    ]  # fmt: skip


@contextmanager
def _mock() -> Iterator[MockServer]:
    app = web.Application()
    app.router.add_post("/hooks", _accept)
    with MockServer(strict_deliveries=False) as mock:
        mock.route("https://consumer.example", to=app)
        mock.register("https://consumer.example/hooks")
        yield mock
        mock.shut_down_apps()


async def _accept(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


def _slowed(browser: Any) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return page


def _first_rows(browser: Any, mock: MockServer) -> float:
    page = _slowed(browser)
    page.add_init_script(_WATCH)
    page.goto(f"{mock.url}/_mock/ui/")
    while not (first := page.evaluate("window.firstRows ?? 0")):
        page.wait_for_timeout(20)
    page.close()
    return float(first)


def _blank(browser: Any) -> float:
    page = _slowed(browser)
    page.goto("data:text/html,<p>blank</p>")
    while not (first := page.evaluate("performance.getEntriesByType('paint')[0]?.startTime ?? 0")):
        page.wait_for_timeout(20)
    page.close()
    return float(first)


def _flood(browser: Any, mock: MockServer, seconds: int, settle: float) -> tuple[float, float]:
    """The longest task in milliseconds, and the memory gained in MB, over a flood that the settled page watches."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(_WATCH)
    page.goto(f"{mock.url}/_mock/ui/")
    page.wait_for_timeout(settle)
    page.evaluate("window.longest = 0")
    before = page.evaluate("performance.memory.usedJSHeapSize")
    steps = [{"event": "run.failed", "repeat": 500 * seconds, "every": "2ms"}]
    running = mock.start_replay({"version": 1, "pacing": "timed", "steps": steps}, speed=1)
    while not running.done:
        page.wait_for_timeout(500)
    page.wait_for_timeout(500)
    longest, after = page.evaluate("window.longest"), page.evaluate("performance.memory.usedJSHeapSize")
    page.close()
    return float(longest), (after - before) / 1e6
