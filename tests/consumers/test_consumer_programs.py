"""The five consumers as programs: how they start, register and stop; and the Python ones as objects in a process."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from mockserver import sign
from tests.consumers import aiohttp_app, django_app, fastapi_app, flask_app
from tests.consumers.launch import NAMES, SECRET, LaunchError, launch
from tests.consumers.post import connect, post

BODY = b'{"event":"run.failed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_1"}}'
BODY_LIMIT = 2 * 1024 * 1024
DOCUMENTED = ["run.completed", "run.failed", "evaluation.completed", "optimization.completed"]

each_consumer = pytest.mark.parametrize("name", NAMES)


class Call(NamedTuple):
    """A call that the vendor's API received, and when."""

    request: str
    headers: dict[str, str]
    json: dict
    at: float


class Vendor:
    """A stand-in for the vendor's API that gives prepared answers, and 201 when there are none left."""

    def __init__(self, answers: Sequence[tuple[int, dict[str, str]]]) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self.called = threading.Event()
        self._answers = list(answers)

    def take(self, call: Call) -> tuple[int, dict[str, str]]:
        self.calls.append(call)
        self.called.set()
        return self._answers.pop(0) if self._answers else (201, {})


@contextmanager
def vendor_api(*answers: tuple[int, dict[str, str]]) -> Iterator[Vendor]:
    """Serve a :class:`Vendor` on a free port, one call after the other."""
    vendor = Vendor(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.requestline, headers, json.loads(body), time.monotonic())
            status, answer_headers = vendor.take(call)
            answer = {"webhook_id": "wh_abc123", **call.json} if status < 300 else {"error": {"code": "x"}}
            self.send_response(status)
            for name, value in answer_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()


@each_consumer
def test_it_registers_once(name):
    """Once it listens it registers its own address for the documented events, with its secret, a single time."""
    with vendor_api() as vendor:
        with launch(name, secret=SECRET, playgent_url=vendor.url) as consumer:
            assert consumer.wait_for_line("registered ") == "registered wh_abc123"
            assert consumer.log == f"listening on {consumer.url}\nregistered wh_abc123"
            assert post(consumer.webhook_url, BODY, sign(BODY, SECRET)).status == 200
        (call,) = vendor.calls
    assert call.request == "POST /v1/webhooks HTTP/1.1"
    assert call.headers["authorization"] == "Bearer test-key"
    assert call.headers["content-type"] == "application/json"
    assert call.json == {"url": consumer.webhook_url, "events": DOCUMENTED, "secret": SECRET}


@each_consumer
def test_it_registers_what_the_environment_says(name):
    """Public address, events, key and secret are sent as configured; the vendor's address may end in a slash."""
    options = {
        "secret": " whsec_é ",
        "public_url": "https://your-app.com/webhooks/playgent",
        "events": ["run.failed", "run.started"],
        "extra_env": {"PLAYGENT_API_KEY": "pk_test_1"},
    }
    with vendor_api() as vendor:
        with launch(name, playgent_url=vendor.url + "/", **options) as consumer:
            consumer.wait_for_line("registered wh_abc123")
        (call,) = vendor.calls
    assert call.headers["authorization"] == "Bearer pk_test_1"
    assert call.json == {"url": options["public_url"], "events": options["events"], "secret": options["secret"]}


@each_consumer
def test_it_asks_again_when_the_vendor_fails(name):
    """After a 503 and a 500 it tries again, with the same call, until it is registered."""
    with vendor_api((503, {}), (500, {}), (201, {})) as vendor:
        with launch(name, secret=SECRET, playgent_url=vendor.url) as consumer:
            consumer.wait_for_line("registered wh_abc123")
        assert len(vendor.calls) == 3
        assert all(call.json == vendor.calls[0].json for call in vendor.calls)


@each_consumer
def test_it_waits_as_long_as_the_vendor_asks(name):
    """Retry-After is honoured: over the rate limit, the next call comes no sooner than it says."""
    with vendor_api((429, {"Retry-After": "1"})) as vendor:
        with launch(name, secret=SECRET, playgent_url=vendor.url) as consumer:
            consumer.wait_for_line("registered wh_abc123")
        first, second = vendor.calls
    assert second.at - first.at >= 0.99  # less than the second by what clocks may differ


@each_consumer
@pytest.mark.parametrize("status", [400, 401])
def test_it_gives_up_when_it_is_refused(name, status):
    """A refusal is final: it is reported in one line, and the application goes on serving."""
    with vendor_api((status, {})) as vendor:
        with launch(name, secret=SECRET, playgent_url=vendor.url) as consumer:
            assert consumer.wait_for_line("registration failed") == f"registration failed: HTTP {status}"
            assert post(consumer.webhook_url, BODY, sign(BODY, SECRET)).status == 200
        assert len(vendor.calls) == 1


@each_consumer
def test_it_ends_while_it_waits_for_the_vendor(name):
    """SIGTERM is obeyed at once, also between two attempts to register."""
    with vendor_api((503, {"Retry-After": "30"})) as vendor:
        with launch(name, secret=SECRET, playgent_url=vendor.url) as consumer:
            assert vendor.called.wait(20)
        assert consumer.process.returncode == 0  # not ended by force, which is what the harness does in the end
        assert len(vendor.calls) == 1


@each_consumer
def test_it_prints_one_line_and_ends_when_told_to(name):
    """Started without a vendor's address it only listens, and SIGTERM ends it with exit code 0 and not a word."""
    with launch(name, secret=SECRET) as consumer:
        assert post(consumer.webhook_url, BODY, sign(BODY, SECRET)).status == 200
        assert consumer.stop() == 0
        assert consumer.log == f"listening on {consumer.url}"


