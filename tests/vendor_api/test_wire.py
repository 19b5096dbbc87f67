"""What clients can send that is hardly HTTP, byte for byte."""

import asyncio
import json
import socket
import subprocess
from http.client import HTTPResponse

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.vendor_api import requests
from mockserver.vendor_api.requests import error_body
from tests.presence import present
from tests.vendor_api.serving import REGISTRATION, Mock, exchange

HEAD = b"Host: localhost\r\nAuthorization: Bearer pk_private\r\nConnection: close\r\n"
JSON = json.dumps(REGISTRATION).encode()


def parsed(answer: bytes) -> tuple[int, str, bytes]:
    """Status, headers (as text) and body of one answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), body


@pytest.mark.parametrize(
    ("request_bytes", "message"),
    [
        (b"GARBAGE\r\n\r\n", "The request line is not that of HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "is this https spoken to an http port?"),
        (b"FOO /v1/webhooks HTTP/1.1\r\n" + HEAD + b"\r\n", "The request line is not that of HTTP/1.1"),
        (b"GET /v1/webhooks HTTP/9.9\r\n" + HEAD + b"\r\n", "HTTP/1.1"),
        (b"GET /\xff HTTP/1.1\r\n" + HEAD + b"\r\n", "not valid HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nAuthorization: Bearer private\x01\r\n\r\n", "not valid HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"no colon\r\n\r\n", "not valid HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n", "longer than the 8190 bytes"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", "longer than the 8190 bytes"),
        (b"POST /v1/webhooks HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", "not valid HTTP/1.1"),
        (
            b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "not valid HTTP/1.1",
        ),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", "HTTP/1.1"),
    ],
)
def test_malformed_http_is_answered_in_the_envelope(
    threaded: Mock, caplog: pytest.LogCaptureFixture, request_bytes: bytes, message: str
) -> None:
    """Even what never becomes a request gets the documented error, and neither answer nor log quotes it."""
    status, head, body = parsed(exchange(threaded.port, request_bytes))
    assert status == 400
    assert "Content-Type: application/json" in head
    assert "X-RateLimit-Reset: " in head
    error = json.loads(body)["error"]
    assert error["code"] == "invalid_request"
    assert message in error["message"]
    assert b"private" not in body
    assert "private" not in caplog.text


async def begin_body(mock: Mock, piece: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a chunked registration whose body begins with a piece; return what is answered after that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(b"POST /v1/webhooks HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(piece)
    return reader, writer


@pytest.mark.parametrize("piece", [b"5\r\nhello\r\nZZ\r\n", b"5\r\nhelloXX", b"5\r\nhello\r\n"])
async def test_a_body_without_a_proper_end_is_given_up(
    mock: Mock, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    """Chunks that turn out malformed, or stop coming, are a 400 as well."""
    monkeypatch.setattr(requests, "BODY_PATIENCE", 0.05)
    reader, writer = await begin_body(mock, piece)
    status, _, body = parsed(await reader.read())
    assert status == 400
    assert "The request body did not come to its end" in json.loads(body)["error"]["message"]
    assert mock.calls.calls[0].status == 400
    writer.close()
    await writer.wait_closed()


async def test_a_broken_body_that_aiohttp_reports_is_refused() -> None:
    """The parser that aiohttp has without its C extension reports malformed chunks in time: a 400 then."""
    content = StreamReader(BaseProtocol(asyncio.get_running_loop()), 1024, loop=asyncio.get_running_loop())
    content.set_exception(web.RequestPayloadError())
    body, problem = await requests.read_body(make_mocked_request("POST", "/", payload=content), 100)
    assert body == b""
    assert present(problem).status == 400
    assert "not framed as HTTP/1.1 says" in present(problem).message


def test_an_error_about_bytes_that_are_no_text_can_be_sent() -> None:
    """Parsers hand such bytes on as lone surrogates, which JSON cannot hold; the message shows them escaped."""
    assert b"No such path: /\\\\udcff" in error_body(404, "No such path: /\udcff")


async def test_a_client_that_leaves_is_no_error(mock: Mock, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that ends within a body leaves nothing in the log, nothing registered, and the server well."""
    _, writer = await begin_body(mock, b"5\r\nhello\r\n")
    writer.close()
    await writer.wait_closed()
    assert (await mock.call("GET", "/v1/webhooks")).json == {"webhooks": []}
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS * HTTP/1.1", 204),
        (b"CONNECT a.b:80 HTTP/1.1", 404),
        (b"GET http://api.playgent.com/v1/webhooks HTTP/1.1", 200),
        (b"GET /%00%ff%0a?x=%ff HTTP/1.1", 404),
        (b"GET /v1/webhooks/%ff%ed%a0%80 HTTP/1.1", 404),
        (b"GET /v1/webhooks/../webhooks HTTP/1.1", 404),
        (b"GET //v1/webhooks HTTP/1.1", 404),
        (b"TRACE /v1/webhooks HTTP/1.1", 405),
        (b"GET /v1/webhooks HTTP/1.0", 200),
    ],
)
def test_odd_request_lines_are_answered_like_any_other(threaded: Mock, line: bytes, status: int) -> None:
    """Every form of request target that HTTP knows gets an answer of the API."""
    given, head, body = parsed(exchange(threaded.port, line + b"\r\n" + HEAD + b"\r\n"))
    assert given == status
    assert "X-RateLimit-Limit: 100" in head
    if status >= 400:
        assert set(json.loads(body)) == {"error"}


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    ("version", "asked", "said", "kept"),
    [
        (b"1.1", b"", None, True),
        (b"1.1", b"Connection: close\r\n", "Connection: close", False),
        (b"1.0", b"", None, False),
        (b"1.0", b"Connection: keep-alive\r\n", "Connection: keep-alive", True),
    ],
)
def test_an_answer_is_framed_as_its_request_asks(
    threaded: Mock, method: bytes, version: bytes, asked: bytes, said: str | None, kept: bool
) -> None:
    """Its version, its length, its body (none for HEAD), and whether another request may follow."""
    host = b"Host: localhost\r\nAuthorization: Bearer k\r\n"
    first = method + b" /v1/webhooks HTTP/" + version + b"\r\n" + host + asked + b"\r\n"
    last = b"GET /v1/webhooks HTTP/1.1\r\n" + HEAD + b"\r\n"
    _, _, whole = parsed(exchange(threaded.port, last))
    status, head, rest = parsed(exchange(threaded.port, first + last if kept else first))  # read to the end of it
    lines = head.split("\r\n")
    assert (status, lines[0]) == (200, f"HTTP/{version.decode()} 200 OK")
    assert f"Content-Length: {len(whole)}" in lines
    assert [line for line in lines if line.startswith("Connection")] == ([said] if said else [])
    assert [line for line in lines if line.startswith(("Date: ", "Server: "))][1:]
    body, more, _ = rest.partition(b"HTTP/1.1 200 OK")
    assert body == (whole if method == b"GET" else b"")
    assert bool(more) is kept


