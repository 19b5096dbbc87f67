"""A webhook handler in Flask that notes every finished run once, whatever comes, and however often."""

import hashlib
import hmac
import json
import os
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")

app = Flask(__name__)
finished_runs: set[tuple[str, str]] = set()


def is_genuine(body: bytes, signature: str) -> bool:
    """Whether a body was signed with our secret."""
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


@app.post("/webhooks/playgent")
def receive() -> ResponseReturnValue:
    """Verify, read, handle: in this order."""
    body = request.get_data()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return {"error": "invalid signature"}, 401
    try:
        note(json.loads(body))
    except (ValueError, RecursionError, TypeError, KeyError):
        return {"error": "not an event"}, 400
    return {"ok": True}


def note(event: dict[str, Any]) -> None:
    """Note a finished run; the type and the run identify an event, for the payload has no id of its own."""
    if event["event"] in {"run.completed", "run.failed"}:
        finished_runs.add((event["event"], event["data"]["run_id"]))
