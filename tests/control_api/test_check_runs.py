"""Checks in the background: how many go on at once, how many are kept, and what ends them."""

from __future__ import annotations

import pytest
from aiohttp import web

from mockserver.control_api import check_runs
from tests.control_api.calling import Control
from tests.receiving import SECRET, Consumer


async def test_as_many_checks_go_on_at_once_as_may(
    control: Control, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is refused, and begins nothing; those that go on end with the mock."""
    monkeypatch.setattr(check_runs, "_MOST_RUNNING", 1)
    consumer.hold()
    body = {"url": consumer.url, "secret": SECRET}
    first = await control.post("/checks", body, 202)
    refused = (await control.call("POST", "/checks", body)).fails()
    assert refused == "1 checks are running, which is the limit: wait for one, or stop it"
    assert not (await control.get(f"/checks/{first['check_id']}"))["done"]


async def test_the_oldest_check_is_forgotten(
    control: Control, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as may are kept."""
    monkeypatch.setattr(check_runs, "_KEPT", 2)
    ids = []
    for _ in range(3):
        started = await control.post("/checks", {"url": consumer.url, "secret": SECRET, "only": ["PG001"]}, 202)
        ids.append(started["check_id"])
        await control.until(f"/checks/{ids[-1]}", lambda answer: answer["done"])
    assert [(await control.call("GET", f"/checks/{each}")).status for each in ids] == [404, 200, 200]


async def test_a_check_that_cannot_be_made_says_why(control: Control, consumer: Consumer) -> None:
    """The probe reads no number; a webhook that is not there is not checked."""
    consumer.answers(lambda _: web.json_response({"count": "many"}))
    body = {"url": consumer.url, "secret": SECRET, "probe": consumer.url, "probe_json": "$.count"}
    started = await control.post("/checks", body, 202)
    run = await control.until(f"/checks/{started['check_id']}", lambda answer: answer["done"])
    assert "the probe must read a number" in run["problem"]
    assert (run["ok"], len(run["findings"])) == (False, run["checks"])
    assert (await control.call("POST", "/checks", {"webhook_id": "wh_nothing"})).fails(404) == (
        "there is no webhook 'wh_nothing'"
    )
