"""A newcomer's walk: an empty folder, the published package, and nothing but what the page says."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.packaging.installing import ROOT, TOOLS, run, uv_environment

pytestmark = pytest.mark.full

GUIDES = ROOT / "docs" / "guides"
FRAMEWORKS = ("aiohttp", "django", "express", "fastapi", "fastify", "flask", "starlette")


def steps(page: Path) -> tuple[list[str], str]:
    """The commands of a page, in order, and what it shows after each."""
    shown = re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = "".join(shown).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")], lines[-1]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_guide_leads_to_green_tests(framework: str, wheel: Path, tmp_path: Path) -> None:
    """Its files, under the names that it gives them; its installations; its last command."""
    page = GUIDES / f"{framework}.md"
    commands, result = steps(page)
    packages = [name for line in commands if line.startswith("pip install ") for name in shlex.split(line)[2:]]
    assert packages[0] == "playgent-mockserver"
    python = tmp_path / "venv/bin/python"
    run(TOOLS / "uv", "venv", "-q", "-p", sys.executable, tmp_path / "venv")
    code, printed = run(TOOLS / "uv", "pip", "install", "-q", "-p", python, wheel, *packages[1:], env=uv_environment())
    assert code == 0, printed
    folder = tmp_path / "project"
    folder.mkdir()
    for name in re.findall(r"{literalinclude} (\S+)", page.read_text("utf-8")):
        shutil.copy(page.parent / name, folder)
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        (folder / "test_check.py").write_text(block)
    for line in commands:
        if line.startswith("npm install "):
            code, printed = run(*shlex.split(line), "--no-audit", "--no-fund", cwd=folder)
            assert code == 0, printed
    assert commands[-1] == "pytest -q"
    code, printed = run(python, "-m", *shlex.split(commands[-1]), cwd=folder)
    assert (code, result in printed) == (0, True), printed
