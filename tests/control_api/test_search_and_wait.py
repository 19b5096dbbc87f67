"""Searching the record, waiting for it, and deliveries in brief and as code."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from mockserver import MockServer, UsageError, WaitTimeoutError
from tests.control_api.calling import Control
from tests.receiving import SECRET, Consumer


@pytest.fixture
async def filled(control: Control, consumer: Consumer) -> Control:
    """Three deliveries: one accepted, one refused, one forged and refused."""
    consumer.answers(
        lambda received: web.Response(status=200 if received.is_signed_with(SECRET) and received.path == "/a" else 401)
    )
    await control.register(f"{consumer.url}/a", "run.failed")
    await control.register(f"{consumer.url}/b", "run.completed")
    await control.event("run.failed", override={"run_id": "run_first1"})
    await control.event("run.completed")
    await control.event("run.failed", fault="wrong_secret")
    return control


async def test_the_search_of_a_list(filled: Control) -> None:
    """The other filters and the pages go on working beside it."""
    listed = await filled.get("/deliveries?q=status:4xx%20-fault:*")
    assert [each["delivery_id"] for each in listed["deliveries"]] == ["dlv_000002"]
    page = await filled.get("/deliveries?q=status:4xx&limit=1")
    assert (page["deliveries"][0]["delivery_id"], page["next"]) == ("dlv_000002", "dlv_000002")
    assert "did you mean 'run.failed'" in (await filled.call("GET", "/deliveries?q=event:run.faild")).fails()


async def test_the_latest(filled: Control) -> None:
    """The newest that matches; when none does, the nearest misses say why not."""
    assert (await filled.get("/deliveries/latest?q=run_first1"))["delivery_id"] == "dlv_000001"
    assert (await filled.get("/deliveries/latest"))["delivery_id"] == "dlv_000003"
    answer = await filled.call("GET", "/deliveries/latest?q=event:run.completed%20status:2xx")
    assert "status:2xx: its status is 401" in answer.fails(404)
    assert answer.json["error"]["nearest"][0]["delivery_id"] == "dlv_000002"


async def test_waiting_for_what_comes_later(control: Control, consumer: Consumer) -> None:
    """The answer comes with the last delivery that was waited for, and holds all of them."""
    await control.register(consumer.url)
    waiting = asyncio.ensure_future(control.get("/deliveries/wait?q=is:delivered&count=2&timeout=10m"))
    await control.event()
    assert not waiting.done()
    await control.event("run.completed")
    found = await asyncio.wait_for(waiting, 60)
    assert (found["count"], [each["event"] for each in found["deliveries"]]) == (2, ["run.failed", "run.completed"])
    assert (await control.get("/deliveries/wait?count=2&timeout=0s"))["count"] == 2


async def test_waiting_in_vain(filled: Control) -> None:
    """408 says how many came, and of the others why they are not what was waited for."""
    answer = await filled.call("GET", "/deliveries/wait?q=event:run.failed%20is:delivered&count=2&timeout=10ms")
    assert answer.status == 408
    error = answer.json["error"]
    assert (error["code"], error["found"]) == ("request_timeout", 1)
    assert error["nearest"][0]["reasons"] == ["is:delivered: it is failed, faulty"]
    for query in ("timeout=soon", "timeout=11m", "count=0", "q=is:nothing"):
        assert (await filled.call("GET", f"/deliveries/wait?{query}")).status == 400


async def test_python_finds_and_waits() -> None:
    """The same language; a wait in vain shows the nearest miss."""
    async with MockServer() as mock:
        mock.register("http://127.0.0.1:9/closed")
        await mock.asend("run.failed")
        assert [each.number for each in mock.find("is:failed error:connect")] == [1]
        assert (await mock.await_for(q="event:run.failed"))[0].number == 1
        with pytest.raises(WaitTimeoutError, match="is:delivered: it is failed"):
            await mock.await_for(q="is:delivered", timeout=0.01)
        with pytest.raises(UsageError, match="or for a search"):
            await mock.await_for()


async def test_deliveries_in_brief(filled: Control) -> None:
    """The newest first, page by page, without bodies."""
    page = await filled.get("/deliveries/brief?limit=2")
    assert [row["delivery_id"] for row in page["deliveries"]] == ["dlv_000003", "dlv_000002"]
    assert page["deliveries"][0]["faults"] == ["wrong_secret"]
    rest = await filled.get(f"/deliveries/brief?before={page['next']}")
    assert ([row["status"] for row in rest["deliveries"]], rest["next"], rest["on_record"]) == ([200], None, 3)
    bars = await filled.get("/timeline?q=event:run.failed")
    assert [bar["attempts"][0]["status"] for bar in bars["deliveries"]] == [200, 401]


async def test_a_stream_in_brief(control: Control, consumer: Consumer) -> None:
    """A delivery comes in a batch with others; one that the search does not find is named as gone."""
    await control.register(consumer.url)
    async with control.session.get(f"{control.url}/_mock/stream?brief=true&q=event:run.failed") as stream:
        await control.post("/events", {"event": "run.failed", "repeat": 3})
        await control.event("run.completed")
        rows: dict[str, Any] = {}
        gone: list[str] = []
        name = ""
        while len(rows) < 3 or not gone:
            line = (await asyncio.wait_for(stream.content.readline(), 60)).decode()
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: ") and name == "deliveries":
                rows |= {row["delivery_id"]: row for row in json.loads(line[6:])}
            elif line.startswith("data: ") and name == "gone":
                gone = json.loads(line[6:])
    assert [row["event"] for row in rows.values()] == ["run.failed"] * 3
    assert gone == ["dlv_000004"]


async def test_a_delivery_as_code(filled: Control) -> None:
    """The script step can be replayed, the test compiles, no secret is in any of it."""
    code = await filled.get("/deliveries/dlv_000003/snippets")
    assert code["signature"]["valid"] is False
    assert "fault: wrong_secret" in code["step"]
    assert "expect: {status: 4xx}" in code["step"]
    compile(code["pytest"], "test", "exec")
    assert "fault='wrong_secret'" in code["pytest"]
    assert SECRET not in json.dumps(code)
    first = await filled.get("/deliveries/dlv_000001/snippets")
    assert first["signature"]["valid"] is True
    assert "run_id: run_first1" in first["step"]
    assert "curl " in first["curl"]
    script = "version: 1\nsteps:\n" + "".join(f"  {line}\n" for line in first["step"].splitlines())
    assert await filled.post("/scripts/validate", script) == {"planned": 1, "seconds": 0}
    replayed = await filled.post("/replays?wait=true", script)
    assert replayed["report"]["ok"]
    again = await filled.get("/deliveries/latest")
    assert again["payload"]["data"] == (await filled.get("/deliveries/dlv_000001"))["payload"]["data"]


async def test_what_can_be_sent(control: Control) -> None:
    """The catalogue has what the forms of a page need; problems of a script come with their places."""
    catalog = await control.get("/catalog")
    assert {each["event"] for each in catalog["events"]} >= {"run.failed", "run.completed"}
    assert all(each["doc"] for each in catalog["faults"])
    assert all("version: 1" in each["source"] for each in catalog["scripts"])
    wrong = await control.call("POST", "/scripts/validate", "version: 1\nsteps:\n  - event: run.faild\n")
    (problem,) = wrong.json["error"]["problems"]
    assert (problem["line"], problem["column"]) == (3, 12)


async def test_one_event_to_one_webhook(control: Control, consumer: Consumer) -> None:
    """Whatever the webhook is subscribed to; the others get nothing."""
    await control.register(f"{consumer.url}/a")
    other = await control.register(f"{consumer.url}/b", "evaluation.completed")
    (delivery,) = (await control.post(f"/events?webhook_id={other}", {"event": "run.failed"}))["deliveries"]
    assert delivery["webhook_id"] == other
    assert (await control.call("POST", "/events?webhook_id=wh_none", {"event": "run.failed"})).status == 404


async def test_webhooks_are_registered_and_switched(control: Control, consumer: Consumer) -> None:
    """Registered without the application; one that is switched off gets nothing."""
    hook = await control.post("/webhooks", {"url": consumer.url, "secret": SECRET, "events": ["run.failed"]}, 201)
    assert "secret" not in hook
    off = await control.call("PATCH", f"/webhooks/{hook['webhook_id']}", {"active": False})
    assert off.json["active"] is False
    assert (await control.post("/events", {"event": "run.failed"}))["deliveries"] == []
    for body in (
        {"url": consumer.url},
        {"url": "nope", "secret": "x"},
        {"url": "http://x", "secret": "x", "events": 1},
    ):
        assert (await control.call("POST", "/webhooks", body)).status == 400
    assert (await control.call("PATCH", "/webhooks/wh_none", {"active": True})).status == 404
    assert (await control.call("PATCH", f"/webhooks/{hook['webhook_id']}", {"active": 1})).status == 400


async def test_failures_that_are_planned_can_be_taken_back(control: Control) -> None:
    """The plan says how many are left."""
    await control.post("/faults", {"status": 503, "times": 3}, 204)
    assert (await control.get("/faults"))["pending"] == 3
    assert (await control.call("DELETE", "/faults")).status == 204
    assert (await control.get("/faults"))["pending"] == 0


async def test_a_replay_is_listed_and_stopped(stepped: Control, consumer: Consumer) -> None:
    """Its report accounts for every event."""
    await stepped.register(consumer.url)
    script = {"version": 1, "steps": [{"event": "run.failed", "after": "1h", "repeat": 5}]}
    started = await stepped.post("/replays", script, 202)
    (row,) = (await stepped.get("/replays"))["replays"]
    assert (row["replay_id"], row["done"], row["planned"]) == (started["replay_id"], False, 5)
    stopped = (await stepped.call("DELETE", f"/replays/{row['replay_id']}")).json
    assert (stopped["done"], stopped["report"]["not_sent"]) == (True, 5)
    assert (await stepped.call("DELETE", "/replays/rpl_9")).status == 404
    assert await stepped.get(f"/timeline?replay_id={row['replay_id']}") == {"deliveries": [], "left_out": 0}
    assert (await stepped.call("GET", "/timeline?replay_id=rpl_9")).status == 404


async def test_a_check_in_the_background(control: Control, consumer: Consumer) -> None:
    """It fills as it goes, shows what is wrong with its evidence, hides the secret, and can be stopped."""
    hook = await control.register(consumer.url)
    started = await control.post("/checks", {"webhook_id": hook, "only": ["PG010"]}, 202)
    run = await control.until(f"/checks/{started['check_id']}", lambda answer: answer["done"])
    finding = next(each for each in run["findings"] if each["id"] == "PG010")
    assert finding["verdict"] in ("fail", "warn"), run
    assert finding["fix"]
    proof = await control.get(f"/checks/{started['check_id']}/findings/PG010")
    assert len(proof["evidence"]) == finding["evidence"] > 0
    assert SECRET not in json.dumps(proof)
    assert (await control.call("GET", f"/checks/{started['check_id']}/findings/PG999")).status == 404
    second = await control.post("/checks", {"url": consumer.url, "secret": SECRET}, 202)
    stopped = (await control.call("DELETE", f"/checks/{second['check_id']}")).json
    assert (stopped["done"], stopped["ok"], len(stopped["findings"])) == (True, False, stopped["checks"])
    assert (await control.call("DELETE", "/checks/chk_9")).status == 404
    for body in ({}, {"webhook_id": hook, "url": "http://x"}, {"url": 1}, {"url": "http://x", "secret": ""}):
        assert (await control.call("POST", "/checks", body)).status == 400
