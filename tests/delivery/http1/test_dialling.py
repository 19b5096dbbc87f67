"""Which addresses are contacted, which are not, and what is reported when none can be reached."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from mockserver.delivery.http1 import Http1Transport
from mockserver.delivery.http1.connection import Connection
from tests.delivery.http1.raw_server import Peer, Serve, a_request, keep_answering
from tests.presence import failure, present

PUBLIC = "93.184.215.14"
METADATA = "169.254.169.254"


class Network:
    """The name service, as a test says, and the running loop's way out, which is watched.

    Args:
        monkeypatch: Undoes it after the test.
        names: What each name resolves to; an exception is raised.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str] | Exception]) -> None:
        self.names = names
        self.asked: list[str] = []
        self.contacted: list[str] = []
        loop = asyncio.get_running_loop()
        self._create_connection = loop.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)
        monkeypatch.setattr(loop, "create_connection", self._watched, raising=False)

    def _getaddrinfo(self, host: str, port: int, **_: socket.SocketKind | int) -> list[Any]:
        self.asked.append(host)
        addresses = self.names[host]
        if isinstance(addresses, Exception):
            raise addresses
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    async def _watched(
        self, factory: Callable[..., Any], host: str, port: int, **options: Any
    ) -> tuple[Any, Connection]:
        self.contacted.append(host)
        if host not in {"127.0.0.1", "::1"}:  # nothing leaves this machine, whatever is tested
            raise OSError(101, "Connect call failed")
        return await self._create_connection(factory, host, port, **options)


