"""A webhook handler in Flask."""

import hashlib
import hmac
import json
import os

from flask import Flask, request
from flask.typing import ResponseReturnValue

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")

app = Flask(__name__)
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


@app.post("/webhooks/playgent")
def receive() -> ResponseReturnValue:
    """Note the runs that failed."""
    body = request.get_data()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        return {"error": "invalid signature"}, 401
    try:
        run = failed_run(body)
    except ValueError:
        return {"error": "not an event"}, 400
    if run is not None:
        failed_runs.append(run)
    return {"ok": True}
