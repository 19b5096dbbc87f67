"""How a request with a plan is written, against servers whose every byte the test decides."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from time import perf_counter
from typing import Any

import pytest
import trustme

from mockserver.delivery.http1 import Http1Transport
from mockserver.model.messages import AwaitContinue, Close, Pause, Request
from mockserver.model.targets import Target
from tests.delivery.http1.raw_server import OK, Behaviour, Peer, Serve, keep_answering
from tests.faults.requests import faulty
from tests.presence import failure, present
from tests.tables import each_row

pytestmark = pytest.mark.usefixtures("no_task_is_left")

FOREVER = 3600.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
HEAD = b"POST /hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"
WHOLE = HEAD + b"abcdef"


def planned(url: str, *steps: Any | bytes) -> Request:
    return Request(Target.parse(url), HEAD, b"abcdef", steps)


class Seen:
    """What a server saw, and whether its connection has ended."""

    def __init__(self) -> None:
        self.data = b""
        self.error: Exception | None = None
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()

    async def all(self) -> bytes:
        await asyncio.wait_for(self.ended.wait(), 60)
        return self.data

    async def until(self, data: bytes) -> None:
        while self.data != data:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)

    async def read_on(self, peer: Peer) -> bytes:
        """Read once."""
        try:
            data = await asyncio.get_running_loop().sock_recv(peer._sock, 65536)
        except ConnectionError as error:
            self.error, data = error, b""
        self.data += data
        self.changed.set()
        return data

    async def read_up_to(self, peer: Peer, data: bytes) -> None:
        """Read until so much came; if the connection ends before, the test fails."""
        while self.data != data:
            assert await self.read_on(peer), f"the connection ended after {self.data!r}"

    async def nothing_more(self, peer: Peer) -> None:
        """Give what must not come a moment to come."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.read_on(peer), 0.1)

    async def to_the_end(self, peer: Peer) -> None:
        while await self.read_on(peer):
            pass
        self.ended.set()

    def conversation(self, *turns: tuple[bytes | None, bytes | None]) -> Behaviour:
        """Read up to the first of each turn, or once; send the second, or nothing for a moment; in the end read on."""

        async def behaviour(peer: Peer) -> None:
            for wanted, said in turns:
                await (self.read_on(peer) if wanted is None else self.read_up_to(peer, wanted))
                await (self.nothing_more(peer) if said is None else peer.send(said))
            await self.to_the_end(peer)

        return behaviour


# --- pauses


async def test_an_early_answer_ends_the_request(transport: Http1Transport, serve: Serve) -> None:
    """What was not yet written is never written, the record says how much, and the connection is not kept."""
    seen = Seen()
    refuse = seen.conversation((HEAD, REFUSED))
    server = await serve(lambda peer: peer.answer() if peer.number else refuse(peer))
    exchange = await transport.exchange(planned(server.url, HEAD, Pause(FOREVER), b"abcdef"), 60)
    assert (present(exchange.response).status, exchange.error, exchange.unsent) == (401, None, 6)
    assert not (await transport.exchange(faulty([], server.url), 60)).reused
    assert await seen.all() == HEAD


async def test_pauses_take_their_time(transport: Http1Transport, serve: Serve) -> None:
    """A slow body takes at least as long as it should, whatever else happens."""
    server = await serve(keep_answering)
    request = faulty(["slow_body(100ms)", "slow_headers(100ms)"], server.url)
    began = perf_counter()
    exchange = await transport.exchange(request, 60)
    assert exchange.error is None
    assert perf_counter() - began >= 0.19
    assert exchange.total_ms >= 190


async def test_the_time_out_holds_during_a_pause(transport: Http1Transport, serve: Serve) -> None:
    """The error says that the request was still on its way, and the connection is closed."""
    seen = Seen()
    server = await serve(seen.to_the_end)
    exchange = await transport.exchange(planned(server.url, HEAD, Pause(FOREVER), b"abcdef"), 1)
    assert present(exchange.error).kind == "timeout"
    assert present(exchange.error).message == (
        "no answer within 1s: 6 bytes of the request were still to be written, as its faults make it slow"
    )
    assert exchange.unsent == 6
    assert await seen.all() == HEAD


