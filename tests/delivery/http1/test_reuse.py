"""How connections are kept between exchanges, and what happens when the server drops them."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter

import pytest

from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.http1.connection import Connection
from mockserver.model.messages import Exchange, ExchangeError
from tests.delivery.http1.raw_server import OK, Gate, Peer, Serve, a_request, keep_answering, until
from tests.presence import present

# --- keeping


async def test_one_connection_carries_one_exchange_at_a_time(transport: Http1Transport, serve: Serve) -> None:
    """Three at once take three connections; afterwards the one used last is used first."""
    release = Gate()
    served: list[int] = []

    async def behaviour(peer: Peer) -> None:
        while request := await peer.request():
            await release.wait()
            served.append(peer.number)
            await peer.send(OK)
            assert request.count(b"POST") == 1

    server = await serve(behaviour)
    together = [asyncio.ensure_future(transport.exchange(a_request(server.url), 60)) for _ in range(3)]
    await until(lambda: server.accepted == 3)
    release.set()
    exchanges = await asyncio.gather(*together)
    assert not any(exchange.reused for exchange in exchanges)
    for _ in range(3):
        assert (await transport.exchange(a_request(server.url), 60)).reused
    assert server.accepted == 3
    assert len(set(served[-3:])) == 1


async def test_connections_of_different_servers_are_apart(transport: Http1Transport, serve: Serve) -> None:
    """A connection is used for its own host and port only."""
    one, two = await serve(keep_answering), await serve(keep_answering)
    for server in (one, two, one, two):
        exchange = await transport.exchange(a_request(server.url), 60)
        assert exchange.address == f"127.0.0.1:{server.port}"
    assert (one.accepted, two.accepted) == (1, 1)


async def test_an_idle_connection_is_dropped_by_a_timer(serve: Serve) -> None:
    """After idle_seconds an unused connection is closed, without anyone asking for it."""
    dropped = Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.closed()
        dropped.set()

    server = await serve(behaviour)
    transport = Http1Transport(idle_seconds=0.05)
    await transport.exchange(a_request(server.url), 60)
    await dropped.passed()
    assert not (await transport.exchange(a_request(server.url), 60)).reused
    await transport.close()


@pytest.mark.full  # idle times are real, and long, so that a busy machine does not make them one
async def test_each_idle_connection_is_dropped_in_its_own_time(serve: Serve) -> None:
    """When one connection's time is over, one that was used later stays for its own time."""
    gone: list[int] = []
    first_gone, both_gone, release = Gate(), Gate(), Gate()

    async def behaviour(peer: Peer) -> None:
        while request := await peer.request():
            if b"slow" in request:
                await release.wait()
            await peer.send(OK)
        gone.append(peer.number)
        (both_gone if first_gone.is_set() else first_gone).set()

    server = await serve(behaviour)
    transport = Http1Transport(idle_seconds=8)
    slow = asyncio.ensure_future(transport.exchange(a_request(server.url, b"slow"), 60))
    await until(lambda: server.accepted == 1)
    await transport.exchange(a_request(server.url), 60)
    asyncio.get_running_loop().call_later(5, release.set)
    await slow
    await first_gone.passed()
    assert gone == [1]
    assert (await transport.exchange(a_request(server.url), 60)).reused
    await both_gone.passed()
    assert gone == [1, 0]
    await transport.close()


@pytest.mark.parametrize("what", ["data", "eof", "reset"])
async def test_whatever_arrives_on_an_idle_connection_closes_it(serve: Serve, what: str) -> None:
    """Nothing was requested: the connection is closed at once and not used again."""
    say, closed = Gate(), Gate()

    async def behaviour(peer: Peer) -> None:
        if peer.number:
            return await keep_answering(peer)
        await peer.answer()
        await say.wait()
        if what == "data":
            await peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        elif what == "eof":
            peer.end()
        else:
            peer.reset()
            return closed.set()
        await peer.closed()
        return closed.set()

    server = await serve(behaviour)
    transport = Http1Transport(idle_seconds=60)
    await transport.exchange(a_request(server.url), 60)
    say.set()
    await closed.passed()
    await until(lambda: not transport._pool._live)
    exchange = await transport.exchange(a_request(server.url), 60)
    assert exchange.error is None
    assert (exchange.reused, exchange.resent) == (False, False)
    await transport.close()


# --- closed just when a request is written


