"""The control API as an HTTP server: paths, methods, bodies, and what is no HTTP at all."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mockserver.control_api.operations import OPERATIONS, Operation
from tests.control_api.calling import Control, Start, exchange
from tests.receiving import Consumer
from tests.tables import each_row

PATHS = sorted({operation.path for operation in OPERATIONS})
EXAMPLES = {
    "check_id": "chk_000001",
    "delivery_id": "dlv_000001",
    "finding": "PG001",
    "replay_id": "rpl_000001",
    "resource_id": "run_000001",
    "webhook_id": "wh_abc123",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def example(path: str) -> str:
    """A path whose parameters are filled in."""
    return re.sub(r"\{(\w+)\}", lambda name: EXAMPLES[name[1]], path)


def allowed(path: str) -> str:
    """The methods of a path, as the Allow header lists them."""
    methods = {operation.method for operation in OPERATIONS if operation.path == path}
    implied = {"OPTIONS", "HEAD"} if "GET" in methods and path != "/stream" else {"OPTIONS"}
    return ", ".join(sorted(methods | implied))


@each_row("method", ["GET", "POST", "OPTIONS", "PATCH"])
async def test_unknown_paths(control: Control, method: str) -> None:
    """The answer says so in JSON, with where to look."""
    for path in ("", "/", "/nope", "/health/", "/deliveries/a/b", "/Health", "/%FF", "/events/1"):
        problem = (await control.call(method, path)).fails(404)
        assert problem.startswith("the control API has no '/_mock")
        assert problem.endswith("; /_mock/openapi.json describes what it has")
        assert path != "/nope" or "'/_mock/nope'" in problem


async def test_a_path_that_only_begins_alike_is_the_vendors(control: Control) -> None:
    """What is not below /_mock gets the vendor's answer."""
    answer = await control.call("GET", "x/health")
    assert answer.json["error"]["message"].startswith("No such path: /_mockx/health")


async def test_methods_that_are_not_possible(control: Control) -> None:
    """405, with what is possible in Allow; OPTIONS says the same."""
    for path in PATHS:
        for method in {*METHODS, "HEAD", "TRACE"} - set(allowed(path).split(", ")):
            answer = await control.call(method, example(path))
            assert (answer.status, answer.headers["Allow"]) == (405, allowed(path))
            if method != "HEAD":
                assert answer.problem == f"{method} is not possible here; allowed are {allowed(path)}"
        answer = await control.call("OPTIONS", example(path))
        assert (answer.status, answer.headers["Allow"], answer.body) == (204, allowed(path), b"")


async def test_head_is_get_without_its_body(control: Control) -> None:
    """The same status and headers."""
    for each in (path for path in PATHS if "HEAD" in allowed(path) and "{" not in path):
        path = f"{each}?timeout=0s" if each == "/deliveries/wait" else each
        head, get = await control.call("HEAD", path), await control.call("GET", path)
        assert (head.status, head.body) == (get.status, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_health_counts_what_the_mock_holds(start: Start, consumer: Consumer) -> None:
    """And what it no longer holds."""
    control = await start(max_deliveries=2)
    await control.register(consumer.url)
    for _ in range(3):
        await control.event()
    health = await control.get("/health")
    assert health.pop("time").endswith("Z")
    assert health == {"status": "ok", "webhooks": 1, "deliveries": 2, "dropped": 1}
    assert (await control.get("/deliveries"))["dropped"] == 1


async def test_every_answer_is_json_that_is_not_kept(control: Control) -> None:
    """Nor may a browser take it for anything else."""
    for path in ("/health", "/nope"):
        headers = (await control.call("GET", path)).headers
        assert headers["Content-Type"] == "application/json"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_unknown_parameters_are_refused(control: Control) -> None:
    """A typing error in a query never passes."""
    for operation in (each for each in OPERATIONS if each.name != "stream"):
        answer = await control.call(operation.method, f"{example(operation.path)}?nope=1")
        assert "unknown parameter 'nope' in the query" in answer.fails()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.takes], ids=lambda each: each.name)
async def test_bodies_over_the_limit(start: Start, consumer: Consumer, operation: Operation) -> None:
    """413 for each operation that takes a body, declared or in chunks; exactly the limit is read."""
    control = await start(speed="stepped", max_request_bytes=100_000)
    await control.register(consumer.url)
    await control.event()
    path = example(operation.path)

    async def pieces() -> AsyncIterator[Any]:
        for _ in range(20):
            yield b" " * 10_000

    for body in (b" " * 100_001, pieces()):
        answer = await control.call(operation.method, path, None, data=body)
        assert answer.fails(413) == "The request body is larger than the 100000 bytes that are allowed"
        assert answer.headers["Connection"] == "close"
    at_the_limit = await control.call(operation.method, path, b" " * 100_000)
    assert at_the_limit.status in (200, 204, 400)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.takes], ids=lambda each: each.name)
async def test_bodies_that_make_no_sense(control: Control, consumer: Consumer, operation: Operation) -> None:
    """A sentence and a 400, whatever the bytes: never a failure of the server."""
    await control.register(consumer.url)
    await control.event()
    for body in (b"\xff\xfe\x00", b"{", b"[" * 200_000, b"\x00", b'"\\ud800"', b"9" * 5000, b"null", b"%", b"&a *a"):
        assert (await control.call(operation.method, example(operation.path), body)).fails()


async def test_a_body_that_is_not_asked_for_is_left_alone(control: Control) -> None:
    """Clients that send one all the same get the ordinary answer."""
    for operation in (each for each in OPERATIONS if not each.takes and each.name != "stream"):
        path = example(operation.path) + ("?timeout=0s" if operation.name == "wait_for_deliveries" else "")
        answer = await control.call(operation.method, path, b"\xff" * 1000)
        assert answer.status in (200, 204, 404, 408)
        assert (await control.call("GET", "/health")).status == 200


async def test_any_content_type_will_do(control: Control, consumer: Consumer) -> None:
    """Curl -d says that a form comes; the JSON is read all the same."""
    await control.register(consumer.url)
    for media_type in ("application/x-www-form-urlencoded", "text/plain", "application/yaml", "é"):
        headers = {"Content-Type": media_type}
        assert (await control.call("POST", "/events", {"event": "run.failed"}, headers=headers)).status == 200


async def test_a_body_that_is_not_framed_as_http_says(control: Control) -> None:
    """A malformed chunk is the client's mistake."""
    head = b"POST /_mock/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await exchange(control.port, head + b"zz\r\n")
    assert answer.split(b" ")[1] == b"400"
    assert b"Traceback" not in answer


@each_row("target", [b"\xff\xfe", b"deliveries/\xff", b"deliveries?\xff=\xff", b"webhooks/\xff", b"%FF?%FF"])
async def test_targets_with_bytes_that_are_no_text(control: Control, target: bytes) -> None:
    """They lead nowhere, and the answer says so."""
    answer = await exchange(
        control.port, b"GET /_mock/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % target
    )
    assert answer.partition(b"\r\n")[0].split(b" ")[1] in (b"400", b"404")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


async def test_many_calls_at_once(control: Control, consumer: Consumer) -> None:
    """A hundred events at the same time are a hundred deliveries, each with an id of its own."""
    await control.register(consumer.url)
    deliveries = await asyncio.gather(*(control.event() for _ in range(100)))
    assert len({delivery["delivery_id"] for delivery in deliveries}) == 100
    assert (await control.get("/health"))["deliveries"] == 100
