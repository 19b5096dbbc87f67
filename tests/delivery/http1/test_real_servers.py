"""Against a server that others wrote: the answers of Node.js, in every shape that it gives them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
from collections.abc import Iterator

import pytest

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
    exchange = await transport.exchange(a_request(base + path, body), 60)
    assert exchange.error is None
    if path == "/empty":
        assert (present(exchange.response).status, present(exchange.response).body) == (204, b"")
    else:
        assert present(exchange.response).status == 200
        assert present(exchange.response).text == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [20, 3 * MIB], ids=["small", "large"])
@pytest.mark.parametrize("path", ["/", "/chunked", "/empty", "/close", "/hints"])
async def test_answers_of_a_real_server(transport: Http1Transport, node_server: str, path: str, size: int) -> None:
    """Every body arrives whole and every answer is understood, three times in a row."""
    for turn in range(3):
        await check(transport, node_server, path, random.Random(turn).randbytes(size))


async def test_node_that_closes_idle_connections_at_once_loses_nothing(
    transport: Http1Transport, impatient_node_server: str
) -> None:
    """The server closes what has been idle for a millisecond, just as the next request is written: none is lost."""
    chance = random.Random(3)
    reused = 0
    for number in range(300):
        body = b"%d" % number
        exchange = await transport.exchange(a_request(impatient_node_server, body), 60)
        assert exchange.error is None
        assert present(exchange.response).text == hashlib.sha256(body).hexdigest()
        reused += exchange.reused or exchange.resent
        await asyncio.sleep(chance.random() * 0.003)  # around the moment at which the server closes
    assert reused
