"""The page's files: their headers, their size, who is sent to them, and that no one reads them before."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from mockserver.dashboard import STATIC
from tests.control_api.calling import Control, controlling
from tests.presence import present
from tests.tables import each_row


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    async with controlling() as running:
        yield running


async def test_the_page_and_its_headers(control: Control) -> None:
    """Every file is served under a policy that allows nothing from elsewhere and nothing inline."""
    for name in ["", *(file.name for file in STATIC.iterdir())]:
        async with control.session.get(f"{control.url}/_mock/ui/{name}") as answer:
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            tag = answer.headers["ETag"]
        async with control.session.get(f"{control.url}/_mock/ui/{name}", headers={"If-None-Match": tag}) as again:
            assert again.status == 304


@each_row("name", ["nope.js", "../__init__.py", "..%2f__init__.py", "%2e%2e/files.py", "files.py"])
async def test_no_other_file_is_served(control: Control, name: str) -> None:
    """Only the files of the page, by their names."""
    async with control.session.get(f"{control.url}/_mock/ui/{name}") as answer:
        assert answer.status == 404
        assert "import" not in await answer.text()


@each_row("path", ["/", "/_mock", "/_mock/", "/_mock/ui"])
async def test_browsers_are_sent_to_the_page(control: Control, path: str) -> None:
    """What asks for HTML is; everyone else gets the answer as ever."""
    browser = {"Accept": "text/html,application/xhtml+xml"}
    async with control.session.get(control.url + path, headers=browser, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/_mock/ui/")
    if path != "/_mock/ui":
        async with control.session.get(control.url + path) as answer:
            assert answer.status == 404
            assert "error" in await answer.json()


async def test_pages_of_others_get_nothing(control: Control) -> None:
    """A foreign Host or Origin is refused, as by the control API."""
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        async with control.session.get(f"{control.url}/_mock/ui/", headers=headers) as answer:
            assert answer.status == 403


def test_the_page_can_be_left_out() -> None:
    """Nothing is at its address then, and no one is sent there."""
    with subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--no-ui"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = present(re.search(r"http://\S+", present(server.stdout).readline()))[0]
            for path in ("/", "/_mock/ui/"):
                asked = urllib.request.Request(url + path, headers={"Accept": "text/html"})
                with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                    urllib.request.urlopen(asked)
                refused.value.close()
        finally:
            server.terminate()


def test_nothing_of_it_is_read_before_someone_looks() -> None:
    """What `serve` imports is what mounts the page, and nothing else of it, nor what only the page asks for."""
    code = (
        "import sys, mockserver.cli.serve_run\n"
        "late = ('dashboard', 'mockserver.checks.', 'mockserver.reports.html', 'mockserver.reports.snippets')\n"
        "print([name for name in sys.modules if any(part in name for part in late)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mockserver.dashboard']"


def test_the_files_are_small_and_self_contained() -> None:
    """At most 120 kB, nothing inline, nothing from elsewhere, no way to make markup of text."""
    files = {file.name: file.read_text("utf-8") for file in STATIC.iterdir()}
    assert sum(len(text.encode()) for text in files.values()) <= 120_000
    page = files["index.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=", page)
    for name, text in files.items():
        assert not re.search(r"(?:src|href|import|from|url)\W{1,3}https?://", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), name
