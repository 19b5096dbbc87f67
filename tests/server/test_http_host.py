"""The HTTP server: where it listens, and how fast it stops."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from http.client import HTTPSConnection
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web

from mockserver.delivery.event_loop import PATIENCE
from mockserver.errors import StartError
from mockserver.server import http_host
from mockserver.server.http_host import HttpHost
from tests.tables import each_row
from tests.vendor_api.serving import Mock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Answering:
    """A fallback that answers its own words; ``handler`` does the work."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self._handler(request)

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self.handle)

    def refuse(self, status: int, message: str) -> web.Response:
        return web.json_response({"refused": message}, status=status)


async def hello(_: web.Request) -> web.Response:
    """Answer at once."""
    return web.Response(text="hello")


#: Starts a server.
Listen = Callable[..., Awaitable[HttpHost]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start servers; they are stopped with the test."""
    servers = []

    async def listening(
        handler: Handler = hello, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> HttpHost:
        servers.append(HttpHost(Answering(handler)))
        await servers[-1].start(host, port, tls)
        return servers[-1]

    yield listening
    for server in servers:
        await server.stop()


async def fetch(url: str) -> tuple[int, str]:
    """Get a URL on a connection of its own."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_port_0_takes_a_free_one(listen: Listen) -> None:
    """The URL has the real port, and no slash at its end."""
    first, second = await listen(), await listen()
    assert first.url == f"http://127.0.0.1:{first.port}"
    assert first.port != second.port
    assert await fetch(first.url) == (200, "hello")


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("localhost", "127.0.0.1")]
)
async def test_the_url_is_one_that_can_be_called(listen: Listen, host: str, shown: str) -> None:
    """Listening everywhere, or by name, still gives an address to call; that of IPv6 is in brackets."""
    server = await listen(host=host)
    assert server.url == f"http://{shown}:{server.port}"
    assert await fetch(server.url) == (200, "hello")


async def test_of_several_addresses_the_ipv4_one_is_taken(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads to IPv6 first, as localhost often does, is served where most clients look."""

    async def both(_: Any, port: int, **__: Any) -> Any:
        stream = (socket.SOCK_STREAM, 6, "")
        return [(socket.AF_INET6, *stream, ("::1", port, 0, 0)), (socket.AF_INET, *stream, ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    assert (await listen(host="both.example")).url.startswith("http://127.0.0.1:")


async def test_https_is_served_with_a_certificate(listen: Listen) -> None:
    """Clients that insist on https can be served."""
    authority, tls, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(trusting)
    server = await listen(tls=tls)
    assert server.url.startswith("https://127.0.0.1:")
    client = HTTPSConnection("127.0.0.1", server.port, timeout=60, context=trusting)

    def ask() -> bytes:
        client.request("GET", "/")
        return client.getresponse().read()

    assert await asyncio.to_thread(ask) == b"hello"
    assert await seconds_to_stop(server) < AT_ONCE  # with the connection still open
    client.close()


async def test_a_port_in_use_says_what_to_do(listen: Listen) -> None:
    """One line names the port and the way out."""
    taken = (await listen()).port
    with pytest.raises(StartError) as caught:
        await listen(port=taken)
    assert str(caught.value) == (
        f"port {taken} on 127.0.0.1 is in use: stop the other program, or choose another port (0 picks a free one)"
    )


@each_row(
    ("host", "port", "message"),
    [
        ("no.such.host.invalid", 0, "the host 'no.such.host.invalid' is unknown: listen on 127.0.0.1"),
        ("a" * 70, 0, "is unknown"),
        ("192.0.2.1", 0, "192.0.2.1 is not an address of this machine: listen on 127.0.0.1"),
        ("127.0.0.1", 70_000, "cannot listen on port 70000 of 127.0.0.1: a port is a number from 0 to 65535"),
    ],
)
async def test_an_address_that_cannot_be_listened_on_says_why(
    listen: Listen, host: str, port: int, message: str
) -> None:
    """Each cause has its own words."""
    with pytest.raises(StartError) as caught:
        await listen(host=host, port=port)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_privileged_port_says_what_to_do(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to listen there, another port is suggested (refused by hand, as tests may run as root)."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(StartError) as caught:
        await listen(port=80)
    assert str(caught.value) == (
        "port 80 on 127.0.0.1 needs administrator rights: choose another port (0 picks a free one)"
    )


#: Seconds: aiohttp waits for a minute, a head may take ten seconds; a busy machine takes less.
AT_ONCE = PATIENCE


async def seconds_to_stop(server: HttpHost) -> float:
    """How long stopping takes."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await server.stop()
    return loop.time() - before


async def test_stopping_does_not_wait_for_idle_connections(listen: Listen) -> None:
    """A kept-alive connection is closed at once."""
    server = await listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"hello")
    assert await seconds_to_stop(server) < AT_ONCE
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_stopping_does_not_wait_for_handlers(listen: Listen) -> None:
    """A handler that never ends is cancelled, and its connection closed."""
    entered, ended = asyncio.Event(), asyncio.Event()

    async def endless(_: web.Request) -> Any:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = await listen(endless)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await entered.wait()
    assert await seconds_to_stop(server) < AT_ONCE
    await asyncio.wait_for(ended.wait(), 60)
    writer.close()
    await writer.wait_closed()


