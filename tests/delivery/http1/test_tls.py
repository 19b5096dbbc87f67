"""https: private authorities, bad certificates, and servers that do not speak TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from trustme import CA

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import OK, Peer, Serve, a_request
from tests.presence import failure, present


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


StartTls = Callable[..., Awaitable[TestServer]]


@pytest.fixture
def tls_server(aiohttp_server: Callable[..., Any], authority: trustme.CA) -> StartTls:
    """Starts an aiohttp server whose certificate the authority signed for the names given."""

    async def start(*names: str, client_certificate: bool = False) -> TestServer:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(*names).configure_cert(context)
        if client_certificate:
            authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED

        async def hook(request: web.Request) -> web.Response:
            return web.Response(body=await request.read(), headers={"X-Peer": request.remote or ""})

        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/hooks", hook)
        server: TestServer = await aiohttp_server(app, ssl=context)
        return server

    return start


@pytest.fixture
async def trusting(authority: CA) -> AsyncIterator[Http1Transport]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = Http1Transport(tls=context, record_limit=1 << 22, idle_seconds=60)
    yield transport
    await transport.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost."])  # certificates do not carry the dot
async def test_a_private_authority_is_trusted_through_the_context(
    tls_server: StartTls, trusting: Http1Transport, host: str
) -> None:
    """With the context that knows the authority, https works like http: kept alive, large bodies, byte for byte."""
    server = await tls_server("localhost", "127.0.0.1")
    body = bytes(range(256)) * 8192  # 2 MiB
    for turn in range(3):
        exchange = await trusting.exchange(a_request(f"https://{host}:{server.port}/hooks", body), 60)
        assert exchange.error is None
        assert present(exchange.response).body == body
        assert exchange.reused == (turn > 0)
        assert exchange.address == f"127.0.0.1:{server.port}"


async def test_an_unknown_authority_is_refused(tls_server: StartTls, transport: Http1Transport) -> None:
    """The default context trusts what the system trusts; the message says how a private authority can be given."""
    server = await tls_server("127.0.0.1")
    exchange = await transport.exchange(a_request(f"https://127.0.0.1:{server.port}/hooks"), 60)
    assert present(exchange.error).kind == "tls"
    assert present(exchange.error).message == (
        f"the certificate of 127.0.0.1:{server.port} is not trusted (unable to get local issuer certificate):"
        " give the CA that signed it (--ca-file), or use an http:// address"
    )
    assert exchange.response is None
    assert exchange.address == f"127.0.0.1:{server.port}"


async def test_a_certificate_for_another_name_is_refused(tls_server: StartTls, trusting: Http1Transport) -> None:
    """The certificate must be for the host of the URL."""
    server = await tls_server("other.example")
    exchange = await trusting.exchange(a_request(f"https://localhost:{server.port}/hooks"), 60)
    assert present(exchange.error).kind == "tls"
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in present(exchange.error).message


async def test_a_server_that_wants_our_certificate_says_so(tls_server: StartTls, trusting: Http1Transport) -> None:
    """We have none: the server's complaint, which comes after the handshake, reaches the reader."""
    server = await tls_server("127.0.0.1", client_certificate=True)
    exchange = await trusting.exchange(a_request(f"https://127.0.0.1:{server.port}/hooks"), 60)
    assert present(exchange.error).kind == "closed"


async def test_a_server_without_tls_suggests_http(transport: Http1Transport, serve: Serve) -> None:
    """The handshake meets a server that speaks plain HTTP."""

    async def behaviour(peer: Peer) -> None:
        await peer.read()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.closed()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url.replace("http:", "https:")), 60)
    assert failure(exchange.error) == ("tls", f"127.0.0.1:{server.port} does not speak TLS: is it an http:// address?")


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_server_that_hangs_up_in_the_handshake(transport: Http1Transport, serve: Serve, how: str) -> None:
    """The connection ends where a handshake should be."""

    async def behaviour(peer: Peer) -> None:
        await peer.read()
        if how == "reset":
            peer.reset()

    server = await serve(behaviour)
    exchange = await transport.exchange(a_request(server.url.replace("http:", "https:")), 60)
    assert present(exchange.error).kind == "tls"
    assert present(exchange.error).message.startswith(f"127.0.0.1:{server.port} broke off the TLS handshake (")
    assert present(exchange.error).message.endswith("): does it speak https?")


@pytest.mark.parametrize("end", ["time-out", "cancelled", "closed"])
async def test_a_handshake_that_does_not_end(transport: Http1Transport, serve: Serve, end: str) -> None:
    """A server that says nothing: time-out, cancellation and close end it, and the connection with it."""
    hello, hung_up = asyncio.Event(), asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        await peer.read()
        hello.set()
        await peer.closed()
        hung_up.set()

    server = await serve(behaviour)
    request = a_request(server.url.replace("http:", "https:"))
    task = asyncio.ensure_future(transport.exchange(request, 2 if end == "time-out" else 60))
    await asyncio.wait_for(hello.wait(), 60)
    if end == "cancelled":
        task.cancel()
    elif end == "closed":
        await transport.close()
    await asyncio.wait([task])
    await asyncio.wait_for(hung_up.wait(), 60)
    if end == "time-out":
        message = f"no TLS connection to 127.0.0.1:{server.port} within 2s: does it speak https?"
        assert failure(task.result().error) == ("tls", message)
    elif end == "closed":
        assert present(task.result().error).kind == "stopped"


async def test_a_kept_tls_connection_that_the_server_closed_costs_nothing(
    authority: CA, trusting: Http1Transport
) -> None:
    """Closed by the server between two requests, with TLS's goodbye: the next request goes out on a fresh one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def hang_up_after_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up_after_one, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        for _ in range(5):
            exchange = await trusting.exchange(a_request(f"https://127.0.0.1:{port}/hooks"), 60)
            assert exchange.error is None
        await trusting.close()
