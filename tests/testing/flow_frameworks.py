"""The same small application in several frameworks: it starts a run, and takes the event about it."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from fastapi import FastAPI, Request, Response
from flask import Flask, request

from mockserver import verify

SECRET = "whsec_flows"
HEADER = "X-Playgent-Signature"


class Runs:
    """What the application knows of its runs; every framework around it does the same."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def started(self, answer: dict[str, Any]) -> str:
        """Note a run that was started, unless its event was quicker."""
        run_id: str = answer["run_id"]
        self.states.setdefault(run_id, answer["status"])
        return run_id

    def take(self, body: bytes, signature: str | None) -> int:
        """Take an event; the status to answer with."""
        if not verify(body, signature or "", SECRET):
            return 401
        event = json.loads(body)
        self.states[event["data"]["run_id"]] = event["event"].removeprefix("run.")
        return 204


def flask_app(runs: Runs) -> Any:
    app = Flask("flows")

    @app.post("/hooks")
    def hooks() -> tuple[str, int]:
        return "", runs.take(request.get_data(), request.headers.get(HEADER))

    return app


def fastapi_app(runs: Runs) -> Any:
    app = FastAPI()

    @app.post("/hooks")
    async def hooks(received: Request) -> Response:
        return Response(status_code=runs.take(await received.body(), received.headers.get(HEADER)))

    return app


def aiohttp_app(runs: Runs) -> Any:
    async def hooks(received: web.Request) -> web.Response:
        return web.Response(status=runs.take(await received.read(), received.headers.get(HEADER)))

    app = web.Application()
    app.router.add_post("/hooks", hooks)
    return app
