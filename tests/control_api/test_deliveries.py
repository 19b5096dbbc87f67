"""The record of deliveries: filters, paging, and sending one again."""

import asyncio
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from tests.control_api.calling import Control
from tests.delivery.http1.raw_server import Peer, Serve
from tests.receiving import SECRET, Consumer, eventually
from tests.tables import each_row


async def ids(control: Control, query: str = "") -> list[str]:
    """The ids that a list holds."""
    return [delivery["delivery_id"] for delivery in (await control.get(f"/deliveries{query}"))["deliveries"]]


@pytest.fixture
async def filled(control: Control, consumer: Consumer, closed_port: int) -> Control:
    """Four deliveries: delivered, refused (401), failing (503), and one that never connected."""
    consumer.answers(lambda received: web.Response(status={"/b": 401, "/c": 503}.get(received.path, 200)))
    for path, event in (("/a", "run.failed"), ("/b", "run.completed"), ("/c", "evaluation.completed")):
        await control.register(consumer.url + path, event)
        await control.event(event)
    await control.register(f"http://127.0.0.1:{closed_port}/", "optimization.completed")
    await control.event("optimization.completed")
    return control


@each_row(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("?event=run.completed", [2]),
        ("?status=delivered", [1]),
        ("?status=pending", []),
        ("?status=401", [2]),
        ("?status=4xx", [2]),
        ("?status=5XX", [3]),
        ("?status=failed&event=run.failed", []),
        ("?webhook_id=wh_none000", []),
        ("?after=dlv_000002", [3, 4]),
        ("?after=dlv_000099", []),
        ("?after=dlv_000001&status=failed&limit=1", [2]),
        ("?limit=3", [1, 2, 3]),
    ],
)
async def test_filters(filled: Control, query: str, numbers: list[int]) -> None:
    """Each filter keeps what fits it; several keep what fits them all."""
    assert await ids(filled, query) == [f"dlv_{number:06d}" for number in numbers]


async def test_one_delivery(filled: Control) -> None:
    """By its id, it is the same as in the list, where those of its webhook can be asked for."""
    third = await filled.get("/deliveries/dlv_000003")
    assert (await filled.get(f"/deliveries?webhook_id={third['webhook_id']}"))["deliveries"] == [third]


async def test_a_delivery_in_flight_is_pending(control: Control, consumer: Consumer) -> None:
    """It is on the list before it has an outcome."""
    go = consumer.hold()
    await control.register(consumer.url)
    sending = asyncio.ensure_future(control.event())
    await eventually(lambda: consumer.in_flight == 1)
    (pending,) = (await control.get("/deliveries?status=pending"))["deliveries"]
    assert (pending["outcome"], pending["attempts"]) == ("pending", [])
    resent = await control.call("POST", f"/deliveries/{pending['delivery_id']}/resend")
    assert "was never attempted" in resent.fails()
    go.set()
    assert (await sending)["outcome"] == "delivered"
    assert await ids(control, "?status=pending") == []


@each_row(
    ("query", "message"),
    [
        ("evnt=run.failed", "did you mean 'event'"),
        ("event=run.faild", "did you mean 'run.failed'"),
        ("status=ok", "status must be pending, delivered, failed"),
        ("status=600", "status must be"),
        ("status=401%0A", "status must be"),
        ("event=%FF%FE", "unknown event"),
        ("%FF=1", "unknown parameter"),
        ("limit=0", "limit must be a whole number from 1 to 1000, not '0'"),
        ("limit=1001", "limit must be"),
        ("limit=1.5", "limit must be"),
        ("limit=%D9%A3", "limit must be"),
        (f"limit={'9' * 5000}", "limit must be"),
        ("after=1", "after must be the id of a delivery"),
        ("after=dlv_1", "after must be"),
        (f"after=dlv_{'9' * 5000}", "after must be"),
        ("limit=1&limit=2", "limit is given twice"),
        (f"{'x' * 5000}=1", f"unknown parameter '{'x' * 64}' in the query"),
    ],
)
async def test_bad_filters(control: Control, query: str, message: str) -> None:
    """A wrong filter is an error, never an empty list: a test must not pass by a typing error."""
    assert message in (await control.call("GET", f"/deliveries?{query}")).fails()


