"""``POST /v1/webhooks`` per second, against a bare aiohttp handler that answers the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.peers import is_installed, not_installed
from benchmarks.processes import child, run
from benchmarks.receiver import receiving
from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement

_LIMIT = "a protocol that answers unread"


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to post for a moment only.
    """
    seconds, count = (0.1, 1) if quick else (0.6, 7)
    rows = _compare("standard", seconds, count)
    if is_installed("uvloop"):
        return rows + _compare("uvloop", seconds, count)
    return [*rows, not_installed("POST /v1/webhooks, uvloop loop", "uvloop")]


def _compare(loop: str, seconds: float, count: int) -> list[Measurement]:
    peer = f"bare aiohttp handler, {loop} loop"
    with (
        child(_server("mock", loop)) as (_, ours),
        child(_server("bare", loop)) as (_, bare),
        receiving() as receiver,
    ):

        def post_to_ours() -> float:
            _reset(ours)
            return _post(ours, seconds)

        contenders: dict[str, Callable[[], float]] = {
            "ours": post_to_ours,
            peer: lambda: _post(bare, seconds),
            _LIMIT: lambda: _post(f"http://127.0.0.1:{receiver.port}", seconds),
        }
        rounds = Rounds(contenders, count)
    what = f"POST /v1/webhooks, {loop} loop"
    return [
        rounds.row(what, "/s", "ours", peer, Figure("ratio", "at least", 0.85)),
        rounds.row(what, "/s", "ours", _LIMIT),
    ]


def _server(kind: str, loop: str) -> Sequence[str]:
    return ("-m", "benchmarks.servers", kind, loop)


def _post(url: str, seconds: float) -> float:
    return float(run(["-m", "benchmarks.load", url, str(seconds)]))


def _reset(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", "/_mock/reset")
        if connection.getresponse().status != 204:
            raise RuntimeError("the mock server could not be reset")
    finally:
        connection.close()
