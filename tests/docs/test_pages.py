"""The documentation: what it shows can be copied, and the site builds."""

import json
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from mockserver.cli import program
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [page for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if "reference" not in page.parts]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The commands of ours, for a shell or a CI, without those that a shell makes something else of."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    shown = re.findall(r"^(?:\$ (?:python -m )?| *- (?:run: )?)(mockserver\b.*)", text, re.MULTILINE)
    return [line.removesuffix(" &") for line in shown if not set(line) & set("|;`")]


def test_every_command_is_one() -> None:
    """Each is taken by the command line: the command is there, and so are its options."""
    pages = {*PAGES, *ROOT.glob("*.md"), *ROOT.glob(".github/*.md")}
    found = [(page.name, line) for page in pages for line in commands(page)]
    assert len(found) > 10
    for page, line in found:
        arguments = shlex.split(line, comments=True)[1:] or ["serve"]
        try:
            group = program._program
            _, command, rest = group.resolve_command(click.Context(group), arguments)
            assert command
            command.make_parser(click.Context(command)).parse_args(rest)
        except click.UsageError as error:
            pytest.fail(f"{page}: {line}: {error.message}")


def test_every_script_is_valid() -> None:
    """What a page shows as a script can be replayed."""
    scripts = [block for page in PAGES for block in blocks(page, "yaml") if block.startswith("version:")]
    assert len(scripts) > 1
    for script in scripts:
        read_script(script, load_catalog())


def test_every_test_compiles() -> None:
    """Python that is shown is Python."""
    for page in PAGES:
        for block in blocks(page, "python"):
            compile(block, page.name, "exec", flags=0x2000)  # top-level await is allowed, as in an async REPL


@pytest.mark.full
def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    """A green test, a red one that finds the bug, and the fix."""
    handler, test, check, fix = blocks(DOCS / "tutorial.md", "python")

    def outcome() -> tuple[list[str], str]:
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


#: What a reader types into the search, and a page that must be found.
SEARCHES = {
    "express signature": "symptoms/signature-never-matches",
    "csrf": "symptoms/django-403",
    "retry": "scripts",
    "duplicate": "faults",
    "twice": "symptoms/twice",
    "compose": "guides/containers",
    "junit": "guides/ci",
    "locust": "load",
}


class Links(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str | None] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if tag == "a" and (link := given.get("href")):
            self.links.append(link)
        loaded = given.get("src") or (given.get("href") if tag == "link" else None)
        if loaded:
            self.loaded.append(loaded)


@pytest.mark.full
def test_the_site_is_whole(tmp_path: Path) -> None:
    """Built without a warning, every link leads somewhere, nothing comes from elsewhere, and the search answers."""
    site = tmp_path / "html"
    places: list[str | Path] = ["-d", tmp_path / "trees", DOCS, site]
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert broken_links(site) == []
    assert missed_searches(site) == []


def broken_links(site: Path) -> list[tuple[str, str]]:
    """Links to pages, or places in them, that are not there; fails where a page loads something from elsewhere."""
    pages = {page.resolve(): Links(page) for page in site.rglob("*.html")}
    broken = []
    for page, found in pages.items():
        assert not [each for each in found.loaded if urlsplit(each).netloc]
        for link in [*found.links, *found.loaded]:
            url = urlsplit(link)
            if url.scheme in ("http", "https", "data"):
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            place = unquote(url.fragment)
            if not target.exists() or (place and target in pages and place not in pages[target].ids):
                broken.append((page.name, link))
    links = re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text("utf-8"))
    assert links
    return broken + [("llms.txt", link) for link in links if not (site / link).exists()]


def missed_searches(site: Path) -> list[tuple[str, str]]:
    """Searches that do not find their page, by the index that comes with the site: it has stems, as retri for retry."""
    index = json.loads((site / "searchindex.js").read_text("utf-8").removeprefix("Search.setIndex(").removesuffix(")"))

    def pages_with(word: str) -> set[int]:
        found: set[int] = set()
        for term, pages in [*index["terms"].items(), *index["titleterms"].items()]:
            if len(term) > 3 and word.startswith(term[:-1]) and len(term) <= len(word) <= len(term) + 3:
                found |= {pages} if isinstance(pages, int) else set(pages)
        return found

    missed = []
    for query, wanted in SEARCHES.items():
        found = set.intersection(*(pages_with(word) for word in query.split()))
        if index["docnames"].index(wanted) not in found:
            missed.append((query, wanted))
    return missed


def test_every_link_of_a_page_leads_somewhere() -> None:
    """To a file or folder of the repository, and to a heading that is there."""
    broken = []
    for page in [*PAGES, *ROOT.glob("*.md"), *ROOT.glob(".github/*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            url = urlsplit(link)
            target = page.parent / url.path if url.path else page
            if url.scheme or "reference/" in link:  # elsewhere, or made when the site is built
                continue
            if not target.exists() or (url.fragment and url.fragment not in anchors(target)):
                broken.append((page.name, link))
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The ids of headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
