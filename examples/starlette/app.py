"""A webhook handler in Starlette."""

import hashlib
import hmac
import json
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")

failed_runs: list[str] = []


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


async def receive(request: Request) -> JSONResponse:
    """Note the runs that failed."""
    body = await request.body()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return JSONResponse({"error": "invalid signature"}, 401)
    try:
        run = failed_run(body)
    except ValueError:
        return JSONResponse({"error": "not an event"}, 400)
    if run is not None:
        failed_runs.append(run)
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/webhooks/playgent", receive, methods=["POST"])])
