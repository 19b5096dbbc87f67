"""Start a consumer as a process of its own, watch it, ask what it handled, and stop it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

NAMES = ("flask", "fastapi", "django", "aiohttp", "node")

#: The secret of the consumers that the fixture ``consumer`` gives.
SECRET = "whsec_consumer_under_test"

_FOLDER = Path(__file__).parent
_LISTENING = "listening on "
_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 60.0

#: What this process's environment must not hand down: a consumer's own settings, proxies, which loopback traffic
#: shall not meet, and coverage, which measures the package and not the consumers.
_NOT_INHERITED = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OLD_SECRET"}
_NOT_INHERITED_PREFIXES = ("WEBHOOK_", "PLAYGENT_", "COVERAGE_", "COV_CORE_")


class LaunchError(Exception):
    """A consumer did not start; the message holds what it printed."""


class Handled(TypedDict):
    """What a consumer handled, in order of first handling; ``refused`` counts its 400 and 401 answers."""

    count: int
    events: list[dict[str, str]]
    refused: int


class Endpoint:
    """Where a running consumer is reached: by its base URL."""

    def __init__(self, url: str = "") -> None:
        self.url = url

    @property
    def webhook_url(self) -> str:
        """Where the consumer takes deliveries."""
        return f"{self.url}/webhooks/playgent"

    def events(self) -> Handled:
        """Ask the consumer what it handled."""
        handled: Handled = self._debug("GET", "/debug/events")
        return handled

    def state(self, object_id: str) -> dict[str, Any]:
        """Ask the consumer what it knows of one object: :meth:`tests.consumers.inbox.Inbox.state`."""
        state: dict[str, Any] = self._debug("GET", "/debug/objects/" + quote(object_id, safe=""))
        return state

    def fail_next(self) -> None:
        """Make the handling of the next event fail, once."""
        self._debug("POST", "/debug/fail-next")

    def clear(self) -> None:
        """Make the consumer forget everything."""
        self._debug("DELETE", "/debug/events")

    def _debug(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path)
            return json.load(connection.getresponse())
        finally:
            connection.close()


class Consumer(Endpoint):
    """A consumer that runs as a process of its own.

    Args:
        name: One of :data:`NAMES`.
        process: Its process, with standard output and error in one text pipe.
    """

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self.name = name
        self.process = process
        self._lines: list[str] = []
        self._ended = False
        self._printed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    def wait_until_it_listens(self) -> None:
        """Wait for the line with its URL, and keep that.

        Raises:
            LaunchError: It did not come in time, or the process ended without it.
        """
        with self._printed:
            self._printed.wait_for(lambda: self.url or self._ended, _START_TIMEOUT)
            if not self.url:
                printed = "\n".join(self._lines)
                raise LaunchError(f"the consumer {self.name!r} did not start; it printed:\n{printed}")

    def stop(self) -> None:
        """End the process, by force if it does not end in time when told to."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._printed:
                self._lines.append(line.rstrip("\n"))
                if line.startswith(_LISTENING):
                    self.url = self._lines[-1].removeprefix(_LISTENING)
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()


@contextmanager
def launch(name: str, *, secret: str, mistake: str | None = None, playgent_url: str = "") -> Iterator[Consumer]:
    """Run one consumer until the block ends.

    Args:
        name: One of :data:`NAMES`.
        secret: The webhook's secret.
        mistake: One of :data:`tests.consumers.mistakes.MISTAKES`, which the consumer is to make; None: it is correct.
        playgent_url: Base URL of the vendor's API; empty: it does not register.

    Yields:
        The consumer, which accepts connections. Registering goes on in the background.
    """
    environment = {
        **_inherited(),
        "WEBHOOK_SECRET": secret,
        "WEBHOOK_MISTAKE": mistake or "",
        "PLAYGENT_URL": playgent_url,
        "PYTHONUTF8": "1",
    }
    process = subprocess.Popen(
        _command(name),
        cwd=_FOLDER.parent.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    consumer = Consumer(name, process)
    try:
        consumer.wait_until_it_listens()
        yield consumer
    finally:
        consumer.stop()


def _command(name: str) -> list[str]:
    if name != "node":
        return [sys.executable, "-m", f"tests.consumers.{name}_app"]
    node = shutil.which("node")
    if node is None:
        raise LaunchError("Node.js is not installed (no 'node' on PATH), but the consumer in Node.js must be tested")
    return [node, str(_FOLDER / "node_app.mjs")]


def _inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in _NOT_INHERITED and not name.startswith(_NOT_INHERITED_PREFIXES)
    }
