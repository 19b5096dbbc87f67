"""Answers of every shape that HTTP/1.1 allows, and of several that it does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import OK, Peer, Serve, a_request, keep_answering, time_passes, until
from tests.presence import present

KIB = 1024
MIB = 1024 * KIB


def answering(*pieces: bytes, then: str = "wait") -> Callable[..., Awaitable[None]]:
    """Read a request, send the pieces, then wait for the client, close, reset or end."""

    async def behaviour(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)
        if then == "wait":
            await peer.closed()
        elif then == "reset":
            peer.reset()

    return behaviour


@pytest.mark.parametrize("body", [b"\x00\xff body", random.Random(1).randbytes(8 * MIB)], ids=["small", "large"])
async def test_the_request_goes_out_byte_for_byte(transport: Http1Transport, serve: Serve, body: bytes) -> None:
    """What the request holds is what the server reads: no header is added, moved or respelled, however large it is."""
    seen = []

    async def behaviour(peer: Peer) -> None:
        seen.append(await peer.answer())

    server = await serve(behaviour)
    request = a_request(server.url, body)
    exchange = await transport.exchange(request, 60)
    assert seen == [request.wire]
    assert exchange.error is None
    assert (present(exchange.response).status, present(exchange.response).body) == (200, b"ok")
    assert (exchange.reused, exchange.resent) == (False, False)
    assert exchange.address == f"127.0.0.1:{server.port}"


async def test_timings_add_up(transport: Http1Transport, serve: Serve) -> None:
    """Connecting and waiting for the first byte are parts of the whole; a reused connection connects in no time."""
    server = await serve(keep_answering)
    first = await transport.exchange(a_request(server.url), 60)
    second = await transport.exchange(a_request(server.url), 60)
    assert first.connect_ms > 0
    assert first.first_byte_ms > 0
    assert first.connect_ms + first.first_byte_ms <= first.total_ms
    assert second.reused
    assert second.connect_ms == 0
    assert 0 < second.first_byte_ms <= second.total_ms


WHOLE_ANSWERS = {
    "content length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    "chunk extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c\r\nhello\r\n0;z\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", True),
    "several interim answers": (
        b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        200,
        b"ok",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, b"", True),
    "connection: close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "HTTP/1.0 kept alive": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
    "bytes after the answer": (OK + b"what is this", 200, b"ok", False),
    "another answer after the answer": (
        OK + b"HTTP/1.1 500 No\r\nA: b\r\nContent-Length: 3\r\n\r\nno!",
        200,
        b"ok",
        False,
    ),
    "half an answer after the answer": (OK + b"HTTP/1.1", 200, b"ok", False),
    "data after connection: close": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok and more",
        200,
        b"ok",
        False,
    ),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x00\x01", 101, b"", False),
    "101 without an upgrade": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, b"", False),
    "error status": (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nlate", 503, b"late", True),
}


@pytest.mark.parametrize(("wire", "status", "body", "kept"), WHOLE_ANSWERS.values(), ids=WHOLE_ANSWERS)
@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
async def test_every_shape_of_answer_is_read(
    transport: Http1Transport, serve: Serve, wire: bytes, status: int, body: bytes, kept: bool, bytewise: bool
) -> None:
    """Whatever shape an answer has and however it is cut, its status and body are read, and whether it was the last."""

    async def behaviour(peer: Peer) -> None:
        while await peer.request():
            for piece in [wire[i : i + 1] for i in range(len(wire))] if bytewise else [wire]:
                await peer.send(piece)

    server = await serve(behaviour)
    for _ in range(2):
        exchange = await transport.exchange(a_request(server.url), 60)
        assert exchange.error is None
        assert (present(exchange.response).status, present(exchange.response).body) == (status, body)
        assert present(exchange.response).body_size == len(body)
        assert not present(exchange.response).body_truncated
    if not bytewise:  # else what follows the answer may come when the next request is already written
        assert server.accepted == (1 if kept else 2)


async def test_the_end_of_the_connection_can_end_the_body(transport: Http1Transport, serve: Serve) -> None:
    """Without a length, an answer lasts as long as its connection."""
    server = await serve(answering(b"HTTP/1.1 200 OK\r\n\r\n", b"until ", b"the end", then="close"))
    exchange = await transport.exchange(a_request(server.url), 60)
    assert exchange.error is None
    assert present(exchange.response).body == b"until the end"


async def test_headers_keep_order_repeats_and_any_byte(transport: Http1Transport, serve: Serve) -> None:
    """Header names are in lower case, in the order in which they came, repeats included; trailers are left out."""
    wire = (
        b"HTTP/1.1 200 F\xfcr dich\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\nset-cookie: b=\xe9\r\n\r\n"
        b"1\r\nx\r\n0\r\nX-Trailer: t\r\n\r\n"
    )
    server = await serve(answering(wire))
    response = present((await transport.exchange(a_request(server.url), 60)).response)
    assert response.reason == "Für dich"
    assert response.headers == (("set-cookie", "a=1"), ("transfer-encoding", "chunked"), ("set-cookie", "b=é"))


# --- bounds


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_long_body_is_counted_but_not_kept(serve: Serve, framing: str) -> None:
    """Up to record_limit bytes are kept, all are counted, and the answer counts as complete."""
    body = bytes(range(256)) * 800  # 200 KiB
    wire = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
        "close": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }[framing]
    server = await serve(answering(wire, then="close"))
    transport = Http1Transport(record_limit=1000)
    exchange = await transport.exchange(a_request(server.url), 60)
    await transport.close()
    assert exchange.error is None
    assert present(exchange.response).body == body[:1000]
    assert present(exchange.response).body_size == len(body)
    assert present(exchange.response).body_truncated


async def test_an_endless_body_is_cut_off_after_a_mebibyte(transport: Http1Transport, serve: Serve) -> None:
    """A body without end is read up to 1 MiB; then the connection is closed and the answer counts as complete."""
    cut_off = asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                await peer.send(bytes(64 * KIB))
        except ConnectionError:
            cut_off.set()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url), 60)
    assert exchange.error is None
    assert len(present(exchange.response).body) == 64 * KIB
    assert MIB - KIB < present(exchange.response).body_size < 2 * MIB
    await asyncio.wait_for(cut_off.wait(), 60)


# --- what is not HTTP


async def test_a_server_that_speaks_first_is_heard(transport: Http1Transport, serve: Serve) -> None:
    """A banner that comes before the request is written is an answer that is not HTTP, not a closed connection."""

    async def behaviour(peer: Peer) -> None:
        await peer.send(b"220 mail.example ESMTP\r\n")
        await peer.closed()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url), 60)
    assert present(exchange.error).kind == "protocol"
    assert "b'220 mail.example ESMTP" in present(exchange.error).message


async def test_garbage_within_the_body_keeps_what_came_before(transport: Http1Transport, serve: Serve) -> None:
    """A broken chunk is an error of protocol, with the status and the first chunk beside it."""
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"zz\r\n"))
    exchange = await transport.exchange(a_request(server.url), 60)
    assert present(exchange.error).kind == "protocol"
    assert present(exchange.response).status == 200
    assert present(exchange.response).body == b"ok"


# --- half an answer


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world",
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
async def test_a_connection_that_ends_after_any_byte(serve: Serve, whole: bytes, how: str) -> None:
    """Cut anywhere, closed or reset, an answer is never taken for a whole one and what came is beside the error."""

    async def behaviour(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole[: peer.number])
        if how == "reset":
            peer.reset()

    server = await serve(behaviour)
    transport = Http1Transport()
    head_ends = whole.rindex(b"200 OK") + whole[whole.rindex(b"200 OK") :].index(b"\r\n\r\n") + 4
    verb = "closed" if how == "close" else "was reset"
    for cut in range(len(whole)):
        exchange = await transport.exchange(a_request(server.url), 60)
        assert exchange.error is not None, cut
        assert exchange.error.kind == "closed", cut
        assert exchange.error.message.startswith(f"the connection {verb} "), cut
        assert not exchange.resent
        assert (exchange.response is None) == (cut < head_ends), cut
    assert (await transport.exchange(a_request(server.url), 60)).error is None
    await transport.close()


async def test_half_an_answer_and_then_silence(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence ends in a time-out that says how much had come; the connection is closed."""
    silences = {
        b"": "no answer within 59s",
        b"HTTP/1.1 200 OK\r\n": "no complete answer within 59s: 17 bytes of header came",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab": "no complete answer within 59s: 2 of 9 bytes of body came",
        b"HTTP/1.1 200 OK\r\n\r\nsome": "no complete answer within 59s: 4 bytes of body came",
    }
    all_closed = asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        await peer.answer(list(silences)[peer.number])
        await peer.closed()
        closed.append(peer)
        if len(closed) == len(silences):
            all_closed.set()

    closed: list[Peer] = []
    server = await serve(behaviour)
    going_on = asyncio.gather(*(transport.exchange(a_request(server.url), 59) for _ in silences))
    live = transport._pool._live
    await until(lambda: sum(each._answer.received for each in live) == sum(map(len, silences)))
    time_passes(transport, 59, monkeypatch)
    exchanges = await going_on
    assert {present(exchange.error).kind for exchange in exchanges} == {"timeout"}
    assert sorted(present(exchange.error).message for exchange in exchanges) == sorted(silences.values())
    assert min(exchange.total_ms for exchange in exchanges) >= 59_000
    assert sorted(exchange.response.body for exchange in exchanges if exchange.response) == [b"ab", b"some"]
    await asyncio.wait_for(all_closed.wait(), 60)
