"""Where methods that wait are refused, and where not."""

import asyncio
from shutil import which
from typing import Any

import greenlet
import pytest

from mockserver import MockServer
from tests.consumers.serve import serve_wsgi
from tests.receiving import SECRET

PAGE = b"""<!doctype html><title>Runs</title><ul id="runs"></ul><script>
setInterval(async () => {
  document.querySelector("#runs").textContent = await (await fetch("/runs")).text()
}, 50)
</script>"""


async def accept(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - as servers call it
    """Accept everything: an application that needs no server."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_loop_in_another_greenlet_is_not_blocked() -> None:
    """As that of Playwright's sync API, which hands over to the test in the middle of a task.

    No application runs on it either: it stands still until the test waits for the browser.
    """
    test = greenlet.getcurrent()

    async def hand_over() -> None:
        test.switch()

    loop = asyncio.new_event_loop()
    beside = greenlet.greenlet(lambda: loop.run_until_complete(hand_over()))
    with MockServer() as mock:
        beside.switch()
        try:
            assert asyncio.get_running_loop() is loop
            assert mock.send("run.failed", nobody_ok=True).deliveries == ()
            mock.route("https://app.example", to=accept)
            mock.register("https://app.example/hooks", secret=SECRET)
            assert mock.send("run.failed").delivered
            mock.shut_down_apps()
        finally:
            beside.switch()
            loop.close()


@pytest.mark.full
def test_with_playwright() -> None:
    """A page of the application shows the event, in a plain sync test."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a tool of the full tier

    runs = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            runs.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        start_response("200 OK", [("Content-Type", "text/html" if environ["PATH_INFO"] == "/" else "text/plain")])
        return [PAGE if environ["PATH_INFO"] == "/" else "".join(runs).encode()]

    with MockServer() as mock, serve_wsgi(app) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = browser.new_page()
        page.goto(url)
        mock.register(f"{url}/hooks", secret=SECRET)
        assert mock.send("run.failed").delivered
        page.wait_for_selector("#runs:has-text('run_def456')", timeout=60_000)
        browser.close()
