"""The README: its commands do what it shows, and its examples run."""

import re
from pathlib import Path

import pytest
import yaml

from mockserver.checks.registry import CHECKS
from tests.cli.program import mockserver
from tests.consumers.mistakes import MISTAKES
from tests.consumers.serve import serve_flask
from tests.test_wings import WINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shape(text: str) -> str:
    """What must be the same: the numbers of a run are its own."""
    return re.sub(r" +\d+\.\d ms|127\.0\.0\.1:\d+", "#", text)


def test_the_first_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """In an empty folder, to the letter but for ports and times."""
    shown = blocks("console")[0].split("\n", 1)[1]
    done = mockserver("replay", "refund_flow", "--speed", "max", cwd=tmp_path, COLUMNS="80")
    assert done.code == 0
    assert shape(done.out) == shape(shown)


def test_the_workflow_snippets_install_before_they_run() -> None:
    """Each snippet for a CI is YAML whose first command that is ours comes after the installation."""
    snippets = [block for block in blocks("yaml") if not block.startswith("version:")]
    assert len(snippets) == 2
    for snippet in snippets:
        assert yaml.safe_load(snippet)
        ours = re.findall(r"pip install playgent-mockserver$|mockserver (?:check|replay) ", snippet, re.MULTILINE)
        assert ours[0].startswith("pip")


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_paths_that_contributors_are_shown_are_there(name: str) -> None:
    """A path in code font is one of the repository, or of the package."""
    text = (ROOT / name).read_text("utf-8")
    paths = set(re.findall(r"`((?:[\w.]+/)+(?:[\w.]+\.\w+)?)`", text)) - {f"{wing}/" for wing in WINGS}
    missing = [path for path in paths if not (ROOT / path).exists() and not (ROOT / "mockserver" / path).exists()]
    assert missing == []


def test_it_stays_short() -> None:
    """It shows things working; the rest has its own pages."""
    assert len(README.splitlines()) <= 130


def test_a_check_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Line for line, but for what is left out: of a consumer that takes events without a signature."""
    (shown,) = [block for block in blocks("console") if "mockserver check" in block]
    secret = "whsec_your_secret_key"
    with serve_flask(secret, "missing_signature_accepted") as consumer:
        options = ("--secret", secret, "--skip", "PG052,PG053")
        done = mockserver("check", consumer.webhook_url, *options, cwd=tmp_path, COLUMNS="80")
    assert done.code == 1
    printed = iter(done.out.splitlines())
    for line in shown.splitlines()[1:]:
        start = line.removesuffix("...")
        assert any(each.startswith(start) for each in printed), line


def test_the_numbers_of_checks_and_mistakes_are_those_that_there_are() -> None:
    """They are counted, and the matrix shows that each mistake is caught."""
    consumers = sum(len(mistake.consumers) for mistake in MISTAKES.values())
    assert f"[{len(CHECKS)} checks](docs/checks.md)" in README
    assert f"{len(MISTAKES)} mistakes, {consumers} consumers" in README
