"""The same consumer in every framework, driven as an object of this process: no port, no server, no waiting."""

import asyncio
import json

import pytest
from aiohttp import web
from fastapi import FastAPI
from flask import Flask

from mockserver import MockServer
from tests.consumers import inbox
from tests.consumers.frameworks import FRAMEWORKS, create_app
from tests.presence import present

URL = "https://your-app.com"
SECRET = "whsec_frameworks"


@pytest.fixture(params=FRAMEWORKS)
def app(request: pytest.FixtureRequest) -> web.Application | FastAPI | Flask:
    made: web.Application | FastAPI | Flask = create_app(request.param, SECRET)
    return made


def check(mock: MockServer) -> None:
    """What every consumer must have answered to :data:`SCRIPT` and to what was forged."""
    statuses = [(each.event.type, present(each.response).status) for each in mock.deliveries]
    assert statuses == [*[("run.failed", 200)] * 3, ("evaluation.completed", 200), ("run.completed", 401)]
    answers = [json.loads(present(each.response).body)["status"] for each in mock.deliveries[:4]]
    assert answers == ["handled", "handled", "handled", "handled"]
    assert not [each.error for each in mock.deliveries if each.error]


SCRIPT = {
    "version": 1,
    "steps": [
        {"event": "run.failed", "repeat": 3, "override": {"run_id": "run_{{ index }}"}},
        {"event": "evaluation.completed", "after": "2h"},
    ],
}


def test_from_sync_code(app: web.Application | FastAPI | Flask) -> None:
    """A script of hours, and a forged event, in a plain test."""
    with MockServer(speed="max") as mock:
        mock.route(URL, to=app)
        mock.register(URL + inbox.WEBHOOK_PATH, ["run.failed", "evaluation.completed"], SECRET)
        mock.register(URL + inbox.WEBHOOK_PATH, ["run.completed"], "whsec_forged")
        mock.replay(SCRIPT).raise_for_failures()
        mock.send("run.completed")
        check(mock)


async def test_from_async_code(app: web.Application | FastAPI | Flask) -> None:
    """The same in an async test, on its own loop."""
    async with MockServer(speed="max") as mock:
        mock.route(URL, to=app)
        mock.register(URL + inbox.WEBHOOK_PATH, ["run.failed", "evaluation.completed"], SECRET)
        mock.register(URL + inbox.WEBHOOK_PATH, ["run.completed"], "whsec_forged")
        (await mock.areplay(SCRIPT)).raise_for_failures()
        await mock.asend("run.completed")
        check(mock)


async def test_many_at_once(app: web.Application | FastAPI | Flask) -> None:
    """Fifty events in flight together, each handled once."""
    async with MockServer() as mock:
        mock.route(URL, to=app)
        mock.register(URL + inbox.WEBHOOK_PATH, ["run.failed"], SECRET)
        sends = [mock.asend("run.failed", override={"run_id": f"run_{number}"}) for number in range(50)]
        assert all(sent.delivered for sent in await asyncio.gather(*sends))
        assert {json.loads(present(each.response).body)["status"] for each in mock.deliveries} == {"handled"}
