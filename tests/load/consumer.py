"""A consumer with a count of its effects, correct or with one mistake.

``python -m tests.load.consumer [MISTAKE]`` prints the port that it listens on. ``loses`` drops one accepted event in a
hundred; ``doubles`` counts concurrent copies of one event each; ``drains`` is correct, and its effects come half a
second later.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from mockserver import verify

ROOT = Path(__file__).parents[2]
SECRET = "whsec_load"


class Consumer:
    def __init__(self, mistake: str) -> None:
        self.mistake = mistake
        self.accepted = 0
        self.count = 0
        self.lost = self.doubled = 0
        self.seen: set[tuple[str, str]] = set()

    async def hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not verify(body, request.headers.get("X-Playgent-Signature", ""), SECRET):
            return web.Response(status=401)
        event: dict[str, Any] = msgspec.json.decode(body)
        data = event["data"]
        key = (event["event"], str(data.get("run_id") or data.get("evaluation_id") or data.get("optimization_id")))
        if self.mistake == "doubles":
            known = key in self.seen
            await asyncio.sleep(0.01)
            if known:
                return web.json_response({})
            self.doubled += key in self.seen
        elif key in self.seen:
            return web.json_response({})
        self.seen.add(key)
        self.accepted += 1
        if self.mistake == "loses" and self.accepted % 100 == 0:
            self.lost += 1
            return web.json_response({})
        if self.mistake == "drains":
            asyncio.get_running_loop().call_later(0.5, self.take_effect)
        else:
            self.take_effect()
        return web.json_response({})

    def take_effect(self) -> None:
        self.count += 1

    async def debug(self, _: web.Request) -> web.Response:
        return web.json_response({"count": self.count})

    async def truth(self, _: web.Request) -> web.Response:
        """What it really did, for the test to compare with."""
        return web.json_response(
            {"lost": self.lost, "doubled": self.doubled, "ids": sorted(each for _, each in self.seen)}
        )


@contextmanager
def consumer(mistake: str = "") -> Iterator[str]:
    """A consumer in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "tests.load.consumer", *([mistake] if mistake else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def main(mistake: str = "") -> None:
    running = Consumer(mistake)
    app = web.Application()
    app.router.add_post("/hooks", running.hook)
    app.router.add_get("/debug/count", running.debug)
    app.router.add_get("/debug/truth", running.truth)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listening.getsockname()[1]
    web.run_app(app, sock=listening, print=lambda *_: print(port, flush=True), access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
