"""A consumer that misbehaves at random: errors, silence, broken connections, garbage, and restarts on the same port.

What it does to a request follows from the seed, the event and how often that event has come, so a run can be repeated.
It verifies signatures as the vendor documents it, and keeps its books in memory that it shares with its parent, which
can read them after it was killed.

It is a program: ``python -m benchmarks.chaotic_consumer LEDGER_FD EVENTS SEED``. It prints its port, and ends when its
standard input does: it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mmap
import re
import socket
import struct
import subprocess
import sys
import tempfile
from bisect import bisect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from benchmarks.processes import ENVIRONMENT, ROOT, ChildError

SECRET = "whsec_endurance"

#: What sets an event apart, as its payload holds it: the number of its step's first event, and its index.
_NUMBER = re.compile(rb'"number":\s*\[([0-9]+),\s*([0-9]+)\]')
_LENGTH = re.compile(rb"\ncontent-length: *([0-9]+)", re.IGNORECASE)
_SIGNATURE = re.compile(rb"\nx-playgent-signature: *sha256=([0-9a-f]{64})\r", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding: *chunked", re.IGNORECASE)
_RESET = struct.pack("ii", 1, 0)

#: How often it restarts when every event comes once, and for how many seconds nothing listens then.
_RESTARTS = 50
_DOWN = (0.02, 0.06)


def number_in(payload: bytes) -> int | None:
    """Return the number of the event that a payload reports; None if it has none."""
    found = _NUMBER.search(payload)
    return int(found[1]) + int(found[2]) if found else None


class Ledger:
    """The books of a consumer: a byte for each event, which stops at 255, and a count for each kind of answer.

    Args:
        descriptor: The file descriptor of the shared memory.
        events: How many events there are.

    Attributes:
        received: How often each event came with a valid signature.
        accepted: How often it was accepted: a 2xx was about to be written, complete.
        answers: How often the consumer behaved in each way, in the order of :data:`WAYS`.
    """

    def __init__(self, descriptor: int, events: int) -> None:
        ways = len(WAYS)
        self._memory = mmap.mmap(descriptor, 2 * events + 8 * ways)
        whole = memoryview(self._memory)
        self.answers = whole[: 8 * ways].cast("Q")
        self.received = whole[8 * ways : 8 * ways + events]
        self.accepted = whole[8 * ways + events :]

    def receive(self, number: int) -> int:
        """Note that an event came; return how often it has come before."""
        times = self.received[number]
        self.received[number] = min(times + 1, 255)
        return times

    def accept(self, number: int) -> None:
        """Note that an event is accepted. Before the answer is written: whatever arrives has been noted."""
        self.accepted[number] = min(self.accepted[number] + 1, 255)

    def counts(self) -> dict[str, int]:
        """Return how often the consumer behaved in each way."""
        return dict(zip(WAYS, self.answers, strict=True))


def _drawn(seed: int, number: int, times: int) -> tuple[float, float]:
    """What chance has in store for a request: two numbers from 0 to 1."""
    digest = hashlib.blake2b(b"%d %d %d" % (seed, number, times), digest_size=8).digest()
    first, second = struct.unpack("II", digest)
    return first / 2**32, second / 2**32


class _Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, consumer: _Consumer) -> None:
        self._consumer = consumer
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._consumer.conversations.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop calls it so
        self._consumer.conversations.discard(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[: end + 2]
            request = _chunked(self._data, end + 4) if _CHUNKED.search(head) else _sized(self._data, end + 4, head)
            if request is None:
                return
            body, length = request
            self._data = self._data[length:]
            self._consumer.request(self, head, body)

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self.open:
            cast("asyncio.Transport", self._transport).write(data)

    def close(self) -> None:
        cast("asyncio.Transport", self._transport).close()

    def reset(self) -> None:
        transport = cast("asyncio.Transport", self._transport)
        if self.open:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()


def _sized(data: bytes, begin: int, head: bytes) -> tuple[bytes, int] | None:
    length = _LENGTH.search(head)
    end = begin + (int(length[1]) if length else 0)
    return (data[begin:end], end) if len(data) >= end else None


def _chunked(data: bytes, at: int) -> tuple[bytes, int] | None:
    body = b""
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line], 16)
        at = line + 2 + size + 2
        if len(data) < at:
            return None
        if not size:
            return body, at
        body += data[line + 2 : line + 2 + size]
    return None


@dataclass(frozen=True)
class _Request:
    """A request with an event in it, to be treated in some way."""

    ledger: Ledger
    conversation: _Conversation
    number: int
    #: From 0 to 1: whatever else is left to chance.
    detail: float

    @property
    def somewhere(self) -> int:
        """A place within the long answer, not at its end."""
        return 1 + int(self.detail * (len(_LONG) - 1))


_Way = Callable[[_Request], None]

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\nContent-Type: text/plain\r\n\r\n" + b"thanks" * 100
_GARBAGE = (b"\x00\x01\x02 nothing that is HTTP", b"HTTP/9.9 what?\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28")


def _answer_of(body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)


_LATIN_1 = _answer_of(b'{"status":"caf\xe9"}', b"Content-Type: application/json\r\n")
_DEEP = _answer_of(b"[" * 30_000)
_MANY_HEADERS = _answer_of(b"ok", b"".join(b"X-%d: y\r\n" % number for number in range(2000)))


def _accept(request: _Request, answer: bytes) -> None:
    request.ledger.accept(request.number)
    request.conversation.write(answer)


def _accepting(answer: bytes) -> _Way:
    return lambda request: _accept(request, answer)


def _refusing(answer: bytes) -> _Way:
    return lambda request: request.conversation.write(answer)


def _accept_until_closed(request: _Request) -> None:
    _accept(request, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
    request.conversation.close()


def _accept_slowly(request: _Request) -> None:
    request.conversation.write(_LONG[: request.somewhere])
    asyncio.get_running_loop().call_later(0.01, _accept_rest, request)


def _accept_rest(request: _Request) -> None:
    if request.conversation.open:  # a restart may have come between
        _accept(request, _LONG[request.somewhere :])


def _accept_in_drips(request: _Request, at: int = 0) -> None:
    if not request.conversation.open:
        return
    piece = _LONG[at : at + 40]
    if at + 40 >= len(_LONG):
        _accept(request, piece)
        return
    request.conversation.write(piece)
    asyncio.get_running_loop().call_later(0.001, _accept_in_drips, request, at + 40)


def _accept_and_leave(request: _Request) -> None:
    """Answer, and close without having said so: the next request may be on its way already."""
    _accept(request, _OK)
    request.conversation.close()


def _be_silent(request: _Request) -> None:
    """Hang: the other side has to give up."""


def _stop_within(request: _Request) -> None:
    request.conversation.write(_LONG[: request.somewhere])


def _close_within(request: _Request) -> None:
    _stop_within(request)
    request.conversation.close()


def _reset_within(request: _Request) -> None:
    _stop_within(request)
    request.conversation.reset()


def _talk_garbage(request: _Request) -> None:
    request.conversation.write(_GARBAGE[int(request.detail * len(_GARBAGE))])


#: What the consumer may do to a request with a valid signature, and how likely that is; the first takes the rest.
WAYS: dict[str, tuple[float, _Way]] = {
    "200": (0.0, _accepting(_OK)),
    "200, long": (0.05, _accepting(_LONG)),
    "204": (0.02, _accepting(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "202, chunked": (0.02, _accepting(b"HTTP/1.1 202 Yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")),
    "103, then 200": (0.01, _accepting(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _OK)),
    "200, then closed": (0.003, _accept_until_closed),
    "200, slowly": (0.0005, _accept_slowly),
    "200, in drips": (0.0005, _accept_in_drips),
    "200, then gone": (0.005, _accept_and_leave),
    "200, not UTF-8": (0.001, _accepting(_LATIN_1)),
    "200, deep": (0.0005, _accepting(_DEEP)),
    "200, many headers": (0.0005, _accepting(_MANY_HEADERS)),
    "500": (0.010, _refusing(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")),
    "429": (0.004, _refusing(b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")),
    "410": (0.002, _refusing(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")),
    "302": (0.001, _refusing(b"HTTP/1.1 302 There\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")),
    "garbage": (0.002, _talk_garbage),
    "closed": (0.002, lambda request: request.conversation.close()),
    "reset": (0.002, lambda request: request.conversation.reset()),
    "cut, closed": (0.002, _close_within),
    "cut, reset": (0.002, _reset_within),
    "silence": (0.0001, _be_silent),
    "cut, silence": (0.0001, _stop_within),
    # Not drawn: they follow from the request, or from how many came.
    "401": (0.0, _refusing(b"HTTP/1.1 401 Forged\r\nContent-Length: 0\r\n\r\n")),
    "restarts": (0.0, _be_silent),
}

_NAMES = tuple(WAYS)
_SHARES = [share for share, _ in WAYS.values()]
_LIMITS = list(accumulate([1.0 - sum(_SHARES), *_SHARES[1:]]))
_TREATMENTS = tuple(way for _, way in WAYS.values())
_REFUSED, _RESTARTED = _NAMES.index("401"), _NAMES.index("restarts")


class _Consumer:
    """All connections, the books, and the socket that comes and goes."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger = ledger
        self.conversations: set[_Conversation] = set()
        self._seed = seed
        self._requests = 0
        self._restart_every = max(200, len(ledger.received) // _RESTARTS)
        self._server: asyncio.Server | None = None
        self._restarting: asyncio.Task[None] | None = None
        # Bound and never listening: while the consumer is away, its port is given to no one else.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port: int = self._holder.getsockname()[1]

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Conversation(self), "127.0.0.1", self.port, reuse_port=True, backlog=1024
        )

    def request(self, conversation: _Conversation, head: bytes, body: bytes) -> None:
        signature, number = _SIGNATURE.search(head), number_in(body)
        digest = hmac.digest(SECRET.encode(), body, "sha256").hex().encode()
        way, detail = _REFUSED, 0.0
        if signature is not None and number is not None and hmac.compare_digest(signature[1], digest):
            chance, detail = _drawn(self._seed, number, self.ledger.receive(number))
            way = min(bisect(_LIMITS, chance), _REFUSED - 1)
        self.ledger.answers[way] += 1
        _TREATMENTS[way](_Request(self.ledger, conversation, number or 0, detail))
        self._requests += 1
        if self._requests % self._restart_every == 0:
            self._restarting = asyncio.get_running_loop().create_task(self._restart(detail))

    async def _restart(self, detail: float) -> None:
        self.ledger.answers[_RESTARTED] += 1
        cast("asyncio.Server", self._server).close()
        for conversation in tuple(self.conversations):
            conversation.reset()
        await asyncio.sleep(_DOWN[0] + detail * (_DOWN[1] - _DOWN[0]))
        await self.listen()


