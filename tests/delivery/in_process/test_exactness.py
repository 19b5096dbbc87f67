"""What an application in this process sees is what it would see over the network."""

import hashlib

import pytest
from starlette.types import Receive, Scope, Send

import mockserver
from mockserver import MockServer
from mockserver.delivery.in_process.call import Call
from mockserver.delivery.in_process.wsgi import _environ_of
from mockserver.model.messages import Request
from mockserver.model.targets import Target
from mockserver.replay.dispatcher import SendResult
from tests.delivery.http1.raw_server import Peer
from tests.delivery.http1.raw_server import Serve as StartServer
from tests.delivery.in_process.apps import SECRET, URL, AsgiProbe, WsgiProbe, start
from tests.presence import present

PATH = "/a/../b/%c3%bc/%2F/x%20y;z?q=%FF&r=a+b&s=[1]"


@pytest.fixture
async def over_the_network(serve_raw: StartServer) -> tuple[str, list[tuple[str, str]], bytes]:
    """The target, the headers and the body of the same delivery, as they come through a socket."""
    seen = []

    async def behaviour(peer: Peer) -> None:
        seen.append(await peer.answer())

    server = await serve_raw(behaviour)
    async with MockServer(user_agent="me/1.0") as mock:
        mock.register(f"http://127.0.0.1:{server.port}{PATH}", secret=SECRET)
        await mock.asend("run.failed", data={"run_id": "r"})
    head, _, body = seen[0].partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    parted = [each.partition(": ") for each in lines]
    return line.split(" ")[1], [(name, value) for name, _, value in parted], body


def deliver_to(app: AsgiProbe | WsgiProbe, path: str = PATH) -> SendResult:
    with MockServer(user_agent="me/1.0") as mock:
        mock.route(URL, to=app)
        mock.register(URL + path, secret=SECRET)
        sent = mock.send("run.failed", data={"run_id": "r"})
        assert sent.delivered, str(sent)
        return sent


def test_asgi_sees_what_the_network_would_bring(over_the_network: tuple[str, list[tuple[str, str]], bytes]) -> None:
    """Path, query, header names, values and order, and the body are the same; nothing is added or normalised."""
    app = AsgiProbe()
    sent = deliver_to(app)
    target, headers, body = over_the_network
    scope = app.scopes[0]
    assert scope["raw_path"] + b"?" + scope["query_string"] == target.encode()
    assert scope["path"] == "/a/../b/ü///x y;z"
    mine = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    assert [name for name, _ in mine] == [name.lower() for name, _ in headers]  # ASGI has names in lower case
    assert {k: v for k, v in mine if k not in {"host", "x-playgent-signature"}} == {
        k.lower(): v for k, v in headers if k not in {"Host", "X-Playgent-Signature"}
    }
    assert dict(mine)["host"] == "your-app.com"
    assert (scope["method"], scope["scheme"], scope["server"]) == ("POST", "https", ("your-app.com", 443))
    assert scope["http_version"] == "1.1"
    assert app.bodies[0] == present(sent.attempts[0].request).body
    assert len(app.bodies[0]) == len(body)
    assert mockserver.verify(app.bodies[0], dict(mine)["x-playgent-signature"], SECRET)


def test_wsgi_sees_what_the_network_would_bring(over_the_network: tuple[str, list[tuple[str, str]], bytes]) -> None:
    """The environ holds the path as bytes in Latin-1, the raw target, and each header once, with nothing added."""
    app = WsgiProbe()
    deliver_to(app)
    environ = app.environs[0]
    target, headers, body = over_the_network
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a/../b/ü///x y;z"
    assert environ["RAW_URI"] == environ["REQUEST_URI"] == target
    assert environ["QUERY_STRING"] == target.partition("?")[2]
    sent = {key for key in environ if key.startswith("HTTP_")} | {"CONTENT_TYPE", "CONTENT_LENGTH"}
    assert sent == {
        {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}.get(
            name.upper(), "HTTP_" + name.upper().replace("-", "_")
        )
        for name, _ in headers
    }
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("your-app.com", "443")
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == "your-app.com"
    assert len(app.bodies[0]) == int(environ["CONTENT_LENGTH"]) == len(body)
    assert mockserver.verify(app.bodies[0], environ["HTTP_X_PLAYGENT_SIGNATURE"], SECRET)


def test_a_header_that_comes_twice_is_one_value_in_wsgi() -> None:
    """As servers do it; and bytes outside ASCII arrive as Latin-1."""
    head = b"POST / HTTP/1.1\r\nX-A: 1\r\nx-a:  \xe9 \r\nContent-Type: a\r\n\r\n"
    environ = _environ_of(Call(Request(Target.parse(URL), head, b"")))
    assert (environ["HTTP_X_A"], environ["CONTENT_TYPE"]) == ("1,\xe9", "a")


def test_the_answer_is_recorded_as_it_was_given() -> None:
    """Status, reason, header names in lower case, values in Latin-1, body and size."""
    app = WsgiProbe()
    response = present(deliver_to(app, "/hooks").response)
    assert (app.environs[0]["RAW_URI"], app.environs[0]["QUERY_STRING"]) == ("/hooks", "")
    assert (response.status, response.reason, response.body, response.body_size) == (200, "Fine", b"thanks", 6)
    assert response.headers == (("content-type", "text/plain"), ("x-name", "J\xfcrgen"))
    sent = deliver_to(AsgiProbe(), "/hooks")
    response = present(sent.response)
    assert (response.status, response.reason, response.body) == (200, "OK", b"thanks")
    assert response.headers == (("content-type", "text/plain"),)
    exchange = sent.attempts[0].exchange
    assert 0 < exchange.first_byte_ms <= exchange.total_ms
    assert exchange.address == ""


def test_a_status_that_has_no_name() -> None:
    """It has no reason phrase either."""

    async def odd(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, 299, ())
        await send({"type": "http.response.body"})

    assert present(deliver_to(AsgiProbe(odd), "/hooks").response).reason == ""


def test_a_large_body_reaches_the_application_whole() -> None:
    """Megabytes of event arrive as they were signed."""
    app = AsgiProbe()
    with MockServer() as mock:
        mock.route(URL, to=app)
        mock.register(URL, secret=SECRET)
        sent = mock.send("run.failed", data={"text": "x" * 3_000_000})
    assert sent.delivered
    assert hashlib.sha256(app.bodies[0]).digest() == hashlib.sha256(present(sent.attempts[0].request).body).digest()


def test_the_longest_route_wins_also_for_applications() -> None:
    """An application and a URL can share a host, and the application gets the whole path."""
    app, other = AsgiProbe(), AsgiProbe()
    with MockServer() as mock:
        mock.route(URL, to=other)
        mock.route(URL + "/hooks/", to=app)
        mock.register(URL + "/hooks/a")
        mock.register(URL + "/b")
        assert mock.send("run.failed").delivered
    assert [scope["path"] for scope in app.scopes + other.scopes] == ["/hooks/a", "/b"]
