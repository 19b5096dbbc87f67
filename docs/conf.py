"""The documentation site: ``sphinx-build -W -n docs build/docs``. Its search works offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import mockserver  # noqa: E402 - from this checkout
from mockserver.cli import program  # noqa: E402 - as above

project = "playgent-mockserver"
author = "The playgent-mockserver developers"
version = release = mockserver.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
exclude_patterns = ["build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Links to files of the repository, which the site does not hold.
suppress_warnings = ["myst.xref_missing"]

html_theme = "furo"
html_title = f"playgent-mockserver {version}"
html_extra_path = ["llms.txt"]
html_copy_source = False
html_show_copyright = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
# Types of other projects, of which no inventory is at hand without a network.
nitpicky = False


def _help(*arguments: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout


def _command_line() -> str:
    """The page of the command line, from the program itself."""
    parts = ["# All commands and options", "", "```text", _help().rstrip(), "```", ""]
    for command in program.COMMANDS:
        parts += [f"## {command}", "", "```text", _help(command).rstrip(), "```", ""]
    return "\n".join(parts)


def _operations(title: str, document: dict[str, object], introduction: str) -> str:
    """A page of HTTP operations, from an OpenAPI document."""
    lines = [f"# {title}", "", introduction, "", "| operation | what it does |", "| --- | --- |"]
    paths: dict[str, dict[str, object]] = document["paths"]  # type: ignore[assignment] # JSON, as OpenAPI has it
    for path, operations in paths.items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                what = operation.get("summary") or operation.get("description", "")
                lines.append(f"| `{method.upper()} {path}` | {' '.join(str(what).split())} |")
    return "\n".join([*lines, ""])


def _write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with mockserver.MockServer() as mock:
        import urllib.request  # noqa: PLC0415 - for the build of the site alone

        documents = {}
        for path in ("/openapi.json", "/_mock/openapi.json"):
            with urllib.request.urlopen(mock.url + path) as answer:
                documents[path] = json.load(answer)
    pages = {
        "options.md": _command_line(),
        "vendor-api.md": _operations(
            "Vendor API",
            documents["/openapi.json"],
            "The vendor's routes; `/openapi.json` of a running mock has the fields.",
        ),
        "control-api.md": _operations(
            "Control API",
            documents["/_mock/openapi.json"],
            "For tests in any language; `/_mock/openapi.json` of a running mock has the fields.",
        ),
    }
    for name, text in pages.items():
        file = folder / name
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


_write(HERE / "reference")
