"""A correct consumer in aiohttp, with seams at which a test gives it other ways or a mistake."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.checks.checked import SECRET

_IDS = {
    "run.completed": "run_id",
    "run.failed": "run_id",
    "evaluation.completed": "evaluation_id",
    "optimization.completed": "optimization_id",
}


class Consumer:
    """Verifies, handles once, answers; each of it is a method to override."""

    refusal = 401

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.count: float = 0
        self.handled: list[str] = []

    def change(self, **ways: Any) -> None:
        """Give it other ways: methods by name."""
        vars(self).update(ways)

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        signature = ", ".join(request.headers.getall("X-Playgent-Signature", []))
        if not self.is_genuine(body, signature):
            return self.refuse()
        try:
            payload = json.loads(body.decode())
            key = (payload["event"], payload["data"][_IDS[payload["event"]]])
            if not isinstance(key[1], str) or not isinstance(payload["timestamp"], str):
                return web.Response(status=400)
        except (ValueError, RecursionError, TypeError):
            return web.Response(status=400)
        except KeyError:
            payload = json.loads(body)
            known = isinstance(payload, dict) and "event" in payload and payload["event"] not in _IDS
            return web.Response(status=200 if known else 400)
        return await self.take(key)

    def is_genuine(self, body: bytes, signature: str) -> bool:
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))

    def refuse(self) -> web.Response:
        return web.Response(status=self.refusal)

    async def take(self, key: tuple[str, str]) -> web.Response:
        new = key not in self.seen
        if new:
            self.seen.add(key)
            self.effect(key[0])
        return self.answer(new=new)

    def effect(self, event: str) -> None:
        self.handled.append(event)
        self.count += 1

    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"status": "handled" if new else "duplicate"})

    async def read(self) -> float:
        """The count, as a probe reads it."""
        return self.count

    async def debug(self, _: web.Request) -> web.Response:
        return web.json_response({"count": self.count})

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/hooks", self.webhook)
        app.router.add_get("/count", self.debug)
        return app


#: Makes a consumer: a class, mostly.
Kind = Callable[[], Consumer]