async def test_stopping_cuts_off_a_client_that_does_not_read(listen: Listen) -> None:
    """An endless answer to a client that stopped reading does not hold the server up."""
    full = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            waiting = asyncio.ensure_future(response.write(b"x" * 1_000_000))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            if not done:
                full.set()
            await waiting

    server = await listen(stream)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await full.wait()
        assert await seconds_to_stop(server) < AT_ONCE
        assert not server._connections  # cut off, not left to be written to when the client reads on


async def test_stopping_does_not_wait_for_the_rest_of_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is still sending a refused body is not waited for."""
    monkeypatch.setattr(http_host, "_LINGER", 60)
    mock = Mock.of(max_request_bytes=10)
    await mock.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 4")
    assert await seconds_to_stop(mock.server) < AT_ONCE
    writer.close()
    await writer.wait_closed()


async def test_stopping_twice_does_no_harm(listen: Listen) -> None:
    """A server that stopped, or never started, can be stopped again."""
    server = await listen()
    await server.stop()
    await server.stop()
    await HttpHost(Answering(hello)).stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(server.url)


async def test_other_parts_come_before_the_fallback() -> None:
    """A part's routes are its own; whatever it has no route for goes to the fallback."""

    class Part:
        def add_to(self, app: web.Application) -> None:
            app.router.add_get("/_mock/health", self.health)

        async def health(self, _: web.Request) -> web.Response:
            return web.Response(text="well")

    server = HttpHost(Answering(hello), Part())
    await server.start("127.0.0.1", 0)
    assert await fetch(server.url + "/_mock/health") == (200, "well")
    assert await fetch(server.url + "/_mock/other") == (200, "hello")
    assert await fetch(server.url + "/") == (200, "hello")
    await server.stop()


async def test_a_failing_part_is_answered_in_the_words_of_the_fallback(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees no traceback, the log does."""

    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("it broke")

    server = await listen(fail)
    status, text = await fetch(server.url)
    assert status == 500
    assert "its log says why" in text
    assert "it broke" not in text
    assert "RuntimeError: it broke" in caplog.text


async def test_a_failure_after_the_answer_began_closes_the_connection(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """Half an answer is not followed by another one."""

    async def fail(request: web.Request) -> web.Response:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("it broke")

    server = await listen(fail)
    with pytest.raises(aiohttp.ClientPayloadError):
        await fetch(server.url)
    assert "RuntimeError: it broke" in caplog.text


async def test_half_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, listen: Listen) -> None:
    """A client that never ends its head, or never begins, is cut off; one that takes its time with a body is not."""
    monkeypatch.setattr(http_host, "HEAD_PATIENCE", 0.2)

    async def read(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    server = await listen(read)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    clients = []
    for sent in (b"", head, head + b"Content-Length: 3\r\n\r\n"):
        clients.append(await asyncio.open_connection("127.0.0.1", server.port))
        clients[-1][1].write(sent)
    for reader, _ in clients[:2]:
        assert (await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 408 ")
    clients[2][1].write(b"abc")
    assert (await asyncio.wait_for(clients[2][0].readline(), 60)).startswith(b"HTTP/1.1 200 ")
    for _, writer in clients:
        writer.close()


async def test_too_many_connections_make_room(monkeypatch: pytest.MonkeyPatch, listen: Listen) -> None:
    """The oldest that is idle goes, and a new client is served."""
    monkeypatch.setattr(http_host, "most_connections", lambda: 3)
    server = await listen()
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(10)]
    assert await fetch(server.url) == (200, "hello")
    for _, writer in held:
        writer.close()
