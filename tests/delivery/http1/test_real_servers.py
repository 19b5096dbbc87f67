"""Against servers that others wrote: uvicorn, aiohttp, Python's http.server, Node.js."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import random
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mockserver.delivery.http1 import Http1Transport
from tests.delivery.http1.raw_server import a_request
from tests.presence import present

pytestmark = pytest.mark.full

MIB = 1 << 20

NODE_SERVER = r"""
const crypto = require('crypto');
const server = require('http').createServer((request, response) => {
  const hash = crypto.createHash('sha256');
  request.on('data', (chunk) => hash.update(chunk));
  request.on('end', () => {
    const digest = hash.digest('hex');
    if (request.url === '/chunked') {
      response.writeHead(200, {'Trailer': 'X-Sum'});
      response.write(digest.slice(0, 10));
      response.write(digest.slice(10));
      response.addTrailers({'X-Sum': '1'});
      response.end();
    } else if (request.url === '/hints') {
      response.writeEarlyHints({link: '</a>; rel=preload'});
      response.writeProcessing();
      response.end(digest);
    } else if (request.url === '/empty') {
      response.writeHead(204).end();
    } else if (request.url === '/close') {
      response.writeHead(200, {'Connection': 'close'}).end(digest);
    } else if (request.url === '/hang-up') {
      request.socket.destroy();
    } else {
      response.end(digest);
    }
  });
});
server.keepAliveTimeout = Number(process.argv[1]);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the digest of the body, in the shape that the path asks for."""
    digest = hashlib.sha256()
    more = True
    while more:
        message = await receive()
        digest.update(message["body"])
        more = message["more_body"]
    body = digest.hexdigest().encode()
    path = scope["path"]
    if path == "/empty":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        return
    headers = [(b"connection", b"close")] if path == "/close" else []
    if path != "/chunked":
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:10], "more_body": True})
    await send({"type": "http.response.body", "body": body[10:]})


class Handler(http.server.BaseHTTPRequestHandler):
    """The same with Python's own server, which speaks HTTP/1.0 unless told otherwise."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(body).hexdigest().encode()
        if self.path == "/empty":
            self.send_response(204)
            self.end_headers()
            return
        self.send_response(200)
        if self.path != "/close":  # then the end of the connection ends the body
            self.send_header("Content-Length", str(len(digest)))
        self.end_headers()
        self.wfile.write(digest)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture(scope="module")
def uvicorn_server() -> Iterator[str]:
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(asgi_app, lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    sock.close()


@pytest.fixture(scope="module")
def python_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def node(keep_alive_ms: int) -> Iterator[str]:
    command = ["node", "-e", NODE_SERVER, str(keep_alive_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{present(process.stdout).readline().strip()}"
        process.terminate()


@pytest.fixture(scope="module")
def node_server() -> Iterator[str]:
    yield from node(keep_alive_ms=5000)


@pytest.fixture(scope="module")
def impatient_node_server() -> Iterator[str]:
    yield from node(keep_alive_ms=1)


async def check(transport: Http1Transport, base: str, path: str, body: bytes) -> None:
    exchange = await transport.exchange(a_request(base + path, body), 20)
    assert exchange.error is None
    if path == "/empty":
        assert (present(exchange.response).status, present(exchange.response).body) == (204, b"")
    else:
        assert present(exchange.response).status == 200
        assert present(exchange.response).text == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [20, 3 * MIB], ids=["small", "large"])
@pytest.mark.parametrize("path", ["/", "/chunked", "/empty", "/close", "/hints"])
@pytest.mark.parametrize("server", ["uvicorn_server", "python_server", "node_server"])
async def test_answers_of_real_servers(
    request: pytest.FixtureRequest, transport: Http1Transport, server: str, path: str, size: int
) -> None:
    """Every body arrives whole and every answer is understood, three times in a row."""
    base = request.getfixturevalue(server)
    for turn in range(3):
        await check(transport, base, path, random.Random(turn).randbytes(size))


async def test_many_at_once(transport: Http1Transport, uvicorn_server: str, node_server: str) -> None:
    """Two servers, 400 requests to each, 50 at a time: each gets its own answer."""
    numbers = iter(range(800))

    async def worker() -> None:
        for number in numbers:
            await check(transport, (uvicorn_server, node_server)[number % 2], "/", b"%d" % number)

    await asyncio.gather(*(worker() for _ in range(50)))


async def test_node_that_closes_idle_connections_at_once_loses_nothing(
    transport: Http1Transport, impatient_node_server: str
) -> None:
    """The server closes what has been idle for a millisecond, just as the next request is written: none is lost."""
    chance = random.Random(3)
    reused = 0
    for number in range(300):
        body = b"%d" % number
        exchange = await transport.exchange(a_request(impatient_node_server, body), 20)
        assert exchange.error is None
        assert present(exchange.response).text == hashlib.sha256(body).hexdigest()
        reused += exchange.reused or exchange.resent
        await asyncio.sleep(chance.random() * 0.003)  # around the moment at which the server closes
    assert reused
