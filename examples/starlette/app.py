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
    return hmac.compare_digest(expected.encode(), signature.encode())


async def receive(request: Request) -> JSONResponse:
    """Note the runs that failed."""
    body = await request.body()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return JSONResponse({"error": "invalid signature"}, 401)
    event = json.loads(body)
    if event["event"] == "run.failed":
        failed_runs.append(event["data"]["run_id"])
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/webhooks/playgent", receive, methods=["POST"])])
