"""Time-outs, large requests, giving up and closing."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import (
    MIB,
    OK,
    Gate,
    Peer,
    RawServer,
    Serve,
    a_request,
    keep_answering,
    open_sockets_to,
    time_passes,
    until,
)
from tests.presence import failure, present

# --- time


async def test_a_shorter_time_out_on_a_kept_connection_holds(transport: Http1Transport, serve: Serve) -> None:
    """A request with 100 ms ends in 100 ms, although the one before it on that connection had an hour."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.request()
        await peer.closed()

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 3600)
    exchange = await transport.exchange(a_request(server.url), 0.1)
    assert exchange.reused
    assert present(exchange.error).kind == "timeout"
    assert 99 <= exchange.total_ms < 60_000


async def test_the_timer_of_an_earlier_request_ends_no_later_one(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that has more time and waits, nor, between two, the connection."""
    asked, release = Gate(), Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.request()
        asked.set()
        await release.passed()
        await peer.send(OK)
        await keep_answering(peer)

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 1)
    waiting = asyncio.ensure_future(transport.exchange(a_request(server.url), 60))
    await asked.passed()
    time_passes(transport, 2, monkeypatch)
    release.set()
    assert (await waiting).error is None
    time_passes(transport, 90, monkeypatch)
    assert (await transport.exchange(a_request(server.url), 60)).reused
    assert server.accepted == 1


@pytest.mark.parametrize(("seconds", "kinds"), [(0, {"connect", "timeout"}), (10 * 366 * 86400.0, {""})])
async def test_the_least_and_the_most_time(
    transport: Http1Transport, serve: Serve, seconds: float, kinds: set[str]
) -> None:
    """None at all is an outcome like others; the longest that a script can state is not too long for a loop."""
    server = await serve(keep_answering)
    error = (await transport.exchange(a_request(server.url), seconds)).error
    assert (error.kind if error else "") in kinds


# --- large requests


async def test_a_server_that_does_not_read_is_a_time_out(transport: Http1Transport, serve: Serve) -> None:
    """The request does not fit into the system's buffers and the server does not read: the time-out holds."""
    release = Gate()

    async def behaviour(_: Peer) -> None:
        await release.wait()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url, bytes(16 * MIB)), 0.2)
    assert present(exchange.error).kind == "timeout"
    assert exchange.total_ms < 60_000
    release.set()


@pytest.mark.parametrize("then", ["wait", "close", "end"])
async def test_an_answer_before_the_whole_request_is_written_counts(
    transport: Http1Transport, serve: Serve, then: str
) -> None:
    """A server that refuses a large body without reading it has answered; the connection is not used again."""
    answered = Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.read()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        if then == "end":
            peer.end()
        if then != "close":
            await answered.wait()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url, bytes(16 * MIB)), 60)
    answered.set()
    assert exchange.error is None
    assert (present(exchange.response).status, present(exchange.response).body) == (413, b"no!")
    following = await transport.exchange(a_request(server.url), 60)
    assert (following.reused, following.resent) == (False, False)


# --- giving up and closing


@pytest.mark.parametrize("reused", [False, True])
async def test_a_cancelled_exchange_closes_its_connection(
    transport: Http1Transport, serve: Serve, reused: bool
) -> None:
    """Who stops waiting leaves no connection behind, and no answer that a later request could take for its own."""
    asked, hung_up = Gate(), Gate()

    async def behaviour(peer: Peer) -> None:
        if reused and peer.number == 0:
            await peer.answer()
        if peer.number == 0:
            await peer.request()
            asked.set()
            await peer.closed()
            hung_up.set()
        await keep_answering(peer)

    server = await serve(behaviour)
    if reused:
        await transport.exchange(a_request(server.url), 60)
    task = asyncio.ensure_future(transport.exchange(a_request(server.url), 60))
    await asked.passed()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await hung_up.passed()
    assert open_sockets_to(server.port) == 0
    assert not (await transport.exchange(a_request(server.url), 60)).reused