@pytest.mark.parametrize("step", [Pause(FOREVER), AwaitContinue(FOREVER)])
async def test_cancelling_ends_the_wait(transport: Http1Transport, serve: Serve, step: Any) -> None:
    """Nothing more is written, and the connection is closed."""
    seen = Seen()
    server = await serve(seen.to_the_end)
    task = asyncio.ensure_future(transport.exchange(planned(server.url, HEAD, step, b"abcdef"), 60))
    await seen.until(HEAD)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await seen.all() == HEAD


async def test_closing_the_transport_ends_the_wait(transport: Http1Transport, serve: Serve) -> None:
    """An exchange that was still writing is stopped like any other."""
    seen = Seen()
    server = await serve(seen.to_the_end)
    task = asyncio.ensure_future(transport.exchange(planned(server.url, HEAD, Pause(FOREVER), b"abcdef"), 60))
    await seen.until(HEAD)
    await transport.close()
    exchange = await task
    assert (present(exchange.error).kind, exchange.unsent) == ("stopped", 6)
    assert await seen.all() == HEAD


async def test_a_server_may_hang_up_in_a_pause(transport: Http1Transport, serve: Serve) -> None:
    """That is an ordinary end of the connection; the request is not sent once more."""
    server = await serve(Peer.read)
    exchange = await transport.exchange(planned(server.url, HEAD, Pause(FOREVER), b"abcdef"), 60)
    assert failure(exchange.error) == ("closed", "the connection closed before an answer came")
    assert (exchange.unsent, exchange.resent, server.accepted) == (6, False, 1)


# --- 100 Continue


@pytest.mark.parametrize(
    ("steps", "turns", "status", "unsent"),
    [
        pytest.param(
            (HEAD, AwaitContinue(FOREVER), b"abcdef"),
            ((HEAD, CONTINUE[:10]), (HEAD, CONTINUE[10:]), (WHOLE, OK)),
            200,
            0,
            id="not one byte of the body comes before",
        ),
        pytest.param(
            (HEAD, AwaitContinue(0.05), b"abc", Pause(FOREVER), b"def"),
            ((HEAD, CONTINUE), (HEAD + b"abc", None), (HEAD + b"abc", OK)),
            200,
            3,
            id="its limit means nothing to what follows",
        ),
        pytest.param((HEAD, AwaitContinue(0.02), b"abcdef"), ((WHOLE, OK),), 200, 0, id="the wait has an end"),
        pytest.param(
            (HEAD[:10], Pause(0.3), HEAD[10:], AwaitContinue(FOREVER), b"abcdef"),
            ((None, CONTINUE), (WHOLE, OK)),
            200,
            0,
            id="it came while the head was dripping",
        ),
        pytest.param(
            (HEAD, AwaitContinue(FOREVER), b"abcdef"),
            ((HEAD, b"HTTP/1.1 103 Early Hints\r\n\r\n"), (HEAD, None), (HEAD, REFUSED)),
            401,
            6,
            id="a final answer instead, after another interim one",
        ),
    ],
)
async def test_the_body_waits_for_100_continue(
    transport: Http1Transport,
    serve: Serve,
    steps: tuple[Any, ...],
    turns: tuple[tuple[bytes | None, bytes | None], ...],
    status: int,
    unsent: int,
) -> None:
    """As long as it may, and no longer; what is not written by the time of the final answer never is."""
    seen = Seen()
    server = await serve(seen.conversation(*turns))
    exchange = await transport.exchange(planned(server.url, *steps), 60)
    assert (present(exchange.response).status, exchange.error, exchange.unsent) == (status, None, unsent)
    await transport.close()
    assert await seen.all() == WHOLE[: len(WHOLE) - unsent]


# --- closing


@pytest.mark.parametrize("reset", [False, True])
async def test_the_connection_ends_as_planned(transport: Http1Transport, serve: Serve, reset: bool) -> None:
    """The server sees an end or a reset, after all that was written before."""
    seen = Seen()
    server = await serve(seen.to_the_end)
    exchange = await transport.exchange(planned(server.url, HEAD, b"abc", Close(reset, "on purpose")), 60)
    assert failure(exchange.error) == ("closed", "on purpose")
    assert (exchange.response, exchange.unsent) == (None, 0)
    assert await seen.all() == HEAD + b"abc"
    assert (seen.error is not None) == reset


