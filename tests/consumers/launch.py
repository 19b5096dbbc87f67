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
_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 10.0

#: What this process's environment must not hand down: a consumer's own settings, proxies, which loopback traffic
#: shall not meet, and coverage, which measures the package and not the consumers.
_NOT_INHERITED = {"PUBLIC_URL", "EVENTS", "PORT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OLD_SECRET"}
_NOT_INHERITED_PREFIXES = ("WEBHOOK_", "PLAYGENT_", "COVERAGE_", "COV_CORE_")


class LaunchError(Exception):
    """A consumer did not start, or ended early; the message holds what it printed."""


class HandledEvent(TypedDict):
    """One event that a consumer handled."""

    event: str
    id: str
    timestamp: str


class Handled(TypedDict):
    """What a consumer handled, in order of first handling; ``refused`` counts its 400 and 401 answers."""

    count: int
    events: list[HandledEvent]
    refused: int


class ObjectState(TypedDict):
    """What a consumer knows of one object: what happened to it last, and all that it handled, sorted."""

    id: str
    latest: str | None
    events: list[str]


class Endpoint:
    """Where a running consumer is reached.

    Args:
        url: Its base URL.
    """

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

    def state(self, object_id: str) -> ObjectState:
        """Ask the consumer what it knows of one object."""
        state: ObjectState = self._debug("GET", "/debug/objects/" + quote(object_id, safe=""))
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

    @property
    def log(self) -> str:
        """Everything that it has printed so far."""
        with self._printed:
            return "\n".join(self._lines)

    def wait_for_line(self, start: str, timeout: float = _START_TIMEOUT) -> str:
        """Return the first line that begins with ``start``, once it has been printed.

        Raises:
            LaunchError: It did not come in time (seconds), or the process ended without it.
        """
        with self._printed:
            self._printed.wait_for(lambda: self._line(start) is not None or self._ended, timeout)
            line, ended = self._line(start), self._ended
        if line is not None:
            return line
        what = f"ended with exit code {self.process.wait(_STOP_TIMEOUT)}" if ended else f"ran for {timeout:g} s"
        raise LaunchError(f"consumer {self.name!r} {what} without printing {start!r}; it printed:\n{self.log}")

    def stop(self) -> int:
        """End the process, by force if it does not end in time when told to, and return its exit code."""
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
        return self.process.returncode

    def _line(self, start: str) -> str | None:
        return next((line for line in self._lines if line.startswith(start)), None)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._printed:
                self._lines.append(line.rstrip("\n"))
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()


@contextmanager
def launch(
    name: str,
    *,
    secret: str,
    mistake: str | None = None,
    playgent_url: str = "",
) -> Iterator[Consumer]:
    """Run one consumer until the block ends.

    Args:
        name: One of :data:`NAMES`.
        secret: The webhook's secret.
        mistake: One of :data:`tests.consumers.mistakes.MISTAKES`, which the consumer is to make; None: it is correct.
        playgent_url: Base URL of the vendor's API; empty: it does not register.

    Yields:
        The consumer, which accepts connections. Registering goes on in the background: see ``wait_for_line``.

    Raises:
        LaunchError: It did not start; the message holds what it printed.
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
        consumer.url = consumer.wait_for_line(_LISTENING).removeprefix(_LISTENING)
        yield consumer
    finally:
        consumer.stop()


def _command(name: str) -> list[str]:
    if name not in NAMES:
        raise LaunchError(f"there is no consumer {name!r}; there are {', '.join(NAMES)}")
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
