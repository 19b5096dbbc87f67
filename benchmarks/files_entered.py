"""How many files of the package one call enters, from the caller to the wire and back.

A file counts when a function in it runs, on whichever thread; a module that is only imported does not.
Run this module itself to see their names: ``python -m benchmarks.files_entered``.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import mockserver
from benchmarks.receiver import receiving
from benchmarks.table import Figure, Measurement
from mockserver import MockServer

_PACKAGE = str(Path(mockserver.__file__).parent) + "/"

#: What is called, and the most files that it is to enter.
_FIGURES = {"POST /v1/webhooks": 10, "mock.send": 18, "YAML to report": 36, "a check": 55}

_SCRIPT = "version: 1\nsteps:\n  - event: run.completed\n  - event: run.failed\n    override: {run_id: run_1}\n"


def measure(*, quick: bool) -> list[Measurement]:  # noqa: ARG001 - counting is quick
    """Count the files, and compare with the figures to reach."""
    return [
        Measurement(f"files entered by {name}", "files", len(files), figure=Figure("value", "at most", _FIGURES[name]))
        for name, files in entered().items()
    ]


class _Entries:
    """The files entered while ``watching``."""

    def __init__(self) -> None:
        self.watching = False
        self.files: set[str] = set()

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if self.watching and event == "call" and code.co_filename.startswith(_PACKAGE) and code.co_name != "<module>":
            self.files.add(code.co_filename.removeprefix(_PACKAGE))

    def of(self, call: Callable[[], Any]) -> list[str]:
        """Return the files that a call enters until it returns."""
        self.files, self.watching = set(), True
        try:
            call()
        finally:
            self.watching = False
        return sorted(self.files)


@contextmanager
def _watched() -> Iterator[_Entries]:
    """Watch this thread and all that begin from now on."""
    entries = _Entries()
    threading.setprofile(entries.note)
    sys.setprofile(entries.note)
    try:
        yield entries
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _register(url: str) -> None:
    body = json.dumps({"url": "http://localhost:9/hooks", "events": ["run.failed"], "secret": "whsec_x"}).encode()
    headers = {"Authorization": "Bearer pk_x", "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/v1/webhooks", body, headers)).close()


def entered() -> dict[str, list[str]]:
    """Return the files that each call enters in a clean mock, once everything is imported and connected."""
    found: dict[str, list[str]] = {}
    with receiving() as receiver, _watched() as entries, MockServer() as mock:
        url = mock.url
        calls: dict[str, Callable[[], Any]] = {
            "POST /v1/webhooks": lambda: _register(url),
            "mock.send": lambda: mock.send("run.completed"),
            "YAML to report": lambda: str(mock.replay(_read(_SCRIPT))),
            "a check": lambda: str(mock.check(receiver.url, "whsec_x")),
        }
        for name, call in calls.items():
            for _ in range(2):
                mock.reset()
                if name != "POST /v1/webhooks":
                    mock.register(receiver.url)
                found[name] = entries.of(call)
    return found


def _read(text: str) -> Any:
    from mockserver.script.package_files import load_catalog  # noqa: PLC0415 - start-up does without
    from mockserver.script.reader import read_script  # noqa: PLC0415 - start-up does without

    return read_script(text, load_catalog())


if __name__ == "__main__":
    for _name, _files in entered().items():
        print(f"{_name}: {len(_files)}")
        print("".join(f"  {file}\n" for file in _files))