@each_consumer
def test_open_connections_do_not_hold_it_up(name):
    """SIGTERM ends it while one connection is idle and another has sent half a request."""
    with launch(name, secret=SECRET) as consumer, connect(consumer.url) as idle, connect(consumer.url) as half:
        idle.request("GET", "/debug/events")
        idle.getresponse().read()
        half.send(b"POST /webhooks/playgent HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert consumer.stop() == 0


@each_consumer
@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"WEBHOOK_SECRET": ""}, "WEBHOOK_SECRET is not set: without it no delivery can be verified"),
        ({"PORT": "eighty"}, "PORT is 'eighty', which is not a port number"),
        ({"PORT": "65536"}, "PORT is '65536', which is not a port number"),
    ],
)
def test_it_refuses_to_start_misconfigured(name, environment, complaint):
    """Without a secret it would have to trust everybody: it says so in one line and exits with 2."""
    with pytest.raises(LaunchError, match="exit code 2") as caught, launch(name, secret=SECRET, extra_env=environment):
        pass
    assert str(caught.value).partition("printed:\n")[2] == complaint


@each_consumer
def test_a_secret_is_used_as_it_was_given(name):
    """Blanks, prefixes and letters outside ASCII are part of the secret."""
    secret = " whsec_c2VjcmV0== é\U0001f680"
    with launch(name, secret=secret) as consumer:
        assert post(consumer.webhook_url, BODY, sign(BODY, secret)).status == 200
        assert post(consumer.webhook_url, BODY, sign(BODY, secret.strip())).status == 401


def test_nothing_is_left_behind():
    """After the block there is no process, thread or open pipe of the consumer's, even if the test failed in it."""
    threads = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), launch("node", secret=SECRET) as consumer:
        raise ZeroDivisionError
    assert consumer.process.returncode == 0
    assert consumer.process.stdout.closed
    assert set(threading.enumerate()) <= threads


def test_a_missing_node_is_an_error(monkeypatch, tmp_path):
    """Without Node.js the tests fail: a consumer that was left out would look like one that passed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match=r"Node\.js is not installed"), launch("node", secret=SECRET):
        pass


def test_an_unknown_name_is_an_error():
    """A wrong name is answered with the right ones."""
    with pytest.raises(LaunchError, match="flask, fastapi, django, aiohttp, node"), launch("rails", secret=SECRET):
        pass


def test_the_consumers_do_not_know_the_package():
    """They are what an application's author would write: none of them imports mockserver."""
    programs = [path for path in Path(__file__).with_name("consumers").rglob("*") if path.suffix in {".py", ".mjs"}]
    assert len(programs) >= len(NAMES)
    for path in programs:
        assert not re.search(r"^\s*(import|from)\s+mockserver", path.read_text("utf-8"), re.MULTILINE), path


@pytest.mark.parametrize("create_app", [flask_app.create_app, django_app.create_app], ids=["flask", "django"])
def test_wsgi_objects_are_independent(create_app):
    """Two application objects in one process each have their own secret and their own events."""
    signed = {"X-Playgent-Signature": sign(BODY, "one")}
    with _wsgi(create_app("one")) as first, _wsgi(create_app("two")) as second:
        assert first.post("/webhooks/playgent", content=BODY, headers=signed).json() == {"status": "handled"}
        assert second.post("/webhooks/playgent", content=BODY, headers=signed).status_code == 401
        assert first.get("/debug/events").json()["count"] == 1
        assert second.get("/debug/events").json() == {"count": 0, "events": [], "refused": 1}
        assert first.post("/elsewhere").json() == {"error": "not found"}
        assert first.get("/webhooks/playgent").status_code == 405
        assert first.post("/webhooks/playgent", content=b"x" * (BODY_LIMIT + 1)).status_code == 413


def _wsgi(app) -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app), base_url="http://app")


@pytest.mark.parametrize("create_app", [fastapi_app.create_app, django_app.create_asgi_app], ids=["fastapi", "django"])
async def test_asgi_objects_are_independent(create_app):
    """Two application objects in one process each have their own secret and their own events."""
    signed = {"X-Playgent-Signature": sign(BODY, "one")}
    async with _asgi(create_app("one")) as first, _asgi(create_app("two")) as second:
        assert (await first.post("/webhooks/playgent", content=BODY, headers=signed)).json() == {"status": "handled"}
        assert (await second.post("/webhooks/playgent", content=BODY, headers=signed)).status_code == 401
        assert (await first.get("/debug/events")).json()["count"] == 1
        assert (await second.get("/debug/events")).json() == {"count": 0, "events": [], "refused": 1}
        assert (await first.post("/elsewhere")).json() == {"error": "not found"}
        assert (await first.get("/webhooks/playgent")).status_code == 405
        assert (await first.post("/webhooks/playgent", content=b"x" * (BODY_LIMIT + 1))).status_code == 413


def _asgi(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")


async def test_aiohttp_objects_are_independent(aiohttp_client):
    """Two application objects in one process each have their own secret and their own events."""
    signed = {"X-Playgent-Signature": sign(BODY, "one")}
    first, second = [await aiohttp_client(aiohttp_app.create_app(secret)) for secret in ("one", "two")]
    assert (await first.post("/webhooks/playgent", data=BODY, headers=signed)).status == 200
    assert (await second.post("/webhooks/playgent", data=BODY, headers=signed)).status == 401
    assert (await (await first.get("/debug/events")).json())["count"] == 1
    assert (await (await second.get("/debug/events")).json())["refused"] == 1
    not_compressed = {**signed, "Content-Encoding": "gzip"}
    assert (await first.post("/webhooks/playgent", data=BODY, headers=not_compressed)).status == 400
