"""A webhook handler in aiohttp."""

import hashlib
import hmac
import json
import os

from aiohttp import web

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")
FAILED_RUNS: web.AppKey[list[str]] = web.AppKey("failed_runs", list)


def is_genuine(body: bytes, signature: str) -> bool:
    """Whether a body was signed with our secret."""
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


async def receive(request: web.Request) -> web.Response:
    """Note the runs that failed."""
    body = await request.read()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return web.json_response({"error": "invalid signature"}, status=401)
    event = json.loads(body)
    if event["event"] == "run.failed":
        request.app[FAILED_RUNS].append(event["data"]["run_id"])
    return web.json_response({"ok": True})


def create_app() -> web.Application:
    """Make the application."""
    app = web.Application()
    app[FAILED_RUNS] = []
    app.router.add_post("/webhooks/playgent", receive)
    return app
