"""What an editor makes of the JSON Schema: the YAML language server of VS Code and others."""

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mockserver.script.format import script_schema
from tests.presence import present

pytestmark = pytest.mark.full

HEAD = "version: 1\nsteps:\n"


class Editor:
    """Speaks the language server protocol over a pipe."""

    def __init__(self, folder: Path) -> None:
        subprocess.run(["npm", "install", "--silent", "yaml-language-server@1"], cwd=folder, check=True, timeout=180)
        (folder / "schema.json").write_text(json.dumps(script_schema()), "utf-8")
        self._settings = {"schemas": {f"file://{folder}/schema.json": "*.yaml"}, "completion": True, "validate": True}
        self._folder = folder
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            [folder / "node_modules" / ".bin" / "yaml-language-server", "--stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._limit = threading.Timer(180, self._process.kill)  # a server that falls silent fails the test
        self._limit.start()
        snippets = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
        capabilities = {**snippets, "workspace": {"configuration": True}}
        self._ask("initialize", {"processId": None, "rootUri": f"file://{folder}", "capabilities": capabilities})
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": {"yaml": self._settings}}})

    def close(self) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()

    def problems(self, text: str) -> list[str]:
        """What the editor underlines."""
        uri = self._open(text)
        shown = self._wait(lambda message: message.get("params", {}).get("uri") == uri)
        return [problem["message"] for problem in shown["params"]["diagnostics"]]

    def offers(self, text: str) -> dict[str, str]:
        """What it inserts at the end of a text, by what it offers."""
        uri = self._open(text)
        line = text.count("\n")
        place = {"line": line, "character": len(text.rpartition("\n")[2])}
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
        return {each["label"]: each["textEdit"]["newText"] for each in found["items"]}

    def _open(self, text: str) -> str:
        uri = f"file://{self._folder}/{next(self._numbers)}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        return self._wait(lambda message: message.get("id") == number and "method" not in message)["result"]

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        present(self._process.stdin).write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        present(self._process.stdin).flush()

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> Any:
        while True:
            length = 0
            while line := present(self._process.stdout).readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.rpartition(b":")[2])
            message = json.loads(present(self._process.stdout).read(length))
            if message.get("method") == "workspace/configuration":
                items = [self._settings, *({} for _ in message["params"]["items"][1:])]
                self._send({"id": message["id"], "result": items})
            elif "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})
            elif wanted(message):
                return message


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    editor = Editor(tmp_path_factory.mktemp("editor"))
    while not editor.problems("wrong: true\n"):  # until it has read its settings and the schema
        time.sleep(0.1)
    yield editor
    editor.close()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("event: run.failed", None),
        ("event: run.faild", "known events are run.completed, run.failed, "),
        ("{event: run.failed, after: 2 seconds}", "expected a duration such as 250ms"),
        ("{event: run.failed, expect: {status: 4x}}", "expected a status such as 401"),
        ("{event: run.failed, data: {}, override: {}}", "data is sent exactly as it is"),
        ("{event: run.failed, fault: {large_body: 2MB}, retry: stripe}", None),
        ("pause: soon", "expected a duration such as 250ms"),
    ],
)
def test_mistakes_are_underlined_with_our_words(editor: Editor, step: str, message: str | None) -> None:
    """A misspelled event, a wrong duration, data beside changes; and nothing that works."""
    shown = editor.problems(f"{HEAD}  - {step}\n")
    assert [each[: len(message)] for each in shown] == [message] if message else shown == []


def test_what_is_offered_is_accepted(editor: Editor) -> None:
    """Events, faults and numbers are inserted as the reader takes them; kinds of step have titles."""
    assert {"event", "an event step", "waiting for the application"} <= editor.offers(f"{HEAD}  - ").keys()
    assert editor.offers(f"{HEAD}  - event: ")["run.failed"] == "run.failed"
    step = f"{HEAD}  - event: run.failed\n    "
    assert editor.offers(step)["repeat"] == "repeat: ${1:1}"
    for fault in editor.offers(f"{step}fault: ").values():
        assert editor.problems(f"{step}fault: {fault}\n") == []