@pytest.mark.parametrize("how", ["close", "reset", "half"])
async def test_a_request_that_was_read_is_not_sent_again(transport: Http1Transport, serve: Serve, how: str) -> None:
    """The server takes the second request of a connection and hangs up, without a byte or after one: it has it."""
    seen: list[bytes] = []

    async def behaviour(peer: Peer) -> None:
        seen.append(await peer.answer())
        seen.append(await peer.request())
        if how == "reset":
            peer.reset()
        elif how == "half":
            await peer.send(b"H")

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 60)
    exchange = await transport.exchange(a_request(server.url, b"again"), 60)
    what = {"close": "closed before an answer came", "reset": "was reset before an answer came"}
    message = f"the connection {what.get(how, 'closed after 1 bytes of header')}"
    assert exchange.error == ExchangeError("closed", message)
    assert (exchange.reused, exchange.resent) == (True, False)
    assert len(seen) == 2
    assert server.accepted == 1


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_whose_end_has_come_unnoticed_is_not_used(
    transport: Http1Transport, serve: Serve, end: str
) -> None:
    """The loop has not yet heard of it, and the request goes out on a fresh connection, once."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await tested.wait()

    tested = asyncio.Event()
    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 60)
    time.sleep(0.06)  # noqa: ASYNC251 - the loop must not hear of anything
    server.peers[0].reset() if end == "reset" else server.peers[0].close()
    exchange = await transport.exchange(a_request(server.url), 60)
    tested.set()
    assert exchange.error is None
    assert (exchange.reused, exchange.resent) == (False, False)


async def test_a_request_that_came_to_a_closed_connection_fails_and_says_why(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close was first, but no one can know whether the request was read: it is not sent again."""
    monkeypatch.setattr(Connection, "is_alive", lambda _: True)  # the close comes between the look and the request

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await tested.wait()

    tested = asyncio.Event()
    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 60)
    server.peers[0].close()
    exchange = await transport.exchange(a_request(server.url, b"again"), 60)
    tested.set()
    assert present(exchange.error).kind == "closed"
    assert (exchange.reused, exchange.resent, server.accepted) == (True, False, 1)


async def test_a_server_that_stops_writing_reads_on_and_resets_gets_nothing_twice(
    transport: Http1Transport, serve: Serve
) -> None:
    """After the close of its half a server still reads: the reset that follows is no proof that it did not."""
    came: Counter[bytes] = Counter()

    async def behaviour(peer: Peer) -> None:
        came[await peer.answer()] += 1
        peer.end()
        came[await peer.request()] += 1
        peer.reset()

    server = await serve(behaviour)
    for number in range(50):
        await transport.exchange(a_request(server.url, b"%d" % number), 60)
    del came[b""]
    assert len(came) == sum(came.values()) == 50


async def test_connections_to_a_server_that_closes_them_at_once_are_not_kept(
    transport: Http1Transport, serve: Serve
) -> None:
    """It should have said so in its answers; after a few failures it gets a fresh connection for each request."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer()

    server = await serve(behaviour)
    exchanges = [await transport.exchange(a_request(server.url), 60) for _ in range(100)]
    assert sum(exchange.error is not None for exchange in exchanges) < 50
    assert not any(exchange.reused for exchange in exchanges[50:])


async def test_a_burst_to_a_server_that_hangs_up_at_random_sends_nothing_twice(
    transport: Http1Transport, serve: Serve
) -> None:
    """2,000 requests, 50 at a time, to a server that closes connections after any answer: none comes twice."""
    chance = random.Random(7)
    received: Counter[bytes] = Counter()

    async def behaviour(peer: Peer) -> None:
        while request := await peer.answer():
            received[request] += 1
            if not chance.randrange(8):
                return

    server = await serve(behaviour)
    numbers = iter(range(2000))

    async def worker() -> list[Exchange]:
        return [await transport.exchange(a_request(server.url, b"%d" % number), 60) for number in numbers]

    exchanges = [exchange for part in await asyncio.gather(*(worker() for _ in range(50))) for exchange in part]
    failed = [exchange for exchange in exchanges if exchange.error]
    assert set(received.values()) == {1}
    assert len(received) + len(failed) == len(exchanges) == 2000
    assert any(exchange.reused for exchange in exchanges)
    assert server.accepted > 100


async def test_a_part_of_an_answer_is_acknowledged_at_once(transport: Http1Transport, serve: Serve) -> None:
    """A server that writes head and body apart waits for that; on a connection in use the system would wait 40 ms."""
    apart, seen = Gate(), Gate()

    async def behaviour(peer: Peer) -> None:
        while not apart.is_set():
            await peer.request()
            await peer.send(OK[:20] if apart.is_set() else OK)
        await seen.wait()
        await peer.send(OK[20:])

    server = await serve(behaviour)
    connection = None
    for _ in range(1000):  # until the system takes it for a conversation, and answers only with what is said next
        await transport.exchange(a_request(server.url), 60)
        (connection,) = transport._pool._live
        if not _acknowledges_at_once(connection):
            break
    connection = present(connection)
    assert not _acknowledges_at_once(connection)
    apart.set()
    exchange = asyncio.create_task(transport.exchange(a_request(server.url), 60))
    await until(lambda: connection._answer.received > 0)
    assert _acknowledges_at_once(connection)
    seen.set()
    assert present((await exchange).response).ok


def _acknowledges_at_once(connection: Connection) -> bool:
    sock = present(connection._transport).get_extra_info("socket")
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
