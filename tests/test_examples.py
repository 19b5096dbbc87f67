"""The examples, run as their readers would run them: each copied to a folder of its own, with a pytest of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FOLDERS = ("aiohttp", "check", "django", "express", "fastapi", "fastify", "flask", "node", "starlette")
#: Programs in Node.js, which have a page each in docs/guides.
NODE = ("express", "fastify")
PAGE = ROOT / "docs" / "testing-your-handler.md"


def test_every_example_is_run():
    """None is missing, and none is there that nobody runs."""
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders == {*FOLDERS, "compose"}  # which tests/packaging runs


@pytest.mark.full
@pytest.mark.parametrize("example", FOLDERS)
def test_the_example_works(example, tmp_path):
    """All of its tests pass, none is skipped, and there is no warning."""
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    if (folder / "package.json").exists():
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=300)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PLAYGENT_"))}
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert re.search(r"=+ 2 passed in ", done.stdout), done.stdout + done.stderr
    assert done.returncode == 0


def test_the_page_shows_the_examples_as_they_are():
    """Each block of code in the page is the file that is named above it, and no example of Python is left out."""
    shown = re.findall(r"`(examples/[^`]+)`:\n\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    tests = sorted(str(path.relative_to(ROOT)) for path in EXAMPLES.glob("*/test_*.py") if path.parent.name not in NODE)
    assert sorted(path for path, _ in shown) == tests
    for path, text in shown:
        assert text == (ROOT / path).read_text("utf-8"), path
