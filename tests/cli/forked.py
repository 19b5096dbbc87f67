"""Commands as processes that start at once: forked from one in which everything is imported.

Each has its own pid, streams, signals and exit code, as if Python had been started for it; only that took its time
before. The full tier starts Python for each.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

#: What commands import, first or last.
WINGS = ("checks", "cli", "control_api", "dashboard", "delivery", "replay", "reports", "server", "vendor_api")


_ends = contextlib.ExitStack()


class Forked:
    """A command that runs, with what tests use of ``subprocess.Popen``.

    Args:
        arguments: What follows the name of the program.
        streams: The descriptors of its standard streams.
        cwd: Where it runs.
        env: All of its environment.
    """

    def __init__(self, arguments: Sequence[str], streams: Sequence[int], cwd: Path, env: Mapping[str, str]) -> None:
        self.returncode: int | None = None
        self._connection, other = socket.socketpair()
        socket.send_fds(_server(), [b"."], [*streams, other.fileno()])
        other.close()
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        self._connection.sendall(len(request).to_bytes(4, "big") + request)
        self.pid = int.from_bytes(_exactly(self._connection, 4), "big")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._signal(number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, also from another thread than the one that waits."""
        if self.returncode is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._await(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"the command {self.pid}", timeout or 0)
        return code

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            code = os.waitstatus_to_exitcode(int.from_bytes(_exactly(self._connection, 4), "big"))
            self._connection.close()
            self.returncode = code
        return self.returncode


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        assert chunk, "the process that forks commands is gone"
        data += chunk
    return data


@functools.cache
def _server() -> socket.socket:
    """Start the process that forks, once; it ends when no one has the other end of the connection any more."""
    ours, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.cli.forked", str(its.fileno())],
        cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, pass_fds=[its.fileno()],
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    its.close()
    _ends.callback(process.wait)
    _ends.callback(ours.close)
    return ours


def end() -> None:
    """End the process that forks; the next command starts another."""
    _ends.close()
    _server.cache_clear()


def serve(requests: socket.socket) -> None:
    """Fork for each request, until there are no more."""
    for wing in WINGS:
        path = importlib.import_module(f"mockserver.{wing}").__path__
        for module in pkgutil.walk_packages(path, f"mockserver.{wing}."):
            importlib.import_module(module.name)
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal of the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for the processes that keep commands
    while descriptors := socket.recv_fds(requests, 1, 4)[1]:
        if os.fork() == 0:
            requests.close()
            *streams, connection = descriptors
            keep(socket.socket(fileno=connection), streams)
        for descriptor in descriptors:
            os.close(descriptor)


def keep(connection: socket.socket, streams: list[int]) -> NoReturn:
    """Run the command in a child, and report its pid and, in the end, its status."""
    size = int.from_bytes(_exactly(connection, 4), "big")
    request = json.loads(_exactly(connection, size))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        connection.close()
        run(request["arguments"], streams, request["cwd"], request["env"])
    for stream in streams:
        os.close(stream)
    connection.sendall(pid.to_bytes(4, "big"))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # the tests are gone
        connection.sendall(status.to_bytes(4, "big"))
    os._exit(0)


def run(arguments: list[str], streams: list[int], cwd: str, env: dict[str, str]) -> NoReturn:
    """Be the command, to its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.stdin = _opened(0, "r")
    sys.stdout = _opened(1, "w")
    sys.stderr = _opened(2, "w")
    sys.argv = ["mockserver", *arguments]
    sys.exit(importlib.import_module("playgent_mockserver").main())


def _opened(number: int, mode: str) -> TextIO:
    file = open(number, f"{mode}b", closefd=False)  # noqa: SIM115 - a descriptor, for good
    by_line = number == 2 or file.isatty()
    return io.TextIOWrapper(file, "utf-8", line_buffering=by_line, write_through="PYTHONUNBUFFERED" in os.environ)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as its_end:
        serve(its_end)
