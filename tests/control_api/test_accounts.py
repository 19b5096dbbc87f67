"""Accounts: with ``accounts="per_key"`` workers share one running mock and never meet."""

import pytest

from mockserver.model.identifiers import account_of
from tests.control_api.calling import controlling
from tests.receiving import consuming

KEYS = ("key-of-worker-1", "key-of-worker-2")


@pytest.fixture
async def control():
    async with controlling(accounts="per_key") as control:
        yield control


async def vendor(control, key, method, path, body=None):
    """A call of one worker's application."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return await control.call(method, f"/v1{path}", body, headers=headers)


async def test_workers_never_meet(control):
    """Webhooks, runs, events, rules, failures, records and resets of one key are none of another's business."""
    async with consuming() as first, consuming() as second:
        hooks, runs = [], []
        for key, consumer in zip(KEYS, (first, second), strict=True):
            body = {"url": consumer.url, "events": ["run.failed", "run.completed"], "secret": "whsec_x"}
            hooks.append((await vendor(control, key, "POST", "/webhooks", body)).json["webhook_id"])
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


async def test_an_event_of_a_test_goes_to_the_account_that_it_names(control):
    """Without a name it goes to all, as the one who drives the mock sees all."""
    async with consuming() as first, consuming() as second:
        for key, consumer in zip(KEYS, (first, second), strict=True):
            body = {"url": consumer.url, "events": ["run.failed"], "secret": "whsec_x"}
            await vendor(control, key, "POST", "/webhooks", body)
        await control.post(f"/events?account={KEYS[0]}", {"event": "run.failed"})
        assert (len(first.received), len(second.received)) == (1, 0)
        await control.post("/events", {"event": "run.failed"})
        assert (len(first.received), len(second.received)) == (2, 1)
