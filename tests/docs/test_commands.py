"""Every command that a page shows is run as it is shown, against a consumer and a mock on ports of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockserver import sign
from tests.consumers import inbox
from tests.consumers.flask_app import create_app
from tests.consumers.serve import serve_wsgi
from tests.docs.test_pages import PAGES, ROOT, blocks
from tests.receiving import free_port
from tests.test_examples import _copied

SECRET = "whsec_of_the_pages"

#: What is not run here, and what runs it instead, or why nothing does.
ELSEWHERE = {
    r"(pip|npm) install ": "tests/packaging follows the guides, and installs the package in every way",
    r"python -m venv ": "as above",
    r"pytest": "tests/docs/test_snippets.py runs the tutorial, .ci/run the tests of the project",
    r"python -m benchmarks": ".ci/run measures with --quick",
    r"MOCKSERVER_BENCHMARK_EVENTS=": "as above",
    r"locust ": "tests/load runs it on one and on several processes",
    r"podman ": "needs a container engine; tests/packaging runs the steps",
    r"mockserver replay .* --allow-host staging": "leaves this machine; tests/delivery has the guard",
}

#: A page without a script of its own uses this one.
SCRIPT = "version: 1\nsteps:\n  - event: run.failed\n"
WAITING = "version: 1\nsteps:\n  - {await: registration, events: [run.failed], within: 60s}\n  - event: run.failed\n"

#: What a page's commands must have printed, beside ending well.
PRINTED = {
    "README.md": ["mockserver is ready: http://127.0.0.1:", "dlv_000001", "PG010"],
    "ci.md": ["as expected"],
    "command-line.md": ["as expected"],
    "dashboard.md": ["nearest", "as expected", "PG010"],
    "express.md": ["PG010"],
    "fastify.md": ["PG010"],
    "flows.md": ["mockserver is ready"],
    "index.md": ["as expected"],
    "no-effect.md": ["PG072"],
    "signature-never-matches.md": [sign(b'{"event":"run.failed"}', SECRET), "PG010"],
    "testing-your-handler.md": ["webhook_id"],
}


def lines_of(page: Path) -> list[str]:
    """The commands of a page, without their prompt; a line that ends in a backslash goes on."""
    text = "".join(blocks(page, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def is_elsewhere(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in ELSEWHERE)


RUN_HERE = [page for page in PAGES if not all(is_elsewhere(line) for line in lines_of(page))]


def test_what_is_not_run_is_still_shown() -> None:
    """Each exception is one that a page needs."""
    shown = [line for page in PAGES for line in lines_of(page)]
    assert [pattern for pattern in ELSEWHERE if not any(re.match(pattern, line) for line in shown)] == []
    assert set(PRINTED) <= {page.name for page in RUN_HERE}


@contextmanager
def served() -> Iterator[int]:
    """A correct consumer that takes events at both paths that pages use, and answers with its count."""
    app = create_app(SECRET)
    app.add_url_rule(
        "/debug/count", view_func=lambda: str(app.test_client().get(inbox.EVENTS_PATH).get_json()["count"])
    )
    inner = app.wsgi_app

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/hooks":
            environ["PATH_INFO"] = inbox.WEBHOOK_PATH
        return inner(environ, start_response)

    with serve_wsgi(answer) as url:
        yield int(url.rpartition(":")[2])


#: What the shell of a session can do beside the commands of the page.
SHELL = """
set -e
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
register() {
  mockserver health --wait 120s >/dev/null
  curl -sf "$MOCKSERVER_SERVER/_mock/webhooks" -H 'Content-Type: application/json' -d "$HOOK"
}
npm() { register; }
"""


def session(page: Path, port: int, consumer: int) -> str:
    """The commands as a shell script: what goes on until it is stopped runs in the background, with a webhook."""
    text = "\n".join(line for line in lines_of(page) if not is_elsewhere(line))
    text = re.sub(r"whsec_[a-z_]+", SECRET, text.replace("localhost:3000", f"localhost:{consumer}"))
    lines = text.replace("127.0.0.1:8484", f"127.0.0.1:{port}").splitlines()
    script = [SHELL]
    if lines[0].startswith("curl"):
        script.append("mockserver serve & register")
    for line in lines:
        if line == "mockserver" or (line.startswith("mockserver serve") and "--exit" not in line):
            script.append(f"{line} & register")
        elif line.endswith("--follow"):
            script.append(f"{line} &")
        elif "--exit" in line and not line.endswith("&"):
            script.append(f"register & {line}")
        else:
            script.append(line)
    return "\n".join(script)


def write_scripts(page: Path, lines: list[str], folder: Path) -> None:
    """The scripts that commands name: the first one that the page shows, or an ordinary one."""
    own = [block for block in blocks(page, "yaml") if block.startswith("version:")]
    for line in lines:
        for name in re.findall(r"\S+\.yaml", line):
            (folder / name).write_text(own[0] if own else WAITING if "serve" in line else SCRIPT)


@pytest.mark.full
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.stem)
def test_the_commands_of_a_page_end_well(page: Path, tmp_path: Path) -> None:
    """One after another, in one shell."""
    lines = [line for line in lines_of(page) if not is_elsewhere(line)]
    folder = _copied(page.stem, tmp_path) if any(line.endswith("node app.mjs &") for line in lines) else tmp_path
    write_scripts(page, lines, folder)
    port, app_port = free_port(), free_port()
    with served() as consumer:
        settings = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "MOCKSERVER_PORT": str(port),
            "MOCKSERVER_SERVER": f"http://127.0.0.1:{port}",
            "MOCKSERVER_SECRET": SECRET,
            "PORT": str(app_port),
            "HOOK": json.dumps(
                {"url": f"http://127.0.0.1:{consumer}/hooks", "events": ["run.failed"], "secret": SECRET}
            ),
        }
        script = session(page, port, consumer if folder == tmp_path else app_port)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    missing = [text for text in PRINTED[page.name] if text not in done.stdout]
    assert missing == [], done.stdout
