"""No web page drives the mock: foreign Host and Origin headers are refused, on every operation."""

import asyncio
import json
import ssl

import pytest
from multidict import CIMultiDict

from mockserver.control_api.guard import why_foreign
from mockserver.control_api.operations import OPERATIONS
from tests.control_api.calling import controlling, exchange
from tests.control_api.test_http import example

PATHS = [(operation.method, example(operation.path)) for operation in OPERATIONS]
FOREIGN = [
    {"Host": "evil.example:{port}"},
    {"Host": "127.0.0.1.evil.example:{port}"},
    {"Host": "localhost.evil.example"},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://127.0.0.1:{port}"},
    {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
]


async def ask(control, method, path, headers):
    """Send a request with just these headers; status and body."""
    lines = [f"{name}: {value.format(port=control.port)}" for name, value in headers]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""])
    answer = await exchange(control.port, head.encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda headers: "+".join(headers.values()))
async def test_every_operation_refuses_web_pages(control, consumer, foreign):
    """With a foreign name or origin nothing is read, nothing is done: not by the stream, not by an unknown path."""
    await control.register(consumer.url)
    headers = list({"Host": "127.0.0.1:{port}", **foreign}.items())
    for method, path in [*PATHS, ("OPTIONS", "/events"), ("HEAD", "/health"), ("PUT", "/reset"), ("GET", "/nope")]:
        status, body = await ask(control, method, f"/_mock{path}", headers)
        assert status == 403, (method, path)
        if method != "HEAD":
            assert json.loads(body)["error"]["code"] == "forbidden"
    assert consumer.received == []
    assert (await control.get("/health"))["webhooks"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "")],
        [("Host", "localhost"), ("Host", "evil.example")],
        [("Host", "127.0.0.1"), ("Origin", "http://127.0.0.1"), ("Origin", "http://evil.example")],
        [("Host", "localhost.")],
        [("Host", "localhost:80:90")],
        [("Host", "evil@localhost")],
        [("Host", "[::1")],
        [("Host", "::1")],
        [("Host", "[::1]evil")],
        [("Host", "[evil]")],
        [("Host", "localhost:evil")],
        [("Host", "0.0.0.0")],
        [("Host", "192.168.0.1")],
        [("Host", "\xff")],
        [("Host", "127.0.0.1"), ("Origin", "")],
        [("Host", "127.0.0.1"), ("Origin", "http://127.0.0.1/")],
    ],
)
async def test_hosts_and_origins_that_are_not_ours(control, headers):
    """What does not name this server beyond doubt is refused, by us or as no HTTP at all."""
    status, body = await ask(control, "GET", "/_mock/health", headers)
    assert status in (400, 403)
    assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:{port}", "localhost", "LOCALHOST:{port}", "LocalHost", "[::1]:{port}", "127.0.0.2",
             "[0:0:0:0:0:0:0:1]"],
)  # fmt: skip
async def test_names_of_this_machine(control, host):
    """Loopback addresses and localhost are welcome in any spelling, and so is a page of this very server."""
    assert (await ask(control, "GET", "/_mock/health", [("Host", host)]))[0] == 200
    for origin in (f"http://{host}", f"HTTP://{host.upper()}".replace("{PORT}", "{port}")):
        assert (await ask(control, "GET", "/_mock/health", [("Host", host), ("Origin", origin)]))[0] == 200


