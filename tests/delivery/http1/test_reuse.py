"""How connections are kept between exchanges, and what happens when the server drops them."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from mockserver.delivery.http1 import Http1Transport
from mockserver.model.messages import Exchange
from tests.delivery.http1.raw_server import MIB, OK, Gate, Peer, a_request, keep_answering, until

# --- keeping


async def test_one_connection_carries_one_exchange_at_a_time(transport, serve):
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
    together = [asyncio.ensure_future(transport.exchange(a_request(server.url), 5)) for _ in range(3)]
    await until(lambda: server.accepted == 3)
    release.set()
    exchanges = await asyncio.gather(*together)
    assert not any(exchange.reused for exchange in exchanges)
    for _ in range(3):
        assert (await transport.exchange(a_request(server.url), 5)).reused
    assert server.accepted == 3
    assert len(set(served[-3:])) == 1


async def test_connections_of_different_servers_are_apart(transport, serve):
    """A connection is used for its own host and port only."""
    one, two = await serve(keep_answering), await serve(keep_answering)
    for server in (one, two, one, two):
        exchange = await transport.exchange(a_request(server.url), 5)
        assert exchange.address == f"127.0.0.1:{server.port}"
    assert (one.accepted, two.accepted) == (1, 1)


async def test_an_idle_connection_is_dropped_by_a_timer(serve):
    """After idle_seconds an unused connection is closed, without anyone asking for it."""
    dropped = Gate()

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.closed()
        dropped.set()

    server = await serve(behaviour)
    transport = Http1Transport(idle_seconds=0.05)
    await transport.exchange(a_request(server.url), 5)
    await dropped.passed()
    assert not (await transport.exchange(a_request(server.url), 5)).reused
    await transport.close()


async def test_each_idle_connection_is_dropped_in_its_own_time(serve):
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
    transport = Http1Transport(idle_seconds=1.5)
    slow = asyncio.ensure_future(transport.exchange(a_request(server.url, b"slow"), 5))
    await until(lambda: server.accepted == 1)
    await transport.exchange(a_request(server.url), 5)
    asyncio.get_running_loop().call_later(0.75, release.set)
    await slow
    await first_gone.passed()
    assert gone == [1]
    assert (await transport.exchange(a_request(server.url), 5)).reused
    await both_gone.passed()
    assert gone == [1, 0]
    await transport.close()


@pytest.mark.parametrize("what", ["data", "eof", "reset"])
async def test_whatever_arrives_on_an_idle_connection_closes_it(serve, what):
    """Nobody asked: the connection is closed at once and not used again."""
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
    await transport.exchange(a_request(server.url), 5)
    say.set()
    await closed.passed()
    await until(lambda: not transport._pool._live)
    exchange = await transport.exchange(a_request(server.url), 5)
    assert exchange.error is None
    assert (exchange.reused, exchange.resent) == (False, False)
    await transport.close()


# --- dying just when a request is written


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_request_that_died_on_a_reused_connection_is_sent_once_more(transport, serve, how):
    """The server takes the second request and hangs up without a byte: it is sent again, and the exchange says so."""
    seen: list[tuple[int, bytes]] = []

    async def behaviour(peer: Peer) -> None:
        seen.append((peer.number, await peer.answer()))
        if peer.number == 0:
            seen.append((0, await peer.request()))
            if how == "reset":
                peer.reset()
        else:
            await peer.closed()

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 5)
    request = a_request(server.url, b"again")
    exchange = await transport.exchange(request, 5)
    assert exchange.error is None
    assert (exchange.reused, exchange.resent) == (False, True)
    assert exchange.connect_ms > 0
    assert seen[1:] == [(0, request.wire), (1, request.wire)]


async def test_a_server_that_closes_right_after_its_answer_costs_nothing(transport, serve):
    """Answer and end in one go: the connection is not offered again, or the request is sent once more; none is lost."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer()

    server = await serve(behaviour)
    for _ in range(50):
        assert (await transport.exchange(a_request(server.url), 5)).error is None


