"""Answers of every shape that HTTP/1.1 allows, and of several that it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import OK, Peer, Serve, a_request, until
from tests.presence import failure, present

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


async def test_the_request_goes_out_byte_for_byte(transport: Http1Transport, serve: Serve) -> None:
    """What the request holds is what the server reads: no header is added, moved or respelled."""
    seen = []

    async def behaviour(peer: Peer) -> None:
        seen.append(await peer.answer())

    server = await serve(behaviour)
    request = a_request(server.url, b"\x00\xff body")

    exchange = await transport.exchange(request, 5)

    assert seen == [request.wire]
    assert exchange.error is None
    assert present(exchange.response).status == 200
    assert present(exchange.response).body == b"ok"
    assert (exchange.reused, exchange.resent) == (False, False)
    assert exchange.address == f"127.0.0.1:{server.port}"


async def test_timings_add_up(transport: Http1Transport, serve: Serve) -> None:
    """Connecting and waiting for the first byte are parts of the whole; a reused connection connects in no time."""

    async def behaviour(peer: Peer) -> None:
        while await peer.answer():
            pass

    server = await serve(behaviour)
    first = await transport.exchange(a_request(server.url), 5)
    second = await transport.exchange(a_request(server.url), 5)

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
        exchange = await transport.exchange(a_request(server.url), 5)
        assert exchange.error is None
        assert (present(exchange.response).status, present(exchange.response).body) == (status, body)
        assert present(exchange.response).body_size == len(body)
        assert not present(exchange.response).body_truncated
    if not bytewise:  # else what follows the answer may come when the next request is already written
        assert server.accepted == (1 if kept else 2)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ids=["1.1", "1.0", "a coding that is not chunked"],
)
async def test_the_end_of_the_connection_can_end_the_body(transport: Http1Transport, serve: Serve, head: bytes) -> None:
    """Without a length, an answer lasts as long as its connection."""
    server = await serve(answering(head, b"until ", b"the end", then="close"))
    exchange = await transport.exchange(a_request(server.url), 5)
    assert exchange.error is None
    assert present(exchange.response).body == b"until the end"


async def test_a_reset_does_not_end_a_body(transport: Http1Transport, serve: Serve) -> None:
    """Where the end of the connection would end the body, a reset does not: nobody knows what is missing."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await half_read.wait()
        peer.reset()

    half_read = asyncio.Event()
    server = await serve(behaviour)
    task = asyncio.ensure_future(transport.exchange(a_request(server.url), 5))
    await until(lambda: any(connection._answer.received for connection in transport._pool._live))
    half_read.set()
    exchange = await task
    assert failure(exchange.error) == ("closed", "the connection was reset after 5 bytes of body")
    assert present(exchange.response).body == b"hello"


async def test_headers_keep_order_repeats_and_any_byte(transport: Http1Transport, serve: Serve) -> None:
    """Header names are in lower case, in the order in which they came, repeats included; trailers are left out."""
    wire = (
        b"HTTP/1.1 200 F\xfcr dich\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\nset-cookie: b=\xe9\r\n\r\n"
        b"1\r\nx\r\n0\r\nX-Trailer: t\r\n\r\n"
    )
    server = await serve(answering(wire))
    response = present((await transport.exchange(a_request(server.url), 5)).response)
    assert response.reason == "Für dich"
    assert response.headers == (("set-cookie", "a=1"), ("transfer-encoding", "chunked"), ("set-cookie", "b=é"))


async def test_an_interim_answer_leaves_nothing_in_the_real_one(transport: Http1Transport, serve: Serve) -> None:
    """Headers and reason of a 103 are not those of the answer."""
    server = await serve(answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK))
    response = present((await transport.exchange(a_request(server.url), 5)).response)
    assert response.reason == "OK"
    assert response.headers == (("content-length", "2"),)


async def test_the_second_answer_has_nothing_of_the_first(transport: Http1Transport, serve: Serve) -> None:
    """Answers on one connection are apart: headers, reasons and bodies."""
    answers = [
        b"HTTP/1.1 201 Made\r\nA: 1\r\nContent-Length: 3\r\n\r\none",
        b"HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n",
    ]

    async def behaviour(peer: Peer) -> None:
        for wire in answers:
            await peer.answer(wire)
        await peer.closed()

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 5)
    second = await transport.exchange(a_request(server.url), 5)
    assert second.reused
    assert (present(second.response).status, present(second.response).reason, present(second.response).body) == (
        202,
        "",
        b"",
    )
    assert present(second.response).headers == (("content-length", "0"),)


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
    exchange = await transport.exchange(a_request(server.url), 5)
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
    exchange = await transport.exchange(a_request(server.url), 30)
    assert exchange.error is None
    assert len(present(exchange.response).body) == 64 * KIB
    assert MIB - KIB < present(exchange.response).body_size < 2 * MIB
    await asyncio.wait_for(cut_off.wait(), 60)


async def test_a_long_body_within_the_record_limit_is_kept_whole(serve: Serve) -> None:
    """Who raises record_limit over 1 MiB gets what was asked for."""
    body = b"x" * (3 * MIB)
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body))
    transport = Http1Transport(record_limit=3 * MIB)
    exchange = await transport.exchange(a_request(server.url), 30)
    await transport.close()
    assert present(exchange.response).body == body


ENDLESS_HEADS = {
    "one header": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000],
    "a status line": [b"HTTP/1.1 200 " + b"a" * 70_000],
    "many headers": [b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 12_000],
    "interim answers": [b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000],
    "complete, and too large": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + b"a" * 70_000 + b"\r\n\r\n"],
}


