"""No web page drives the mock: foreign Host and Origin headers are refused, by both APIs."""

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from mockserver import MockServer, UsageError
from mockserver.control_api.operations import OPERATIONS
from mockserver.model.settings import read_settings
from mockserver.vendor_api.requests import why_foreign
from tests.control_api.calling import controlling, exchange
from tests.control_api.test_http import example
from tests.tables import each_row

OWN = "127.0.0.1"
PATHS = [
    ("POST", "/v1/webhooks"), ("GET", "/openapi.json"), ("OPTIONS", "/_mock/events"), ("PUT", "/_mock/reset"),
    ("GET", "/_mock/nope"), *[(operation.method, f"/_mock{example(operation.path)}") for operation in OPERATIONS],
]  # fmt: skip
FOREIGN = [{"Host": "evil.example"}, {"Host": "localhost.evil.example"}, {"Origin": "null"},
           {"Origin": "http://evil.example"}, {"Origin": "https://127.0.0.1"}]  # fmt: skip


async def ask(url: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Send a request with just these headers; status and message."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
    answer = await exchange(int(url.rpartition(":")[2]), request.encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)["error"]["message"] if b'"error"' in body else ""


@each_row("foreign", FOREIGN)
async def test_every_operation_refuses_web_pages(foreign: dict[str, str]) -> None:
    """With a foreign name or origin nothing is read, nothing is done, and no planned answer is used up."""
    async with controlling() as control:
        control.mock.register("http://127.0.0.1:9/hooks")
        control.mock.fail_next(503)
        for method, path in PATHS:
            status, message = await ask(control.url, method, path, {"Host": OWN, **foreign})
            assert status == 403, (method, path)
            assert "--control-host" in message
        assert len(control.mock.webhooks) == 1
        assert (await ask(control.url, "GET", "/v1/webhooks", {"Host": OWN}))[0] == 503


@each_row(
    ("settings", "headers"),
    [
        ({}, [("Host", "127.255.255.254:8484")]),
        ({}, [("Host", "LocalHost:1"), ("Origin", "HTTP://localhost:1")]),
        ({}, [("Host", "app.localhost")]),
        ({}, [("Host", "[0:0:0:0:0:0:0:1]:1"), ("Origin", "http://[0:0:0:0:0:0:0:1]:1")]),
        ({"host": "Mock.Internal"}, [("Host", "mock.internal:8484")]),
        ({"host": "fe80::1"}, [("Host", "[fe80::1]:1")]),
        ({"host": "0.0.0.0"}, [("Host", "10.0.0.7")]),
        ({"host": "::"}, [("Host", "[fe80::1]")]),
        ({"host": "10.0.0.7"}, [("Host", "localhost")]),
        ({"control_hosts": ["Mock"]}, [("Host", "mock:8484")]),
        ({"control_hosts": ["app"]}, [("Host", "localhost"), ("Origin", "https://app:3000")]),
    ],
)
def test_what_the_guard_lets_through(settings: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    """Every way to name this server, whichever address it listens on, and the names that were allowed."""
    assert why_foreign(CIMultiDict(headers), "http", read_settings(**settings)) is None


@each_row(
    ("settings", "headers"),
    [
        ({}, []),
        ({}, [("Host", "")]),
        ({}, [("Host", "localhost"), ("Host", "localhost")]),
        ({}, [("Host", "localhost.")]),
        ({}, [("Host", "localhost:x")]),
        ({}, [("Host", "localhost\n")]),
        ({}, [("Host", "evil@localhost")]),
        ({}, [("Host", "[::1]evil")]),
        ({}, [("Host", "127.1")]),
        ({}, [("Host", "0.0.0.0")]),
        ({}, [("Host", "10.0.0.7")]),
        ({}, [("Host", "127.0.0.1.nip.io")]),
        ({"host": "10.0.0.7"}, [("Host", "10.0.0.8")]),
        ({"host": "0.0.0.0"}, [("Host", "evil.example")]),
        ({"control_hosts": ["mock"]}, [("Host", "mock.evil.example")]),
        ({}, [("Host", "localhost"), ("Origin", "http://localhost:1")]),
        ({}, [("Host", "localhost"), ("Origin", "http://localhost/")]),
        ({}, [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://localhost")]),
        ({"control_hosts": ["app"]}, [("Host", "localhost"), ("Origin", "http://app.evil.example")]),
    ],
)
def test_what_the_guard_refuses(settings: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    """Whatever does not name this server and nothing else, and every page but its own."""
    assert why_foreign(CIMultiDict(headers), "http", read_settings(**settings)) is not None


async def test_names_are_allowed_by_setting() -> None:
    """As the container is called in its network."""
    with MockServer(control_hosts=["mock"]) as mock:
        for path in ("/_mock/health", "/v1/webhooks"):
            headers = {"Host": "mock:8484", "Authorization": "Bearer k"}
            assert await ask(mock.url, "GET", path, headers) == (200, "")
    with pytest.raises(UsageError, match="control_hosts: 'mock:8484'"):
        MockServer(control_hosts=["mock:8484"])


async def test_http_for_the_name_of_a_container() -> None:
    """It is refused with both ways out, and accepted once the name is allowed."""
    body = {"url": "http://app:3000/hooks", "events": ["run.failed"], "secret": "whsec_x"}
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    for allowed, status in (([], 400), (["app"], 201)):
        async with controlling(allow_http_hosts=allowed) as control:
            answer = await control.call("POST", "/v1/webhooks", body, headers=headers)
            assert answer.status == status
            if status == 400:
                assert "--allow-http-host" in answer.problem
                assert "--route" in answer.problem


async def test_over_tls() -> None:
    """The same, where the origin's scheme is https."""
    settings = read_settings()
    for scheme, welcome in (("https", True), ("http", False)):
        headers = CIMultiDict(Host="localhost", Origin=f"{scheme}://localhost")
        assert (why_foreign(headers, "https", settings) is None) is welcome