async def test_a_write_on_a_connection_that_was_reset_is_sent_once_more(transport, serve):
    """The reset and our write cross each other, so that the write itself fails: the request is still delivered."""

    async def behaviour(peer: Peer) -> None:
        if peer.number:
            return await keep_answering(peer)
        await peer.answer()
        return await tested.wait()

    tested = asyncio.Event()
    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 5)
    server.peers[0].reset()  # in the same turn of the loop in which the request is written
    exchange = await transport.exchange(a_request(server.url, b"x" * MIB), 5)
    tested.set()
    assert exchange.error is None
    assert exchange.resent


async def test_a_request_is_sent_once_more_and_no_oftener(transport, serve):
    """When the fresh connection dies as well, that is the outcome."""

    async def behaviour(peer: Peer) -> None:
        if peer.number == 0:
            await peer.answer()
        await peer.request()

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 5)
    exchange = await transport.exchange(a_request(server.url), 5)
    assert exchange.error.kind == "closed"
    assert exchange.resent
    assert server.accepted == 2


async def test_half_an_answer_on_a_reused_connection_is_not_sent_once_more(transport, serve):
    """One byte of an answer says that the server has begun to work on it."""

    async def behaviour(peer: Peer) -> None:
        await peer.answer()
        await peer.answer(b"H")

    server = await serve(behaviour)
    await transport.exchange(a_request(server.url), 5)
    exchange = await transport.exchange(a_request(server.url), 5)
    assert exchange.error.message == "the connection closed after 1 bytes of header"
    assert (exchange.reused, exchange.resent) == (True, False)
    assert server.accepted == 1


async def test_the_time_that_a_dead_connection_took_counts(transport, serve):
    """What is sent once more has what is left of the time, not all of it anew."""
    late = Gate()

    async def hang_up_late(peer: Peer) -> None:
        if peer.number == 0:
            await peer.answer()
            await peer.request()
            asyncio.get_running_loop().call_later(1, late.set)
            await late.wait()
        else:
            await peer.request()
            await peer.closed()

    server = await serve(hang_up_late)
    await transport.exchange(a_request(server.url), 5)
    exchange = await transport.exchange(a_request(server.url), 2)
    assert exchange.error.kind == "timeout"
    assert exchange.resent
    assert 1999 <= exchange.total_ms < 2900


async def test_a_burst_to_a_server_that_hangs_up_at_random_loses_nothing(transport, serve):
    """2,000 requests, 50 at a time, to a server that closes or resets connections after any answer: all arrive."""
    chance = random.Random(7)
    received: set[bytes] = set()

    async def behaviour(peer: Peer) -> None:
        while request := await peer.answer():
            received.add(request)
            how = chance.randrange(8)
            if how == 0:
                return
            if how == 1:
                peer.end()

    server = await serve(behaviour)
    numbers = iter(range(2000))

    async def worker() -> list[Exchange]:
        return [await transport.exchange(a_request(server.url, b"%d" % number), 30) for number in numbers]

    exchanges = [exchange for part in await asyncio.gather(*(worker() for _ in range(50))) for exchange in part]
    assert len(exchanges) == len(received) == 2000
    assert [exchange.error for exchange in exchanges if exchange.error] == []
    assert any(exchange.reused for exchange in exchanges)
    assert server.accepted > 100


async def test_a_part_of_an_answer_is_acknowledged_at_once(transport, serve):
    """A server that writes head and body apart waits for that; on a connection in use the system would wait 40 ms."""
    seen = Gate()

    async def behaviour(peer: Peer) -> None:
        for _ in range(20):  # until the system takes it for a conversation, and answers only with what is said next
            await peer.answer()
        await peer.request()
        await peer.send(OK[:20])
        await seen.wait()
        await peer.send(OK[20:])

    server = await serve(behaviour)
    for _ in range(20):
        await transport.exchange(a_request(server.url), 10)
    exchange = asyncio.create_task(transport.exchange(a_request(server.url), 10))
    (connection,) = transport._pool._live
    before = _acknowledges_at_once(connection)
    await until(lambda: connection._answer.received > 0)
    assert (before, _acknowledges_at_once(connection)) == (False, True)
    seen.set()
    assert (await exchange).response.ok


def _acknowledges_at_once(connection) -> bool:
    sock = connection._transport.get_extra_info("socket")
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
