"""The documentation: what it shows can be copied, and the site builds."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mockserver.cli import program
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [page for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if "reference" not in page.parts]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page):
    """The commands of ours that a page shows, without those that a shell makes something else of."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").splitlines()
    shown = [line[2:].removeprefix("python -m ").removesuffix(" &") for line in lines if line.startswith("$ ")]
    return [line for line in shown if line.startswith("mockserver") and not set(line) & set("|;`")]


def test_every_command_is_one():
    """Each is taken by the command line: the command is there, and so are its options."""
    found = [(page.name, line) for page in PAGES for line in commands(page)]
    assert len(found) > 10
    for page, line in found:
        arguments = shlex.split(line)[1:] or ["serve"]
        try:
            group = program._program
            name, command, rest = group.resolve_command(click.Context(group), arguments)
            command.make_context(name, rest, resilient_parsing=True)
        except click.UsageError as error:
            pytest.fail(f"{page}: {line}: {error.message}")


def test_every_script_is_valid():
    """What a page shows as a script can be replayed."""
    scripts = [block for page in PAGES for block in blocks(page, "yaml") if block.startswith("version:")]
    assert len(scripts) > 1
    for script in scripts:
        read_script(script, load_catalog())


def test_every_test_compiles():
    """Python that is shown is Python."""
    for page in PAGES:
        for block in blocks(page, "python"):
            compile(block, page.name, "exec", flags=0x2000)  # top-level await is allowed, as in an async REPL


@pytest.mark.full
def test_the_tutorial_goes_as_it_says(tmp_path):
    """A green test, a red one that finds the bug, and the fix."""
    handler, test, check, fix = blocks(DOCS / "tutorial.md", "python")

    def outcome():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        return re.findall(r"\d+ (?:passed|failed)", done.stdout.splitlines()[-1]), done.stdout

    (tmp_path / "app.py").write_text(handler)
    (tmp_path / "test_app.py").write_text(test)
    assert outcome()[0] == ["1 passed"]
    (tmp_path / "test_check.py").write_text(check)
    found, printed = outcome()
    assert found == ["1 failed", "1 passed"]
    assert "PG030" in printed
    (tmp_path / "app.py").write_text(handler[: handler.index("@app.post")] + fix)
    found, printed = outcome()
    assert found == ["2 passed"], printed


@pytest.mark.full
def test_the_site_builds_without_a_warning(tmp_path):
    """Every page is in it, every link leads somewhere, and the search index is made."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        tmp_path / "trees",
        DOCS,
        tmp_path / "site",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "searchindex.js").exists()
    assert (tmp_path / "site" / "llms.txt").exists()
