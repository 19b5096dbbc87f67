"""Run the command as a user does, and stand-ins for the applications that it delivers to."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO, TypeAlias
from unittest import mock

from mockserver.cli import main
from tests import tiers
from tests.cli.forked import Forked

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-W", "error", "-m", "mockserver"]
LIMIT = 120.0  # seconds: no test needs a tenth of it, and a hanging command must not hang the tests
SECRET = "whsec_cli_test"
READY = "mockserver is ready: "


class Result(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    unwanted = ("MOCKSERVER_", "GITHUB_", "NO_COLOR")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


def mockserver(*arguments: str, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> Result:
    """Run a command to its end in this process, which is quick."""
    out, err, entered = (_stream(data) for data in (b"", b"", stdin))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment(**env), clear=True))
        stack.enter_context(mock.patch.multiple(sys, stdin=entered, stdout=out, stderr=err))
        stack.enter_context(_time_limit())
        stack.callback(os.chdir, Path.cwd())
        os.chdir(cwd or Path.cwd())
        code = main(arguments)
        out.flush()
        err.flush()
    return Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined] # BytesIO


def _stream(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="", write_through=True)


@contextmanager
def _time_limit() -> Iterator[None]:
    """As if Ctrl-C came then: an event loop lets no other exception of a signal's handler through."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


Process: TypeAlias = "subprocess.Popen[bytes] | Forked"


def start(
    *arguments: str, streams: tuple[int, int, int], cwd: Path | None = None, env: dict[str, str] | None = None
) -> Process:
    """Start a command with these standard streams; forked in the default tier, unless Python is to start oddly."""
    chosen = environment(**env or {})
    if tiers.full or any(name.startswith("PYTHON") for name in (env or {}).keys() - {"PYTHONUNBUFFERED"}):
        stdin, stdout, stderr = streams
        return subprocess.Popen(
            [*COMMAND, *arguments], stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=chosen,
            start_new_session=True,
        )  # fmt: skip
    return Forked(arguments, streams, cwd or Path.cwd(), chosen)


class Running:
    """A command that is still running, with its lines of standard output as they come."""

    def __init__(self, process: Process, out: TextIO, err: TextIO) -> None:
        self.process = process
        self._out, self._err = out, err
        self.lines: list[str] = []

    def wait_for_line(self, part: str) -> str:
        """Return the next line that holds a text."""
        for line in self._out:
            self.lines.append(line.rstrip("\n"))
            if part in line:
                return self.lines[-1]
        raise AssertionError(f"no line with {part!r} came; printed were {self.lines}, {self._err.read()}")

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def read_no_more(self) -> None:
        """Close the other end of its standard output."""
        self._out.close()

    def end(self) -> Result:
        """Wait until it ends."""
        with ThreadPoolExecutor(1) as reader:
            err = reader.submit(self._err.read)
            out = "" if self._out.closed else self._out.read()
        return Result(self.process.wait(LIMIT), "\n".join([*self.lines, out]), err.result())


@contextmanager
def running(*arguments: str, cwd: Path | None = None, **env: str) -> Iterator[Running]:
    """Start a command; it is ended at the end of the block, and killed when it takes too long."""
    (out, its_out), (err, its_err) = os.pipe(), os.pipe()
    with (
        Path(os.devnull).open("rb") as nothing,
        os.fdopen(out, encoding="utf-8") as lines,
        os.fdopen(err, encoding="utf-8") as errors,
    ):
        try:
            process = start(*arguments, streams=(nothing.fileno(), its_out, its_err), cwd=cwd, env=env)
        finally:
            os.close(its_out)
            os.close(its_err)
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            yield Running(process, lines, errors)
        finally:
            process.terminate()
            process.wait()
            watchdog.cancel()
            watchdog.join()


def url_of(line: str) -> str:
    assert line.startswith(READY)
    assert line.endswith(" (vendor API /v1, control API /_mock)")
    return line.removeprefix(READY).split(" ")[0]


@contextmanager
def serving(*arguments: str, cwd: Path | None = None, **env: str) -> Iterator[tuple[Running, str]]:
    """Start a mock on a free port; gives the command, and the URL of its ready line."""
    with running("--port=0", *arguments, cwd=cwd, **env) as command:
        yield command, url_of(command.wait_for_line(READY))


def mockserver_process(*arguments: str, cwd: Path | None = None, **env: str) -> Result:
    """Run a command to its end as a process, for tests of what only a process does."""
    with running(*arguments, cwd=cwd, **env) as command:
        return command.end()


class Recorder:
    """A server at the level of bytes: it keeps every request as it came, and gives the answers it was told to.

    Args:
        answers: What to write after each request; the last one again and again. None: nothing, ever.
    """

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self.requests: list[bytes] = []
        self.came = threading.Event()
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hooks"
        self.target = ("--target", self.url, "--secret", SECRET)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for connection in self._connections:
            with contextlib.suppress(OSError):  # the other side has closed it
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while True:
                try:
                    chunk = connection.recv(65536)
                except ConnectionError:
                    return
                if not chunk:
                    return
                data += chunk
                head, end, body = data.partition(b"\r\n\r\n")
                if not end:
                    continue
                found = re.search(rb"\nContent-Length: (\d+)", head)
                length = int(found[1]) if found else 0
                if len(body) < length:
                    continue
                self.requests.append(data)
                data = b""
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                self.came.set()
                if answer is not None:
                    connection.sendall(answer)


def answer(status: str, body: bytes = b"", head: str = "") -> bytes:
    """The bytes of an answer; ``head`` holds more lines, each with its end."""
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


OK = answer("200 OK", b"ok")


@contextmanager
def recorder(*answers: bytes | None) -> Iterator[Recorder]:
    """Run a :class:`Recorder`; without answers it says 200."""
    server = Recorder(answers or (OK,))
    try:
        yield server
    finally:
        server.close()
