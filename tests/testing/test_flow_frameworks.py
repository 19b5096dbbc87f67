"""A failed run reaches the application: in every framework, called in this process or on a port, sync and async."""

import json
import subprocess
import urllib.request
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver import MockServer
from tests.testing import flow_frameworks
from tests.testing.flow_frameworks import SECRET, Runs

ADDRESS = "https://your-app.com"
FAILED: dict[str, Any] = {"when": {"test_case_id": "tc_refund"}, "outcome": "failed", "turns": 3, "failed_turn": 2}
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}


def prepared(mock: MockServer, make: Callable[[Runs], Any]) -> Runs:
    """An application that is registered, and its runs."""
    runs = Runs()
    mock.route(ADDRESS, to=make(runs))
    mock.register(f"{ADDRESS}/hooks", secret=SECRET)
    mock.flow("POST /v1/runs", **FAILED)
    return runs


def django_app(runs: Runs) -> Any:
    """Imported when it is called: the default tier has no Django."""
    return import_module("tests.testing.flow_django").django_app(runs)


@pytest.mark.parametrize("make", [flow_frameworks.flask_app, pytest.param(django_app, marks=pytest.mark.full)])
def test_a_failed_run_reaches_a_sync_application(mockserver: MockServer, make: Callable[[Runs], Any]) -> None:
    """The application's own code starts the run; after settling it knows the end."""
    runs = prepared(mockserver, make)
    body = json.dumps({"test_case_id": "tc_refund"}).encode()
    request = urllib.request.Request(f"{mockserver.url}/v1/runs", body, HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        run_id = runs.started(json.load(answer))
    mockserver.settle()
    assert runs.states[run_id] == "failed"


@pytest.mark.parametrize(
    "make", [flow_frameworks.fastapi_app, pytest.param(flow_frameworks.aiohttp_app, marks=pytest.mark.full)]
)
async def test_a_failed_run_reaches_an_async_application(mockserver: MockServer, make: Callable[[Runs], Any]) -> None:
    """On the loop of the test, which settling does not block."""
    runs = prepared(mockserver, make)
    async with httpx.AsyncClient(headers=HEADERS, trust_env=False) as client:
        answer = await client.post(f"{mockserver.url}/v1/runs", json={"test_case_id": "tc_refund"})
        run_id = runs.started(answer.json())
    await mockserver.asettle()
    assert runs.states[run_id] == "failed"


@pytest.mark.full
def test_a_failed_run_reaches_an_application_in_node(mockserver: MockServer) -> None:
    """It registers, starts the run and takes the event on its own port."""
    mockserver.flow("POST /v1/runs", **FAILED)
    program = Path(__file__).with_name("flow_app.mjs")
    command = ["node", str(program), mockserver.url, SECRET]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin
        assert node.stdout
        runs = json.loads(node.stdout.readline())
        node.stdin.close()
        assert node.wait(60) == 0
    assert list(runs.values()) == ["failed"]
    mockserver.settle()
    (resource,) = mockserver.resources
    assert [resource.resource_id] == list(runs)
