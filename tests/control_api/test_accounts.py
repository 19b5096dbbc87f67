"""Accounts: with ``accounts="per_key"`` workers share one running mock and never meet."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mockserver.model.identifiers import account_of
from tests.control_api.calling import Answer, Control, controlling
from tests.control_api.test_stream import Reader
from tests.receiving import Consumer, consuming

KEYS = ("key-of-worker-1", "key-of-worker-2")


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    async with controlling(accounts="per_key") as control:
        yield control


async def vendor(control: Control, key: str, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
    """A call of one worker's application."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return await control.call(method, f"/v1{path}", body, headers=headers)


async def registered(control: Control, key: str, consumer: Consumer, *events: str) -> str:
    """Register a consumer as one worker's application does; the id of the webhook."""
    body = {"url": consumer.url, "events": events or ["run.failed"], "secret": "whsec_x"}
    return str((await vendor(control, key, "POST", "/webhooks", body)).json["webhook_id"])


async def test_workers_never_meet(control: Control) -> None:
    """Webhooks, runs, events, rules, failures, records and resets of one key are none of another's business."""
    async with consuming() as first, consuming() as second:
        hooks, runs = [], []
        for key, consumer in zip(KEYS, (first, second), strict=True):
            hooks.append(await registered(control, key, consumer, "run.failed", "run.completed"))
        await control.post(f"/flows?account={KEYS[0]}", {"on": "POST /v1/runs", "outcome": "failed"}, 201)
        await control.post(f"/faults?account={KEYS[1]}", {"status": 503}, 204)
        for key in KEYS:
            answer = await vendor(control, key, "POST", "/runs", {"test_case_id": "tc_1"})
            runs.append(answer.json.get("run_id", answer.status))
        assert runs[1] == 503, "planned for the second alone"
        runs[1] = (await vendor(control, KEYS[1], "POST", "/runs", {"test_case_id": "tc_1"})).json["run_id"]
        await control.mock.asettle()
        assert [each.event for each in first.received] == ["run.failed"]
        assert [each.event for each in second.received] == ["run.completed"]
        for key, hook, run in zip(KEYS, hooks, runs, strict=True):
            listed = (await vendor(control, key, "GET", "/webhooks")).json["webhooks"]
            assert [each["webhook_id"] for each in listed] == [hook]
            assert (await vendor(control, key, "GET", f"/runs/{run}")).status == 200
            for what in ("webhooks", "deliveries", "requests", "resources"):
                own = await control.call("GET", f"/{what}?account={key}")
                if what != "requests":
                    assert len(own.json[what]) == 1
                assert key.encode() not in own.body
        assert (await vendor(control, KEYS[1], "DELETE", f"/webhooks/{hooks[0]}")).status == 404
        await control.post(f"/reset?account={account_of(KEYS[0])}", status=204)
        assert (await control.get("/resources"))["resources"][0]["account"] == account_of(KEYS[1])
        assert (await vendor(control, KEYS[0], "GET", "/webhooks")).json == {"webhooks": []}
        assert (await vendor(control, KEYS[1], "GET", f"/runs/{runs[1]}")).status == 200


async def test_an_event_of_a_test_goes_to_the_account_that_it_names(control: Control) -> None:
    """Without a name it goes to all, as the one who drives the mock sees all."""
    async with consuming() as first, consuming() as second:
        for key, consumer in zip(KEYS, (first, second), strict=True):
            await registered(control, key, consumer)
        await control.post(f"/events?account={KEYS[0]}", {"event": "run.failed"})
        assert (len(first.received), len(second.received)) == (1, 0)
        await control.post("/events", {"event": "run.failed"})
        assert (len(first.received), len(second.received)) == (2, 1)


@pytest.fixture
async def workers(control: Control) -> AsyncIterator[dict[str, Any]]:
    """Two workers, each with a webhook of its own and a failed run; what is theirs, by key."""
    async with consuming() as first, consuming() as second:
        theirs = {}
        for key, consumer in zip(KEYS, (first, second), strict=True):
            hook = await registered(control, key, consumer, "run.failed", "run.completed")
            run = (await vendor(control, key, "POST", "/runs", {"test_case_id": "tc_1"})).json["run_id"]
            await control.mock.asettle()
            theirs[key] = {"webhooks": hook, "resources": run, "consumer": consumer}
        for key in KEYS:
            (delivery,) = (await control.get(f"/deliveries?account={key}"))["deliveries"]
            theirs[key]["deliveries"] = delivery["delivery_id"]
        yield theirs


