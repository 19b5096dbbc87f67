"""Flows over the control API: for tests in any language."""

from typing import Any

from tests.control_api.calling import AUTH, Control
from tests.receiving import Consumer

RUN = {"test_case_id": "tc_refund"}


async def vendor(control: Control, path: str, body: dict[str, Any]) -> Any:
    """A call of the application."""
    return (await control.call("POST", f"/v1{path}", body, headers={**AUTH, "Content-Type": "application/json"})).json


async def test_a_flow_moved_by_hand(control: Control, consumer: Consumer) -> None:
    """A rule is installed, a call makes a run, a hand moves it to its end, and the event comes."""
    await control.register(consumer.url)
    added = await control.call("POST", "/flows", "on: POST /v1/runs\nadvance: manual\noutcome: failed\ntimes: 1\n")
    assert added.status == 201
    run = await vendor(control, "/runs", RUN)
    states = []
    for _ in range(2):
        moved = await control.call("POST", f"/resources/{run['run_id']}/advance")
        states.append(moved.json["state"])
    assert states == ["running", "failed"]
    await control.call("GET", "/deliveries/wait?q=event:run.failed")
    shown = (await control.call("GET", f"/resources/{run['run_id']}")).json
    assert [each["state"] for each in shown["history"]] == ["queued", "running", "failed"]
    assert shown["request"] == RUN
    assert shown["data"]["status"] == "failed"
    assert "no further state" in (await control.call("POST", f"/resources/{run['run_id']}/advance")).fails()
    (flow,) = (await control.call("GET", "/flows")).json["flows"]
    assert (flow["used"], flow["left"], flow["flow"]["outcome"]) == (1, 0, "failed")
    assert (await control.call("DELETE", "/flows")).status == 204
    assert (await control.call("GET", "/flows")).json == {"flows": []}


async def test_resources_are_listed_without_secrets(control: Control) -> None:
    """By kind and state; credentials of an agent and its key are hidden."""
    credentials = {"OPENAI_API_KEY": "sk-private"}
    agent = await vendor(control, "/agents", {"name": "a", "provider": "openai", "credentials": credentials})
    await vendor(control, "/runs", RUN)
    listed = (await control.call("GET", "/resources?kind=agent")).body
    assert b"sk-private" not in listed
    assert agent["api_key"].encode() not in listed
    assert b"sk-private" not in (await control.call("GET", "/requests")).body
    everything = (await control.call("GET", "/resources")).json["resources"]
    assert [each["kind"] for each in everything] == ["agent", "run"]
    assert "kind must be run, evaluation," in (await control.call("GET", "/resources?kind=runs")).fails()


async def test_bad_flows_change_nothing(control: Control) -> None:
    """All problems with line and column; unknown resources are 404."""
    refused = await control.call("POST", "/flows", "on: POST /v1/run\noutcome: faild\n")
    assert "<flow>:1:5: expected POST /v1/runs" in refused.fails()
    assert len(refused.json["error"]["problems"]) == 2
    assert (await control.call("GET", "/flows")).json == {"flows": []}
    assert (await control.call("POST", "/resources/run_x/advance")).status == 404
