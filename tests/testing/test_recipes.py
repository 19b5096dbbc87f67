"""The recipes of docs/testing-your-handler.md run as they are."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-handler.md"

#: What the recipes take for granted: a handler, and a client of the vendor's API.
GIVEN = """
import asyncio, json, time, unittest, urllib.error, urllib.request
import http.client
import pytest
from mockserver import MockServer, verify

SECRET = "whsec_x"
failed_runs = []
failures = []


def fail_once():
    failures.append(1)


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if not verify(body, environ.get("HTTP_X_PLAYGENT_SIGNATURE", ""), SECRET):
        start_response("401 Unauthorized", [])
    elif failures:
        failures.pop()
        start_response("500 Internal Server Error", [])
    else:
        start_response("200 OK", [])
        run_id = json.loads(body)["data"]["run_id"]
        failed_runs.extend([run_id] if run_id not in failed_runs else [])
    return [b""]


def register(url, hook="https://svc.example/hooks"):
    body = json.dumps({"url": hook, "events": ["run.failed"], "secret": SECRET}).encode()
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/webhooks", body, headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.status
    except (ConnectionError, http.client.HTTPException, urllib.error.URLError):
        return None


class SelfRegistering:
    def __init__(self, url):
        self.url = url

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await asyncio.to_thread(register, self.url)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})


@pytest.fixture(autouse=True)
def clean():
    failed_runs.clear()
    failures.clear()


@pytest.fixture
def hook(mockserver):
    mockserver.route("https://your-app.com", to=app)
    return mockserver.register("https://your-app.com/hooks", events=["run.failed"], secret=SECRET)


"""


def test_the_recipes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of the section passes, in one suite with warnings as errors."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    section = PAGE.read_text("utf-8").partition("\n## Recipes\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    tests = "\n\n".join(blocks)
    pytester.makepyfile(GIVEN + tests)
    pytester.makeini("[pytest]\nfilterwarnings = error")
    result = pytester.runpytest_subprocess("-p", "playgent_mockserver.pytest_plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(re.findall(r"^ *def test_", tests, re.MULTILINE)))