async def test_an_exchange_cancelled_while_connecting_leaves_nothing(transport: Http1Transport, serve: Serve) -> None:
    """Given up in any of the first turns of the loop, while a connection is being made, nothing stays behind."""
    server = await serve(keep_answering)
    for turns in range(12):
        task = asyncio.ensure_future(transport.exchange(a_request(server.url), 60))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await transport.close()
    assert open_sockets_to(server.port) == 0


async def test_an_exchange_cancelled_as_its_answer_comes_harms_no_other(
    transport: Http1Transport, serve: Serve
) -> None:
    """The answer is there, but its task is cancelled before it could take it: the connection may be in use already."""
    server = await serve(keep_answering)
    await transport.exchange(a_request(server.url), 60)
    for turns in range(1, 12):
        first = asyncio.ensure_future(transport.exchange(a_request(server.url, b"first"), 60))
        for _ in range(turns):
            await asyncio.sleep(0)
        second = asyncio.ensure_future(transport.exchange(a_request(server.url, b"second"), 60))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await second).error is None


async def test_close_ends_what_is_in_flight(transport: Http1Transport, serve: Serve) -> None:
    """Idle connections, waiting exchanges and those still connecting: all end, and no socket is left."""
    waiting = Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        if await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
            waiting.set()
        await peer.closed()

    server = await serve(behaviour)
    await asyncio.gather(*(transport.exchange(a_request(server.url), 60) for _ in range(2)))
    in_flight = asyncio.ensure_future(transport.exchange(a_request(server.url), 60))
    await waiting.passed()
    await until(lambda: open_sockets_to(server.port) == 2)
    fresh = [asyncio.ensure_future(transport.exchange(a_request(server.url), 60)) for _ in range(2)]
    await asyncio.sleep(0)
    await transport.close()
    assert open_sockets_to(server.port) == 0
    assert "Dial.connect" not in str(asyncio.all_tasks())
    assert not transport._pool._live
    exchange = await in_flight
    assert failure(exchange.error) == ("stopped", "interrupted before the answer was complete: outcome unknown")
    for other in await asyncio.gather(*fresh):
        assert present(other.error).kind == "stopped"


async def test_close_between_two_sendings_is_the_end(transport: Http1Transport, serve: Serve) -> None:
    """A safe request that is about to be sent once more when the transport is closed is not sent any more."""
    hang_up = Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.request()
        await hang_up.wait()

    server = await serve(behaviour)
    post = a_request(server.url)
    await transport.exchange(post, 60)
    get = msgspec.structs.replace(post, head=post.head.replace(b"POST", b"GET"))
    task = asyncio.ensure_future(transport.exchange(get, 60))
    (connection,) = transport._pool._live
    await until(lambda: connection._waiter is not None)
    connection.eof_received()  # the end of the connection, heard in the very turn of the loop in which it is closed
    await transport.close()
    hang_up.set()
    assert present((await task).error).kind == "stopped"
    assert server.accepted == 1


async def test_a_closed_transport_can_be_used_again(transport: Http1Transport, serve: Serve) -> None:
    """Closing is not the end of it; closing twice, even at once, or without a connection, is nothing special."""
    server = await serve(keep_answering)
    await transport.close()
    for _ in range(2):
        exchange = await transport.exchange(a_request(server.url), 60)
        assert exchange.error is None
        assert not exchange.reused
        await asyncio.gather(transport.close(), transport.close())
        await transport.close()


def test_a_transport_is_made_without_a_loop_and_moves_to_another() -> None:
    """It is made where no loop runs, used on one loop, closed, and used on the next."""
    transport = Http1Transport()

    async def use() -> None:
        server = RawServer(keep_answering)
        exchange = await transport.exchange(a_request(server.url), 60)
        await transport.close()
        await server.stop()
        assert exchange.error is None

    for _ in range(2):
        asyncio.run(use())
