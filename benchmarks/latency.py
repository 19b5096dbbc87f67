"""From the trigger to the receiver at a low rate, against a bare ``http.client`` call.

The clock starts before the call that triggers the event and stops when the receiver, in a process of its own, has the
whole body. ``mock.send`` is called in the process that serves, as tests do; the control API in another one, for a
client in the same process would hold up the server while it prepares to wait.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlsplit

from benchmarks.processes import child
from benchmarks.receiver import Receiver, receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver import MockServer

_SECRET = "whsec_benchmark"
_HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer key"}
_KEPT, _FRESH = "run.failed", "run.completed"
_PEER, _LIMIT = "bare http.client POST", "one write on an open socket"
_OURS = {
    "mock.send": "kept connection",
    "mock.send, connecting": "new connection",
    "POST /_mock/events": "kept connection",
}

#: Seconds between two triggers.
_PAUSE = 0.02

_SERVER = ("-m", "benchmarks.servers", "mock", "uvloop")


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to trigger a few events only.
    """
    with (
        receiving() as receiver,
        MockServer() as mock,
        child(_SERVER) as (_, served),
        socket.create_connection(("127.0.0.1", receiver.port)) as raw,
    ):
        _post(f"{served}/v1/webhooks", {"url": receiver.url, "events": [_KEPT], "secret": _SECRET})
        mock.register(receiver.url, [_KEPT], _SECRET)
        mock.register(f"{receiver.url}/close", [_FRESH], _SECRET)
        triggers: dict[str, Callable[[], object]] = {
            "mock.send": lambda: mock.send(_KEPT),
            "mock.send, connecting": lambda: mock.send(_FRESH),
            "POST /_mock/events": lambda: _post(f"{served}/_mock/events", {"event": _KEPT}),
            _PEER: lambda: _post(receiver.url, {"event": _KEPT}),
            _LIMIT: partial(_write, raw),
        }
        rounds = Rounds({name: _timed(receiver, trigger) for name, trigger in triggers.items()}, 3 if quick else 80)
    return [*(_row(rounds, name, _PEER) for name in _OURS), _row(rounds, "mock.send", _LIMIT)]


def _row(rounds: Rounds, name: str, peer: str) -> Measurement:
    figure = Figure("value", "at most", 0.7 if name == "mock.send" else 1.5) if peer == _PEER else None
    what = f"{name} to receipt ({_OURS[name]})"
    return rounds.row(what, "ms", name, peer, figure)


def _timed(receiver: Receiver, trigger: Callable[[], object]) -> Callable[[], float]:
    def once() -> float:
        sleep(_PAUSE)
        begin = perf_counter()
        trigger()
        (moment,) = receiver.moments()
        return (moment - begin) * 1000

    return once


def _write(connection: socket.socket) -> None:
    connection.sendall(b"POST /hook HTTP/1.1\r\nHost: receiver\r\nContent-Length: 2\r\n\r\n{}")
    connection.recv(1024)


def _post(url: str, value: object) -> None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("POST", parts.path, json.dumps(value), _HEADERS)
        answer = connection.getresponse()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{url} answered {answer.status}: {answer.read()!r}")
        answer.read()
    finally:
        connection.close()