async def _serve(ledger: Ledger, seed: int) -> None:
    consumer = _Consumer(ledger, seed)
    await consumer.listen()
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    print(consumer.port, flush=True)
    await over.wait()


class ChaoticConsumer:
    """The consumer as its parent sees it.

    Args:
        process: Its process.
        port: Where it listens, on 127.0.0.1.
        ledger: Its books.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, ledger: Ledger) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}/hooks/playgent"
        self.ledger = ledger

    def kill(self) -> None:
        """Kill it at once (SIGKILL): without a word."""
        self._process.kill()


@contextmanager
def chaos(events: int, seed: int) -> Iterator[ChaoticConsumer]:
    """Run a consumer until the block is left.

    Args:
        events: How many events there are; their numbers are below.
        seed: What it does follows from it.

    Raises:
        ChildError: It did not start.
    """
    with tempfile.TemporaryFile() as shared:
        shared.truncate(2 * events + 8 * len(WAYS))
        ledger = Ledger(shared.fileno(), events)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.chaotic_consumer", str(shared.fileno()), str(events), str(seed)],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[shared.fileno()],
        )
        with process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise ChildError("the chaotic consumer did not start; see what it wrote above")
            yield ChaoticConsumer(process, int(line), ledger)


if __name__ == "__main__":
    asyncio.run(_serve(Ledger(int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[3])))
