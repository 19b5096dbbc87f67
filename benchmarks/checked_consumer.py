"""A correct consumer on aiohttp, in a process of its own; it prints its base URL when it listens.

With ``--effects-after SECONDS`` it answers at once and works later, as with a queue; with ``--answer-after SECONDS`` it
works before it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
from typing import Any

from aiohttp import web

from benchmarks.peers import run_fast
from benchmarks.plain_consumer import SECRET
from mockserver.model.events import DOCUMENTED_EVENTS

_IDS = dict(zip(DOCUMENTED_EVENTS, ("run_id", "run_id", "evaluation_id", "optimization_id"), strict=True))


class _Consumer:
    def __init__(self, effects_after: float, answer_after: float) -> None:
        self._effects_after = effects_after
        self._answer_after = answer_after
        self._seen: set[tuple[str, str]] = set()
        self._count = 0

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        signatures = request.headers.getall("X-Playgent-Signature", [])
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        given = ", ".join(signatures).encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(expected.encode(), given):
            return web.Response(status=401)
        try:
            payload = json.loads(body.decode())
            unknown = isinstance(payload, dict) and payload.get("event") not in (None, *_IDS)
            if unknown and isinstance(payload["event"], str):
                return web.Response()
            key = (payload["event"], payload["data"][_IDS[payload["event"]]])
            if not isinstance(key[1], str) or not isinstance(payload["timestamp"], str):
                return web.Response(status=400)
        except (ValueError, RecursionError, TypeError, KeyError):
            return web.Response(status=400)
        if self._answer_after:
            await asyncio.sleep(self._answer_after)
        if key not in self._seen:
            self._seen.add(key)
            asyncio.get_running_loop().call_later(self._effects_after, self._work)
        return web.Response()

    def _work(self) -> None:
        self._count += 1

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"count": self._count})


async def _serve(**given: Any) -> None:
    consumer = _Consumer(**given)
    app = web.Application(client_max_size=1 << 22)
    app.router.add_post("/hooks", consumer.webhook)
    app.router.add_get("/count", consumer.count)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--effects-after", type=float, default=0.0)
    parser.add_argument("--answer-after", type=float, default=0.0)
    run_fast(_serve(**vars(parser.parse_args())))
