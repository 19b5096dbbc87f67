"""The examples, run as their readers would run them: each copied to a folder of its own, with a pytest of its own."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mockserver import MockServer
from tests.receiving import free_port

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FOLDERS = ("aiohttp", "check", "django", "express", "fastapi", "fastify", "flask", "node", "starlette")
#: Programs in Node.js, which have a page each in docs/guides.
NODE = ("express", "fastify")
PAGE = ROOT / "docs" / "testing-your-handler.md"


def test_every_example_is_run() -> None:
    """None is missing, and each is run."""
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders == {*FOLDERS, "compose"}  # which tests/packaging runs


@pytest.mark.full
@pytest.mark.parametrize("example", FOLDERS)
def test_the_example_works(example: str, tmp_path: Path) -> None:
    """All of its tests pass, none is skipped, and there is no warning."""
    folder = _copied(example, tmp_path)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PLAYGENT_"))}
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert re.search(r"=+ 2 passed in ", done.stdout), done.stdout + done.stderr
    assert done.returncode == 0


#: How each example is served for the check: in production it would be with a server like these.
SERVED = {
    "aiohttp": "from aiohttp import web; import app; web.run_app(app.create_app(), port={port}, print=None)",
    "check": "import waitress, app; waitress.serve(app.app, port={port})",
    "django": "import waitress, app; waitress.serve(app.application, port={port})",
    "fastapi": "import uvicorn, app; uvicorn.run(app.app, port={port})",
    "flask": "import waitress, app; waitress.serve(app.app, port={port})",
    "starlette": "import uvicorn, app; uvicorn.run(app.app, port={port})",
}


@pytest.mark.full
@pytest.mark.parametrize("example", FOLDERS)
def test_the_example_passes_every_check(example: str, tmp_path: Path) -> None:
    """What people copy is right, also where a check only says should; served on a port, by a server of its kind."""
    port = free_port()
    environment = {**os.environ, "PLAYGENT_WEBHOOK_SECRET": "whsec_of_an_example", "PORT": str(port)}
    code = SERVED.get(example, "").format(port=port)
    served = [sys.executable, "-c", code] if code else ["node", "app.mjs"]
    with MockServer(timeout=60) as mock, (tmp_path / "log").open("wb") as log:
        environment |= {"PLAYGENT_URL": mock.url, "PLAYGENT_API_KEY": "key"}
        process = subprocess.Popen(served, cwd=_copied(example, tmp_path), env=environment, stdout=log, stderr=log)
        try:
            _await_port(port)
            mock.route("https://your-app.com", to=f"http://127.0.0.1:{port}")
            url = "https://your-app.com/webhooks/playgent"
            report = mock.check(url, "whsec_of_an_example", fail_on="should")
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait()
    report.raise_for_failures()


def _copied(example: str, folder: Path) -> Path:
    """An example in a folder of its own, with what it needs from npm."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns("__pycache__", ".*", "node_modules"))
    if (copy / "package.json").exists():
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(npm, cwd=copy, check=True, capture_output=True, timeout=300)
    return copy


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


def test_the_page_shows_the_examples_as_they_are() -> None:
    """Each block of code in the page is the file that is named above it, and no example of Python is left out."""
    shown = re.findall(r"`(examples/[^`]+)`:\n\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    tests = sorted(str(path.relative_to(ROOT)) for path in EXAMPLES.glob("*/test_*.py") if path.parent.name not in NODE)
    assert sorted(path for path, _ in shown) == tests
    for path, text in shown:
        assert text == (ROOT / path).read_text("utf-8"), path
