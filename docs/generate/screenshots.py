"""Pictures of the dashboard and the reports: ``python -m docs.generate.screenshots [--docs]``, from the root.

They go to ``build/screenshots``, at two widths, light and dark, to be looked at; with ``--docs`` the two of the
documentation are made anew. Needs Playwright and Chromium.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mockserver import MockServer
from tests.dashboard.conftest import ARGUMENTS

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "build" / "screenshots"
SECRET = "whsec_pictured"


class Handler(BaseHTTPRequestHandler):
    """An application that refuses one run, and is down for a while."""

    count = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Handler.count += 1
        refused = b"run_refused7" in body
        status = 401 if refused else 503 if Handler.count in (9, 10, 21) else 200
        answer = json.dumps({"detail": "bad signature"} if refused else {"status": "handled"}).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            pass  # a fault has ended the connection: there is no one to answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def fill(mock: MockServer, url: str) -> None:
    """Let things happen that are worth a look."""
    mock.register(url, secret=SECRET)
    mock.start_replay("hostile_night", speed="max").result()
    mock.start_replay("night_of_runs", speed="max").result()
    events = ("run.failed", "run.completed", "evaluation.completed", "optimization.completed")
    for index in range(16):
        mock.send(events[index % 4], retry=[0, 0.01] if index % 5 == 0 else None)
    mock.send("run.failed", override={"run_id": "run_refused7"})


def main() -> None:
    """Make the pictures."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the browser's, needed here alone

    program = shutil.which("chromium") or "chromium"
    FOLDER.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/webhooks/playgent"
    with MockServer(strict_deliveries=False) as mock:
        fill(mock, url)
        (FOLDER / "replay.html").write_text(mock.replay("hostile_night", speed="max").html(), "utf-8")
        (FOLDER / "check.html").write_text(mock.check(url, SECRET).html(), "utf-8")
        last = next(each for each in reversed(mock.deliveries) if b"run_refused7" in each.event.payload).delivery_id
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            if "--docs" in sys.argv:
                for_docs(browser, mock.url, last)
            for scheme in ("light", "dark"):
                for width in (1280, 400):
                    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
                    for name, path, act in views(mock.url, last):
                        page.goto("about:blank")
                        page.goto(path)
                        page.wait_for_timeout(800)
                        act(page)
                        page.screenshot(path=FOLDER / f"{name}-{scheme}-{width}.png")
            browser.close()
    server.shutdown()
    print(f"the pictures are in {FOLDER.relative_to(ROOT)}")


def nothing(_: Any) -> None:
    """Do nothing."""


def press(key: str) -> Callable[[Any], None]:
    """What presses a key and lets the page follow."""

    def act(page: Any) -> None:
        page.keyboard.press(key)
        page.wait_for_timeout(600)

    return act


def views(mock: str, delivery: str) -> list[tuple[str, str, Callable[[Any], None]]]:
    """Each view: a name, an address, and what to do there."""
    ui = f"{mock}/_mock/ui/#"
    files = {name: (FOLDER / f"{name}.html").as_uri() for name in ("replay", "check")}
    return [
        ("deliveries", f"{ui}/deliveries", nothing), ("delivery", f"{ui}/deliveries/{delivery}", press("r")),
        ("send", f"{ui}/deliveries/{delivery}", press("e")), ("help", f"{ui}/deliveries", press("?")),
        ("timeline", f"{ui}/timeline?replay=rpl_000002", nothing), ("webhooks", f"{ui}/webhooks", nothing),
        ("calls", f"{ui}/calls", nothing), ("resources", f"{ui}/resources", nothing),
        ("scripts", f"{ui}/scripts/refund_flow", nothing), ("check", f"{ui}/check", nothing),
        ("report-replay", files["replay"], nothing), ("report-check", files["check"], nothing),
    ]  # fmt: skip


def for_docs(browser: Any, mock: str, delivery: str) -> None:
    """The two small ones of the documentation."""
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    page = browser.new_page(viewport={"width": 1080, "height": 620}, color_scheme="light")
    page.goto(f"{mock}/_mock/ui/#/deliveries/{delivery}")
    page.wait_for_timeout(800)
    press("r")(page)
    page.wait_for_timeout(4000)
    page.screenshot(path=folder / "dashboard.png")
    page.goto((FOLDER / "check.html").as_uri())
    page.screenshot(path=folder / "check-report.png")


if __name__ == "__main__":
    main()