async def test_a_single_thing_of_another_account_is_not_there(control: Control, workers: dict[str, Any]) -> None:
    """By its id, and by every way to search; nor can it be changed or sent again."""
    own, other = KEYS
    for what in ("webhooks", "resources", "deliveries"):
        for key, status in ((own, 200), (other, 404)):
            path = f"/{what}/{workers[own][what]}?account={key}"
            assert (await control.call("GET", path)).status == status, path
    delivery = workers[own]["deliveries"]
    for method, path in (
        ("GET", f"/deliveries/{delivery}/snippets"),
        ("POST", f"/deliveries/{delivery}/resend"),
        ("DELETE", f"/webhooks/{workers[own]['webhooks']}"),
    ):
        assert (await control.call(method, f"{path}?account={other}")).status == 404
    for key in KEYS:
        wanted = workers[key]["deliveries"]
        assert (await control.get(f"/deliveries/latest?account={key}"))["delivery_id"] == wanted
        found = await control.get(f"/deliveries/wait?account={key}")
        assert [each["delivery_id"] for each in found["deliveries"]] == [wanted]
        for path in ("brief", ""):
            listed = (await control.get(f"/deliveries/{path}?account={key}".replace("/?", "?")))["deliveries"]
            assert [each["delivery_id"] for each in listed] == [wanted]
        assert len((await control.get(f"/timeline?account={key}"))["deliveries"]) == 1
    missed = await control.call("GET", f"/deliveries/wait?account={other}&count=2&timeout=1ms&q=status:500")
    assert [each["delivery_id"] for each in missed.json["error"]["nearest"]] == [workers[other]["deliveries"]]


async def test_a_replay_of_an_account_goes_to_its_webhooks(control: Control, workers: dict[str, Any]) -> None:
    """Another account does not see it, and a reset of that one does not end it; its own reset forgets it."""
    own, other = KEYS
    before = [len(workers[key]["consumer"].received) for key in KEYS]
    started = await control.post(f"/replays?account={own}&script=run_failed&wait=true&speed=max")
    assert [len(workers[key]["consumer"].received) for key in KEYS] == [before[0] + 1, before[1]]
    path = f"/replays/{started['replay_id']}"
    await control.post(f"/reset?account={other}", status=204)
    assert (await control.call("GET", f"{path}?account={own}")).status == 200
    assert (await control.call("GET", f"{path}?account={other}")).status == 404
    assert (await control.get(f"/replays?account={other}"))["replays"] == []
    await control.post(f"/reset?account={own}", status=204)
    assert (await control.get("/replays"))["replays"] == []


async def test_a_stream_of_an_account_shows_what_is_its_own(control: Control) -> None:
    """Registrations, calls and deliveries of another one do not come. A reader that comes again sees what is new."""
    own, other = KEYS
    async with consuming() as consumer:
        for _ in range(2):
            response = await control.session.get(f"{control.url}/_mock/stream?account={own}")
            reader = Reader(response)
            assert await reader.block() == b": connected"
            for key in (other, own):
                await registered(control, key, consumer)
            assert await reader.event() == ("webhook", (await control.get(f"/webhooks?account={own}"))["webhooks"][-1])
            name, call = await reader.event()
            assert (name, call["path"]) == ("request", "/v1/webhooks")
            for key in (other, own):
                await control.post(f"/events?account={key}", {"event": "run.failed"})
            name, delivery = await reader.event()
            listed = (await control.get(f"/deliveries?account={own}"))["deliveries"]
            assert name == "delivery"
            assert delivery["delivery_id"] in [each["delivery_id"] for each in listed]
            response.close()


async def test_rules_and_failures_in_python_are_for_an_account(control: Control) -> None:
    """A flow and a planned answer that name a key decide on its calls alone."""
    own, other = KEYS
    control.mock.flow("POST /v1/runs", account=own, outcome="failed")
    control.mock.fail_next(503, account=other)
    states = [(await vendor(control, key, "POST", "/runs", {"test_case_id": "tc_1"})).status for key in KEYS]
    assert states == [201, 503]
    await vendor(control, other, "POST", "/runs", {"test_case_id": "tc_1"})
    await control.mock.asettle()
    assert [each.state for each in control.mock.resources] == ["failed", "completed"]


async def test_a_replay_of_an_account_waits_for_its_own_application(control: Control) -> None:
    """What another account registers does not let it go on; a rule of the script is the account's as well."""
    script = {
        "version": 1,
        "flows": [{"on": "POST /v1/runs", "outcome": "failed"}],
        "steps": [{"await": "registration", "events": ["run.failed"], "within": "60s"}, {"event": "run.failed"}],
    }
    async with consuming() as consumer:
        replaying = asyncio.ensure_future(control.post(f"/replays?wait=true&account={KEYS[0]}", script))
        await control.until("/replays", lambda answer: answer["replays"])
        await registered(control, KEYS[1], consumer)
        assert not (await control.get("/replays"))["replays"][0]["done"]
        await registered(control, KEYS[0], consumer)
        assert (await replaying)["report"]["delivered"] == 1
        runs = [(await vendor(control, key, "POST", "/runs", {})).json["run_id"] for key in KEYS]
        await control.mock.asettle()
        read = [await vendor(control, key, "GET", f"/runs/{run}") for key, run in zip(KEYS, runs, strict=True)]
        assert [answer.json["status"] for answer in read] == ["failed", "completed"]


async def test_an_event_with_repeats_goes_to_no_single_webhook(control: Control) -> None:
    """What one event is for is said, and nothing is sent."""
    async with consuming() as consumer:
        hook = await control.register(consumer.url)
        for query in (f"webhook_id={hook}", f"account={KEYS[0]}"):
            answer = await control.call("POST", f"/events?{query}", {"event": "run.failed", "repeat": 2})
            assert answer.fails().startswith("webhook_id and account are for one event: leave repeat")
        assert consumer.received == []