@pytest.mark.parametrize("pieces", ENDLESS_HEADS.values(), ids=ENDLESS_HEADS)
async def test_a_header_over_64_kib_is_too_large(transport: Http1Transport, serve: Serve, pieces: list[bytes]) -> None:
    """A header block that does not end is not read for ever, and one that is too large is not taken."""
    server = await serve(answering(*pieces))
    exchange = await transport.exchange(a_request(server.url), 10)
    assert failure(exchange.error) == ("too_large", "the header of the answer has no end within 64 KiB")


async def test_a_large_header_under_the_limit_is_read(transport: Http1Transport, serve: Serve) -> None:
    """60 KiB of header and a large body in one go are still an answer."""
    value = b"a" * 60_000
    wire = b"HTTP/1.1 200 OK\r\nA: " + value + b"\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    server = await serve(answering(wire))
    exchange = await transport.exchange(a_request(server.url), 10)
    assert exchange.error is None
    assert present(exchange.response).body_size == 100_000
    assert present(exchange.response).headers[0] == ("a", value.decode())


async def test_endless_trailers_are_too_large(transport: Http1Transport, serve: Serve) -> None:
    """What is wrapped around a body is bounded too; the body that came is beside the error."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        while True:
            await peer.send(b"A: b\r\n" * 10_000)

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url), 30)
    assert failure(exchange.error) == ("too_large", "the answer has no end within 1024 KiB, of which 2 are body")
    assert present(exchange.response).body == b"ok"


# --- what is not HTTP


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
async def test_something_else_than_http_is_shown(transport: Http1Transport, serve: Serve, bytewise: bool) -> None:
    """The message shows how the answer begins, at most 40 bytes of it."""
    banner = b"SSH-2.0-OpenSSH_9.6 " + b"x" * 100
    server = await serve(answering(*([banner[i : i + 1] for i in range(120)] if bytewise else [banner])))
    exchange = await transport.exchange(a_request(server.url), 5)
    assert present(exchange.error).kind == "protocol"
    assert exchange.response is None
    assert "the answer is not HTTP" in present(exchange.error).message
    assert "begins b'S" in present(exchange.error).message
    assert b"x" * 21 not in present(exchange.error).message.encode()


async def test_a_server_that_speaks_first_is_heard(transport: Http1Transport, serve: Serve) -> None:
    """A banner that comes before the request is written is an answer that is not HTTP, not a closed connection."""

    async def behaviour(peer: Peer) -> None:
        await peer.send(b"220 mail.example ESMTP\r\n")
        await peer.closed()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url), 5)
    assert present(exchange.error).kind == "protocol"
    assert "b'220 mail.example ESMTP" in present(exchange.error).message


async def test_a_tls_alert_suggests_https(transport: Http1Transport, serve: Serve) -> None:
    """An https server that is spoken to in plain HTTP answers with an alert; the message says what it means."""
    server = await serve(answering(b"\x15\x03\x01\x00\x02\x02\x46", then="close"))
    exchange = await transport.exchange(a_request(server.url), 5)
    assert present(exchange.error).kind == "protocol"
    assert present(exchange.error).message.endswith("is it an https:// address?")


async def test_garbage_within_the_body_keeps_what_came_before(transport: Http1Transport, serve: Serve) -> None:
    """A broken chunk is an error of protocol, with the status and the first chunk beside it."""
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"zz\r\n"))
    exchange = await transport.exchange(a_request(server.url), 5)
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
        exchange = await transport.exchange(a_request(server.url), 5)
        assert exchange.error is not None, cut
        assert exchange.error.kind == "closed", cut
        assert exchange.error.message.startswith(f"the connection {verb} "), cut
        assert not exchange.resent
        assert (exchange.response is None) == (cut < head_ends), cut
    assert (await transport.exchange(a_request(server.url), 5)).error is None
    await transport.close()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (b"", "the connection closed before an answer came"),
        (b"HTTP/1.1 200 OK\r\n", "the connection closed after 17 bytes of header"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nhello, world",
            "the connection closed after 12 of 400 bytes of body",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
            "the connection closed after 5 bytes of body",
        ),
    ],
)
async def test_the_message_says_how_much_came(
    transport: Http1Transport, serve: Serve, part: bytes, message: str
) -> None:
    """Half an answer and then the end: the message says how much there was."""
    server = await serve(answering(part, then="close"))
    exchange = await transport.exchange(a_request(server.url), 5)
    assert present(exchange.error).message == message


async def test_half_an_answer_and_then_silence(transport: Http1Transport, serve: Serve) -> None:
    """Silence ends in a time-out that says how much had come; the connection is closed."""
    silences = {
        b"": "no answer within 1s",
        b"HTTP/1.1 200 OK\r\n": "no complete answer within 1s: 17 bytes of header came",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab": "no complete answer within 1s: 2 of 9 bytes of body came",
        b"HTTP/1.1 200 OK\r\n\r\nsome": "no complete answer within 1s: 4 bytes of body came",
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
    exchanges = await asyncio.gather(*(transport.exchange(a_request(server.url), 1) for _ in silences))
    assert {present(exchange.error).kind for exchange in exchanges} == {"timeout"}
    assert sorted(present(exchange.error).message for exchange in exchanges) == sorted(silences.values())
    assert min(exchange.total_ms for exchange in exchanges) >= 999
    assert sorted(exchange.response.body for exchange in exchanges if exchange.response) == [b"ab", b"some"]
    await asyncio.wait_for(all_closed.wait(), 60)