async def test_over_tls():
    """The same, where the origin's scheme is https."""
    async with controlling(tls=True) as control:
        trusting = ssl.create_default_context(cafile=control.mock.ca_file)
        for headers, status in (
            ({}, 200),
            ({"Origin": control.url}, 200),
            ({"Origin": control.url.replace("https", "http")}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Host": f"evil.example:{control.port}"}, 403),
            ({"Host": f"localhost:{control.port}"}, 200),
        ):
            for path in ("/health", "/stream"):
                url = f"{control.url}/_mock{path}"
                async with control.session.get(url, headers=headers, ssl=trusting) as answer:
                    assert answer.status == status


async def test_over_ipv6():
    """A server on ::1 is called by its address in brackets."""
    async with controlling(host="::1") as control:
        assert control.url.startswith("http://[::1]:")
        assert (await control.call("GET", "/health", headers={"Origin": control.url})).status == 200
        assert (await control.call("GET", "/health", headers={"Origin": "http://[::1]:1"})).status == 403


async def test_a_server_that_listens_everywhere(start):
    """It is called by any address of its machine, which a server on loopback is not."""
    for host, status in (("0.0.0.0", 200), ("127.0.0.1", 403)):
        assert (await ask(await start(host=host), "GET", "/_mock/health", [("Host", "192.168.7.8")]))[0] == status


@pytest.mark.parametrize(
    ("own", "host", "welcome"),
    [
        ("0.0.0.0", "192.168.7.8:8484", True),
        ("::", "[fe80::1]", True),
        ("0.0.0.0", "evil.example", False),
        ("192.168.7.8", "192.168.7.8:8484", True),
        ("192.168.7.8", "192.168.7.9:8484", False),
        ("mock.internal", "mock.internal:8484", True),
        ("mock.internal", "evil.example", False),
        ("::1", "[::1]:8484", True),
    ],
)
def test_servers_that_listen_elsewhere(own, host, welcome):
    """The address or name that it was told to listen on is its own; one that listens everywhere has many addresses."""
    reason = why_foreign(CIMultiDict(Host=host), "http", own)
    assert (reason is None) is welcome


OWN = "127.0.0.1"
HOST = "the control API answers to loopback addresses and localhost as the Host header, not to "
PAGE = "the control API refuses requests of web pages from "


@pytest.mark.parametrize(
    ("own", "headers"),
    [
        (OWN, [("Host", "127.0.0.1")]),
        (OWN, [("Host", "127.0.0.1:8484")]),
        (OWN, [("Host", "127.255.255.254")]),
        (OWN, [("Host", "localhost")]),
        (OWN, [("Host", "LocalHost:1")]),
        (OWN, [("Host", "[::1]")]),
        (OWN, [("Host", "[::1]:8484")]),
        (OWN, [("Host", "[0:0:0:0:0:0:0:1]:8484")]),
        (OWN, [("Host", "localhost:8484"), ("Origin", "http://localhost:8484")]),
        (OWN, [("Host", "LOCALHOST"), ("Origin", "HTTP://localhost")]),
        (OWN, [("Host", "[::1]:1"), ("Origin", "http://[::1]:1")]),
        ("Mock.Internal", [("Host", "mock.internal:8484")]),
        ("mock.internal", [("Host", "MOCK.INTERNAL")]),
        ("::1", [("Host", "[::1]:1")]),
        ("fe80::1", [("Host", "[fe80::1]:1")]),
        ("0.0.0.0", [("Host", "10.0.0.7")]),
        ("0.0.0.0", [("Host", "[fe80::1]")]),
        ("::", [("Host", "10.0.0.7:1")]),
        ("10.0.0.7", [("Host", "10.0.0.7")]),
        ("10.0.0.7", [("Host", "127.0.0.1")]),
        ("10.0.0.7", [("Host", "localhost")]),
    ],
)
def test_what_the_guard_lets_through(own, headers):
    """Every way to name this very server, whichever address it listens on, with the origin of its own pages or none."""
    assert why_foreign(CIMultiDict(headers), "http", own) is None


@pytest.mark.parametrize(
    ("own", "headers", "reason"),
    [
        (OWN, [], f"{HOST}none"),
        (OWN, [("Host", "localhost"), ("Host", "evil.example")], f"{HOST}'localhost' and 'evil.example'"),
        (OWN, [("Host", "localhost"), ("Host", "localhost")], f"{HOST}'localhost' and 'localhost'"),
        (OWN, [("Host", "")], f"{HOST}''"),
        (OWN, [("Host", "evil.example")], f"{HOST}'evil.example'"),
        (OWN, [("Host", "\xff")], f"{HOST}'\\xff'"),
        (OWN, [("Host", "localhost.")], f"{HOST}'localhost.'"),
        (OWN, [("Host", "localhost:")], f"{HOST}'localhost:'"),
        (OWN, [("Host", "localhost:x")], f"{HOST}'localhost:x'"),
        (OWN, [("Host", "localhost\n")], f"{HOST}'localhost\\n'"),
        (OWN, [("Host", "evil@localhost")], f"{HOST}'evil@localhost'"),
        (OWN, [("Host", "localhost@evil")], f"{HOST}'localhost@evil'"),
        (OWN, [("Host", "localhost/evil")], f"{HOST}'localhost/evil'"),
        (OWN, [("Host", "[localhost]")], f"{HOST}'[localhost]'"),
        (OWN, [("Host", "[::1]evil")], f"{HOST}'[::1]evil'"),
        (OWN, [("Host", "[::1%1]")], f"{HOST}'[::1%1]'"),
        (OWN, [("Host", "::1")], f"{HOST}'::1'"),
        (OWN, [("Host", "2130706433")], f"{HOST}'2130706433'"),
        (OWN, [("Host", "127.1")], f"{HOST}'127.1'"),
        (OWN, [("Host", "0.0.0.0")], f"{HOST}'0.0.0.0'"),
        (OWN, [("Host", "10.0.0.7")], f"{HOST}'10.0.0.7'"),
        (OWN, [("Host", "[fe80::1]")], f"{HOST}'[fe80::1]'"),
        (OWN, [("Host", "127.0.0.1.nip.io")], f"{HOST}'127.0.0.1.nip.io'"),
        ("10.0.0.7", [("Host", "10.0.0.8")], f"{HOST}'10.0.0.8'"),
        ("0.0.0.0", [("Host", "evil.example")], f"{HOST}'evil.example'"),
        ("mock.internal", [("Host", "other.internal")], f"{HOST}'other.internal'"),
        ("mock.internal", [("Host", "10.0.0.7")], f"{HOST}'10.0.0.7'"),
        (OWN, [("Host", "localhost"), ("Origin", "http://evil.example")], f"{PAGE}'http://evil.example'"),
        (OWN, [("Host", "localhost"), ("Origin", "null")], f"{PAGE}'null'"),
        (OWN, [("Host", "localhost"), ("Origin", "")], f"{PAGE}''"),
        (OWN, [("Host", "localhost"), ("Origin", "https://localhost")], f"{PAGE}'https://localhost'"),
        (OWN, [("Host", "localhost"), ("Origin", "http://localhost:1")], f"{PAGE}'http://localhost:1'"),
        (OWN, [("Host", "localhost"), ("Origin", "http://127.0.0.1")], f"{PAGE}'http://127.0.0.1'"),
        (OWN, [("Host", "localhost"), ("Origin", "http://localhost/")], f"{PAGE}'http://localhost/'"),
        (
            OWN,
            [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.example")],
            f"{PAGE}'http://localhost' and 'http://evil.example'",
        ),
        (
            OWN,
            [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://localhost")],
            f"{PAGE}'http://localhost' and 'http://localhost'",
        ),
    ],
)
def test_what_the_guard_refuses(own, headers, reason):
    """Whatever does not name this server and nothing else, and every page but its own; the reason quotes what came."""
    assert why_foreign(CIMultiDict(headers), "http", own) == reason


def test_the_scheme_of_a_page_counts():
    """Over https the own origin is one of https."""
    secure, plain = ([("Host", "localhost"), ("Origin", f"{scheme}://localhost")] for scheme in ("https", "http"))
    assert why_foreign(CIMultiDict(secure), "https", OWN) is None
    assert why_foreign(CIMultiDict(plain), "https", OWN) == f"{PAGE}'http://localhost'"


async def test_the_reason_names_what_was_sent(control):
    """The message helps whoever runs into it without meaning harm."""
    _, body = await ask(control, "GET", "/_mock/health", [("Host", "mymachine:80")])
    assert "to loopback addresses and localhost as the Host header, not to 'mymachine:80'" in body.decode()
    headers = [("Host", "localhost"), ("Origin", "http://localhost:3000")]
    assert "web pages from 'http://localhost:3000'" in (await ask(control, "GET", "/_mock/health", headers))[1].decode()


async def test_the_vendor_api_is_not_guarded(control):
    """An application may call it by whatever name it likes: it is a public API in production."""
    status, _ = await ask(control, "GET", "/v1/webhooks", [("Host", "api.playgent.com"), ("Authorization", "Bearer k")])
    assert status == 200
    await asyncio.sleep(0)
