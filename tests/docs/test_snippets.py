"""Every block of Python that a page shows runs: as a test, with the application that the page takes for granted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.consumers.serve import serve_flask
from tests.docs.test_pages import DOCS, PAGES, ROOT, blocks

#: An application that handles each run once, and starts runs of its own, in the standard library's words.
APP = """
import json
import ssl
import threading
import urllib.request
from types import SimpleNamespace

import pytest

from mockserver import verify


class App:
    def __init__(self):
        self.runs = {}
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        if not verify(body, environ.get("HTTP_X_PLAYGENT_SIGNATURE", ""), "whsec_test"):
            start_response("401 Unauthorized", [])
            return [b""]
        event = json.loads(body)
        with self.lock:
            run = self.runs.setdefault(event["data"]["run_id"], SimpleNamespace())
            run.state = event["event"].removeprefix("run.")
        start_response("200 OK", [])
        return [b""]


def post(url, content, ca_file=None):
    headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(content).encode(), headers)
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    with urllib.request.urlopen(request, context=context) as answer:
        return json.load(answer)


HOOK = {"url": "https://your-app.com/webhooks/playgent", "events": ["run.failed"], "secret": "whsec_test"}


def start_nightly_run(base_url):
    post(base_url + "/v1/webhooks", HOOK)
    return post(base_url + "/v1/runs", {"agent_id": "agt_1", "test_case_id": "tc_refund"})["run_id"]


def start_the_app(url, ca_file):
    post(url + "/v1/webhooks", HOOK, ca_file)


@pytest.fixture
def app():
    return App()


"""

SETTINGS = """
[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""

#: Pages whose Python another test runs: the tutorial, and a file of its own for Locust.
ELSEWHERE = {"tutorial.md": "tests/docs/test_pages.py", "load.md": "tests/load/test_load.py"}


def snippets(page: Path) -> list[str]:
    """The blocks of a page, without those that tests/test_examples.py and tests/testing/test_recipes.py run."""
    if page.name in ELSEWHERE or page.parent.name == "guides":  # which tests/packaging follows to the letter
        return []
    text = page.read_text("utf-8")
    if page.name == "testing-your-handler.md":
        text = text.partition("\n## A green test")[2]
        text = re.sub(r"`examples/[^`]+`:\n\n```python\n.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


WITH_SNIPPETS = [page for page in PAGES if snippets(page)]


def test_each_exception_is_one() -> None:
    """A page that another test runs shows Python, and that test is there."""
    for name, test in ELSEWHERE.items():
        assert blocks(DOCS / name, "python")
        assert (ROOT / test).exists()


@pytest.mark.full
def test_the_snippets_pass(tmp_path: Path) -> None:
    """Each as a module named after its page, in one suite; what is not a test runs when it is imported."""
    tests = 0
    with serve_flask("whsec_test", None) as consumer:
        for page in WITH_SNIPPETS:
            for number, block in enumerate(snippets(page)):
                text = block.replace("http://127.0.0.1:3000/webhooks/playgent", consumer.webhook_url)
                found = len(re.findall(r"^(?:async )?def test_", text, re.MULTILINE))
                more = "" if found else "\n\ndef test_it_runs():\n    pass\n"
                (tmp_path / f"test_{page.stem}_{number}.py").write_text(APP + text + more)
                tests += found or 1
        (tmp_path / "pytest.ini").write_text(SETTINGS)
        plugins = ["-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:randomly"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert f"{tests} passed in" in done.stdout, done.stdout + done.stderr