@pytest.mark.parametrize("expect", [b"100-continue", b"something-else"])
def test_a_client_that_asks_first_is_told_to_go_on(threaded: Mock, expect: bytes) -> None:
    """Expect: 100-continue is honoured, and an unknown expectation does no harm."""
    size = b"Content-Length: %d\r\n" % len(JSON)
    request = b"POST /v1/webhooks HTTP/1.1\r\n" + HEAD + size + b"Expect: " + expect + b"\r\n\r\n" + JSON
    answer = exchange(threaded.port, request)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")


def test_a_client_that_asks_first_is_told_when_it_is_too_much(threaded: Mock) -> None:
    """A body that is too large is refused before it is sent."""
    request = b"POST /v1/webhooks HTTP/1.1\r\n" + HEAD + b"Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", threaded.port), timeout=60) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as answer:  # read to its end, not to that of the connection, which lingers
            answer.begin()
            assert (answer.status, answer.headers["Connection"]) == (413, "close")
            assert json.load(answer)["error"]["code"] == "payload_too_large"


@pytest.mark.full
def test_curl_can_register(threaded: Mock) -> None:
    """The command from the vendor's page works, but for the address."""
    given = ["-H", "Authorization: Bearer your-api-key", "-H", "Content-Type: application/json", "-d", JSON.decode()]
    command = ["curl", "-sS", "--noproxy", "*", "-w", " %{http_code}", f"{threaded.url}/v1/webhooks", *given]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    body, _, status = answer.rpartition(" ")
    assert status == "201"
    assert json.loads(body)["url"] == REGISTRATION["url"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["run.failed", "https://a.b"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["url", "events", "secret", "x"]), inner),
    max_leaves=12,
)
bodies = st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Authorization", b"Content-Type", b"Content-Encoding", b"Expect", b"Cookie", b"Upgrade", b"X"]
        ),
        st.binary(max_size=40) | st.sampled_from([b"Bearer x", b"application/json", b"100-continue", b"websocket"]),
    ),
    max_size=5,
)
methods = st.sampled_from([b"POST", b"GET", b"PATCH", b"DELETE", b"PUT", b"HEAD", b"OPTIONS"])
paths = st.sampled_from([b"/v1/webhooks", b"/v1/webhooks/x", b"/"]) | st.binary(max_size=20).map(
    lambda tail: b"/" + tail
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(method=methods, path=paths, headers=headers, body=bodies)
def test_nothing_that_is_sent_makes_the_server_fail(
    threaded: Mock, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Whatever the bytes, the answer is no 5xx, and what is registered is whole."""
    before = len(threaded.registry)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    size = b"Content-Length: %d\r\nConnection: close\r\n" % len(body)
    answer = exchange(
        threaded.port, method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + size + b"\r\n" + body
    )
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] + answer.split(b"HTTP/1.0 ")[1:]]
    assert statuses
    assert all(status < 500 for status in statuses)
    assert len(threaded.registry) - before == statuses.count(201)
    for webhook in threaded.registry.all()[before:]:
        assert webhook.url
        assert webhook.events
        assert webhook.secret