# --- names and addresses


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["", "localhost", "LocalHost.", "app.localhost"])
async def test_this_machine_needs_no_lookup(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    """Numbers, and names of it: what listens on only one of its addresses is found; the exchange has the address."""
    server = await serve(keep_answering, host)
    network = Network(monkeypatch, {})
    exchange = await transport.exchange(a_request(f"http://{name}:{server.port}/" if name else server.url), 60)
    assert exchange.error is None
    assert exchange.address == server.url.removeprefix("http://").removesuffix("/hooks")
    assert network.asked == []


async def test_silent_names_hold_up_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """While lookups hang, this machine and other names are delivered to, and closing waits for no lookup."""
    hanging = threading.Event()
    network = Network(monkeypatch, {"app.test": ["127.0.0.1"]})

    def silent(
        host: str, port: int, **options: socket.SocketKind | int
    ) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
        if host.startswith("silent"):
            hanging.wait(60)
        return network._getaddrinfo(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    server, transport = await serve(keep_answering), Http1Transport()
    lost = [asyncio.ensure_future(transport.exchange(a_request(f"http://silent{n}.test/"), 60)) for n in range(40)]
    await asyncio.sleep(0.01)
    for name in ("localhost", "127.0.0.1", "app.test"):
        assert (await transport.exchange(a_request(f"http://{name}:{server.port}/"), 60)).error is None
    await asyncio.wait_for(transport.close(), 50)  # less than a lookup takes
    assert {present((await each).error).kind for each in lost} == {"stopped"}
    hanging.set()


async def test_a_real_name_service_is_asked(transport: Http1Transport, serve: Serve) -> None:
    """The name of this machine itself is one that it knows."""
    server = await serve(keep_answering)
    exchange = await transport.exchange(a_request(f"http://{socket.gethostname()}:{server.port}/"), 60)
    assert exchange.error is None or exchange.error.kind == "connect"  # it may lead to another of its addresses


async def test_each_new_connection_asks_again(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that moves is followed; a kept connection does not ask."""
    one, two = await serve(keep_answering), await serve(keep_answering, "::1")
    network = Network(monkeypatch, {"app.test": ["127.0.0.1"]})
    url = f"http://app.test:{one.port}/"
    await transport.exchange(a_request(url), 60)
    await transport.exchange(a_request(url), 60)
    assert network.asked == ["app.test"]
    await transport.close()
    network.names["app.test"] = ["::1"]
    moved = await transport.exchange(a_request(f"http://app.test:{two.port}/"), 60)
    assert moved.address == f"[::1]:{two.port}"


# --- the guard


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ([METADATA], "app.test (169.254.169.254) is a link-local address"),
        (["fe80::1"], "app.test (fe80::1) is a link-local address"),
        ([PUBLIC], "app.test (93.184.215.14) is a public address"),
        ([PUBLIC, METADATA], "app.test (169.254.169.254) is a link-local address"),
        (["::ffff:169.254.169.254"], "app.test (::ffff:169.254.169.254) is a link-local address"),
        (["0.0.0.0"], "app.test (0.0.0.0) is not the address of one machine"),
        ([], f"{METADATA} is a link-local address"),  # without a name
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_outside_is_not_contacted(
    transport: Http1Transport, monkeypatch: pytest.MonkeyPatch, scheme: str, addresses: list[str], message: str
) -> None:
    """The guard judges what a name resolves to, and addresses in URLs as well, before anything is sent there."""
    network = Network(monkeypatch, {"app.test": addresses})
    exchange = await transport.exchange(a_request(f"{scheme}://{'app.test' if addresses else METADATA}/"), 60)
    assert present(exchange.error).kind == "address"
    assert present(exchange.error).message.startswith(message)
    assert exchange.address == ""
    assert exchange.response is None
    assert network.contacted == []


async def test_refused_addresses_of_a_name_are_passed_over(
    transport: Http1Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the addresses of a name, only those that are allowed are contacted."""
    server = await serve(keep_answering)
    network = Network(monkeypatch, {"app.test": [METADATA, PUBLIC, "::1", "127.0.0.1"]})
    exchange = await transport.exchange(a_request(f"http://app.test:{server.port}/"), 60)
    assert exchange.error is None
    assert network.contacted == ["::1", "127.0.0.1"]


async def test_an_allowed_host_may_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is named may be sent to; nothing answers in this test, so the error is that of the network."""
    network = Network(monkeypatch, {"app.test": [PUBLIC]})
    transport = Http1Transport(allowed_hosts=["App.Test"])
    exchange = await transport.exchange(a_request("http://app.test/"), 60)
    assert network.contacted == [PUBLIC]
    message = "cannot connect to app.test:80 (tried 93.184.215.14): Network is unreachable"
    assert failure(exchange.error) == ("connect", message)


@pytest.mark.parametrize(
    ("peer", "kind", "message"),
    [
        ((PUBLIC, 80), "address", "127.0.0.1 (93.184.215.14) is a public address, and test events stay at home"),
        (None, "closed", "the connection was reset before an answer came"),
    ],
    ids=["elsewhere", "unknown"],
)
async def test_where_a_connection_really_leads_is_judged_again(
    transport: Http1Transport,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    peer: tuple[str, int] | None,
    kind: str,
    message: str,
) -> None:
    """A connection that ends up elsewhere than at the address that was judged, or who knows where, gets nothing."""
    got = asyncio.get_running_loop().create_future()

    async def behaviour(peer: Peer) -> None:
        got.set_result(await peer.read())

    server = await serve(behaviour)
    loop = asyncio.get_running_loop()
    create_connection = loop.create_connection

    class Misled(asyncio.Protocol):
        """Passes on what the loop says, but for the name of the peer."""

        def __init__(self, protocol: asyncio.Protocol) -> None:
            self.protocol = protocol

        def connection_lost(self, exc: Exception | None) -> None:
            self.protocol.connection_lost(exc)

        def connection_made(self, transport: Any) -> None:
            class Led:
                abort = transport.abort

                @staticmethod
                def get_extra_info(name: str) -> object:
                    return peer if name == "peername" else transport.get_extra_info(name)

            self.protocol.connection_made(cast("asyncio.Transport", Led))

    async def redirected(
        factory: Callable[..., Any], host: str, port: int, **options: Any
    ) -> tuple[Any, asyncio.Protocol]:
        return await create_connection(lambda: Misled(factory()), host, port, **options)

    monkeypatch.setattr(loop, "create_connection", redirected, raising=False)
    exchange = await transport.exchange(a_request(server.url), 60)
    assert present(exchange.error).kind == kind
    assert present(exchange.error).message.startswith(message)
    assert await asyncio.wait_for(got, 60) == b""


# --- nothing there


async def test_nobody_listens(transport: Http1Transport, closed_port: int) -> None:
    """The commonest of mistakes: the message asks whether the application runs, and names the addresses of a name."""
    for host, tried in (("127.0.0.1", ""), ("localhost", " (tried ::1 and 127.0.0.1)")):
        exchange = await transport.exchange(a_request(f"http://{host}:{closed_port}/"), 60)
        message = f"nothing listens on {host}:{closed_port}{tried}: is the application running?"
        assert failure(exchange.error) == ("connect", message)
        assert (exchange.response, exchange.address) == (None, "")
        assert exchange.connect_ms > 0


async def test_a_connection_of_a_port_with_itself_is_no_connection(
    transport: Http1Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may connect a free port with itself; that must not pass for an application."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    loop = asyncio.get_running_loop()
    create_connection = loop.create_connection

    async def from_that_very_port(
        factory: Callable[..., Any], host: str, port: int, **options: Any
    ) -> tuple[Any, Connection]:
        return await create_connection(factory, host, port, local_addr=(host, port), **options)

    monkeypatch.setattr(loop, "create_connection", from_that_very_port, raising=False)
    exchange = await transport.exchange(a_request(f"http://127.0.0.1:{port}/"), 60)
    assert failure(exchange.error) == ("connect", f"nothing listens on 127.0.0.1:{port}: is the application running?")


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name not known"),
            "resolve",
            "no address for 'app.test' (Name not known): is",
        ),
        (UnicodeError("label too long"), "resolve", "no address for 'app.test' (label too long): is the name right?"),
        (RuntimeError("Executor shutdown has been called"), "connect", "Executor shutdown has been called"),
    ],
)
async def test_a_name_that_does_not_resolve(
    transport: Http1Transport, monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: str, words: str
) -> None:
    """The name service's reason is given; what was not foreseen is not left to the time-out either."""
    Network(monkeypatch, {"app.test": raised})
    exchange = await transport.exchange(a_request("http://app.test/"), 60)
    assert present(exchange.error).kind == kind
    assert words in present(exchange.error).message
    assert exchange.total_ms < 30_000


async def test_a_name_service_that_does_not_answer(transport: Http1Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving counts in the time-out, and the message says that it was the resolving."""
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(60))
    exchange = await transport.exchange(a_request("http://app.test/"), 0.1)
    hanging.set()
    assert failure(exchange.error) == ("resolve", "app.test was not resolved within 100ms")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_full_backlog_is_a_connection_not_made_in_time(transport: Http1Transport, cancelled: bool) -> None:
    """An application that does not accept: connecting counts in the time-out, and can be given up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            request = a_request(f"http://127.0.0.1:{address[1]}/")
            if cancelled:
                task = asyncio.ensure_future(transport.exchange(request, 60))
                for _ in range(5):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return
            exchange = await transport.exchange(request, 0.2)
        finally:
            for filler in fillers:
                filler.close()
    message = f"127.0.0.1:{address[1]} did not accept the connection within 200ms: is the application overloaded?"
    assert failure(exchange.error) == ("connect", message)
    assert exchange.total_ms >= 199


async def test_a_server_that_resets_at_once_has_closed(transport: Http1Transport, serve: Serve) -> None:
    """Accepted and thrown out before anything was said: the connection was there, so it is not a failure to connect."""

    async def behaviour(peer: Peer) -> None:
        peer.reset()

    server = await serve(behaviour)
    for _ in range(30):
        exchange = await transport.exchange(a_request(server.url), 60)
        assert present(exchange.error).kind == "closed"
        assert not exchange.resent