@pytest.mark.parametrize("count", [0, 2, 5])
async def test_pages(control: Control, consumer: Consumer, count: int) -> None:
    """Following next from page to page gives each delivery exactly once, and ends with null."""
    await control.register(consumer.url)
    if count:
        await control.post("/events", {"event": "run.failed", "repeat": count})
    pages, query = [], "?limit=2"
    while query:
        page = await control.get(f"/deliveries{query}")
        pages.append([delivery["delivery_id"] for delivery in page["deliveries"]])
        query = f"?limit=2&after={page['next']}" if page["next"] else ""
    assert [name for page in pages for name in page] == [f"dlv_{number:06d}" for number in range(1, count + 1)]
    assert all(len(page) == 2 for page in pages[:-1])
    assert len(pages) == max(1, (count + 1) // 2)


async def test_a_page_has_a_hundred_unless_it_is_asked_for_more(control: Control, consumer: Consumer) -> None:
    """As the document says; up to a thousand can be asked for."""
    await control.register(consumer.url)
    await control.post("/events", {"event": "run.failed", "repeat": 1000})
    await control.event()
    page = await control.get("/deliveries")
    assert (len(page["deliveries"]), page["next"]) == (100, "dlv_000100")
    page = await control.get("/deliveries?limit=1000")
    assert (len(page["deliveries"]), page["next"]) == (1000, "dlv_001000")


async def test_pages_while_new_deliveries_arrive(control: Control, consumer: Consumer) -> None:
    """Nothing is skipped or shown twice, however many come in between."""
    await control.register(consumer.url)
    await control.post("/events", {"event": "run.failed", "repeat": 4})
    shown, after = [], ""
    for _ in range(6):
        page = await control.get(f"/deliveries?limit=3&status=delivered{after}")
        shown += [delivery["delivery_id"] for delivery in page["deliveries"]]
        if len(shown) < 10:
            await control.post("/events", {"event": "run.completed", "repeat": 2})
        after = f"&after={shown[-1]}"
    assert shown == [f"dlv_{number:06d}" for number in range(1, len(shown) + 1)]
    assert len(shown) >= 10


@each_row("name", ["dlv_000005", "dlv_1", "1", "nope", "%FF", "dlv_", "dlv_" + "9" * 30])
async def test_no_such_delivery(filled: Control, name: str) -> None:
    """An id that is not on record is not found, whatever it looks like; nor can it be sent again."""
    assert "is on record" in (await filled.call("GET", f"/deliveries/{name}")).fails(404)
    assert "is on record" in (await filled.call("POST", f"/deliveries/{name}/resend")).fails(404)


async def test_an_error_is_in_the_record(filled: Control) -> None:
    """Why there was no answer, in words and as a kind."""
    (attempt,) = (await filled.get("/deliveries/dlv_000004"))["attempts"]
    assert attempt["response"] is None
    assert attempt["error"]["kind"] == "connect"
    assert attempt["request"]["url"].startswith("http://127.0.0.1:")


# --- resend


class Raw(NamedTuple):
    """Where a raw server listens, and what came."""

    url: str
    requests: list[bytes]


@pytest.fixture
async def raw(serve_raw: Serve) -> Raw:
    """A raw server that keeps the bytes of each request."""
    requests: list[bytes] = []

    async def keep(peer: Peer) -> None:
        while request := await peer.answer():
            requests.append(request)

    return Raw((await serve_raw(keep)).url, requests)


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (None, None),
        ("wrong_secret", " \r\n"),
        ("spaced_json", {}),
        ("lowercase_headers", {"fresh": False}),
        ("not_utf8", None),
    ],
)
async def test_the_same_bytes_again(control: Control, raw: Raw, fault: str | None, body: Any) -> None:
    """What comes over the wire is the same to the last byte, defects included; it is a delivery of its own."""
    await control.register(raw.url)
    first = await control.event(**({"fault": fault} if fault else {}))
    again = await control.post(f"/deliveries/{first['delivery_id']}/resend", body)
    assert raw.requests[0] == raw.requests[1]
    assert (again["delivery_id"], again["source"]) == ("dlv_000002", "resend of dlv_000001")
    assert again["faults"] == first["faults"] == ([fault] if fault else [])
    assert again["payload"] == first["payload"]
    assert again["attempts"][0]["request"] == first["attempts"][0]["request"]


async def test_a_fresh_one(stepped: Control, consumer: Consumer) -> None:
    """The same data with the time of now, and a signature that fits."""
    await stepped.register(consumer.url)
    first = await stepped.event(override={"run_id": "r7"}, fault="wrong_secret")
    await stepped.post("/clock/advance", {"by": "1h"})
    fresh = await stepped.post("/deliveries/dlv_000001/resend", {"fresh": True})
    old, new = consumer.received
    assert old.payload["data"] == new.payload["data"]
    assert old.payload["timestamp"] != new.payload["timestamp"] == fresh["timestamp"]
    assert (old.is_signed_with(SECRET), new.is_signed_with(SECRET)) == (False, True)
    assert (first["faults"], fresh["faults"]) == (["wrong_secret"], [])


async def test_a_webhook_that_is_gone_gets_nothing(control: Control, consumer: Consumer) -> None:
    """Neither the same bytes nor fresh ones, and a later webhook does not get them in its place."""
    webhook_id = await control.register(consumer.url)
    await control.event()
    assert (await control.call("DELETE", "/webhooks")).status == 204
    assert await control.register(f"{consumer.url}/other") != webhook_id
    for body in (None, {"fresh": True}):
        problem = (await control.call("POST", "/deliveries/dlv_000001/resend", body)).fails()
        assert problem == f"the webhook {webhook_id} of dlv_000001 is gone"
    assert len(consumer.received) == 1


async def test_a_delivery_to_a_scripts_own_webhook(control: Control, raw: Raw) -> None:
    """Its bytes can be sent again; a fresh one cannot be signed, as the script's secret is not kept."""
    script = {"version": 1, "webhook": {"url": raw.url, "secret": SECRET}, "steps": [{"event": "run.failed"}]}
    await control.post("/replays?wait=true", script)
    await control.post("/deliveries/dlv_000001/resend")
    assert raw.requests[0] == raw.requests[1]
    answer = await control.call("POST", "/deliveries/dlv_000001/resend", {"fresh": True})
    assert "a script's own webhook, whose secret is not kept" in answer.fails()


@each_row(
    ("body", "message"),
    [
        ({"fresh": 1}, "fresh: expected true or false, not 1"),
        ({"frsh": True}, "did you mean 'fresh'"),
        ({"x" * 5000: 1}, f"unknown key '{'x' * 56}... in the body"),
        ("[]", "must be a JSON object"),
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ("[" * 100_000, "nested more than 200 levels"),
        (b'{"fresh": "\xff"}', "not JSON"),
    ],
)
async def test_bad_bodies_of_a_resend(filled: Control, consumer: Consumer, body: Any, message: str) -> None:
    """The message says what is wrong, and nothing is sent."""
    assert message in (await filled.call("POST", "/deliveries/dlv_000001/resend", body)).fails()
    assert len(consumer.received) == 3
