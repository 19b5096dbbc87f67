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
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


def failed_run(body: bytes) -> str | None:
    """The run that failed, if that is what an event is about.

    Raises:
        ValueError: The body is not an event: 400 says so, and it is not sent again in vain.
    """
    try:
        event = json.loads(body)
        return event["data"]["run_id"] if event["event"] == "run.failed" else None
    except (RecursionError, TypeError, KeyError) as error:
        raise ValueError("not an event") from error


async def receive(request: web.Request) -> web.Response:
    """Note the runs that failed."""
    body = await request.read()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return web.json_response({"error": "invalid signature"}, status=401)
    try:
        run = failed_run(body)
    except ValueError:
        return web.json_response({"error": "not an event"}, status=400)
    if run is not None:
        request.app[FAILED_RUNS].append(run)
    return web.json_response({"ok": True})


def create_app() -> web.Application:
    """Make the application."""
    app = web.Application()
    app[FAILED_RUNS] = []
    app.router.add_post("/webhooks/playgent", receive)
    return app