async def test_what_is_large_is_written_before_the_end(transport: Http1Transport, serve: Serve) -> None:
    """A server that reads late still gets every byte that comes before the end of the connection."""
    seen, accepted, go = Seen(), asyncio.Event(), asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        accepted.set()
        await go.wait()
        await seen.to_the_end(peer)

    server = await serve(behaviour)
    request = faulty(["large_body(9MB)", "truncated_body(8MB)"], server.url)
    task = asyncio.ensure_future(transport.exchange(request, 60))
    await asyncio.wait_for(accepted.wait(), 60)
    go.set()
    exchange = await task
    assert (
        present(exchange.error).message == "closed on purpose after 8000000 of 9000000 bytes of body (truncated_body)"
    )
    assert await seen.all() == request.wire


async def test_a_reset_before_all_was_read_is_the_server_s(transport: Http1Transport, serve: Serve) -> None:
    """When the other side ends the connection first, the error does not claim that it was us."""

    async def behaviour(peer: Peer) -> None:
        await peer.read()
        peer.reset()

    server = await serve(behaviour)
    exchange = await transport.exchange(faulty(["large_body(20MB)", "disconnect"], server.url), 60)
    assert present(exchange.error).kind == "closed"
    assert "on purpose" not in present(exchange.error).message


# --- connections


async def test_a_plan_gets_a_connection_of_its_own(transport: Http1Transport, serve: Serve) -> None:
    """It is never sent twice, so it is not risked on a kept connection; written to its end, it leaves one to keep."""
    server = await serve(keep_answering)
    ordinary = faulty([], server.url)
    assert not (await transport.exchange(ordinary, 60)).reused
    assert not (await transport.exchange(faulty("slow_body(5ms)", server.url), 60)).reused
    assert server.accepted == 2
    assert (await transport.exchange(ordinary, 60)).reused
    assert (await transport.exchange(ordinary, 60)).unsent == 0
    assert server.accepted == 2


@pytest.mark.parametrize(
    ("fault", "reused"),
    [
        ("slow_body(5ms)", [False, True, False, True]),  # it has a connection to itself; the other one waits meanwhile
        ("missing_signature", [False, True, True, False]),
        ("empty_body", [False, True, True, False]),
        ("duplicate", [False, True, True, True]),
    ],
)
async def test_nothing_follows_a_fault_on_its_connection(
    fault: str, reused: list[bool], transport: Http1Transport, serve: Serve
) -> None:
    """What a server leaves unread of an odd request would be taken for the next one; a mere duplicate is not odd."""
    server = await serve(keep_answering)
    exchanges = [await transport.exchange(faulty(each, server.url), 60) for each in ((), (), fault, ())]
    assert [exchange.reused for exchange in exchanges] == reused
    assert all(present(exchange.response).ok for exchange in exchanges)


# --- TLS


@each_row("fault", ["disconnect", "disconnect(reset)", "truncated_body", "slow_body(20ms)", "chunked"])
async def test_plans_hold_over_tls(fault: str) -> None:
    """The same bytes come out of the encryption, and the end does not wait for the other side's goodbye."""
    closes = fault.startswith(("disconnect", "truncated"))
    authority, data, ended = trustme.CA(), bytearray(), asyncio.Event()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := await reader.read(65536):
                data.extend(part)
                if len(data) == len(request.wire) and not closes:
                    writer.write(OK)
        writer.transport.abort()
        ended.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=server_side)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    request = faulty(fault, url)
    transport = Http1Transport(tls=client_side)
    exchange = await transport.exchange(request, 60)
    await transport.close()
    await asyncio.wait_for(ended.wait(), 60)
    server.close()
    await server.wait_closed()
    assert bytes(data) == request.wire
    assert (exchange.error.kind if exchange.error else present(exchange.response).status) == (
        "closed" if closes else 200
    )


async def test_a_busy_server_does_not_hold_the_end_of_tls() -> None:
    """A server that does not say goodbye, as it reads nothing, is left after a moment."""
    authority, release = trustme.CA(), threading.Event()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with server_side.wrap_socket(sock, server_side=True):
            release.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.ensure_future(asyncio.to_thread(serve, listener))
        transport = Http1Transport(tls=client_side)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/hooks"
        exchange = await transport.exchange(faulty("disconnect", url), 60)
        release.set()
        await serving
        await transport.close()
    assert present(exchange.error).kind == "closed"
