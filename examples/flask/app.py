"""A webhook handler in Flask."""

import hashlib
import hmac
import os

from flask import Flask, request
from flask.typing import ResponseReturnValue

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")

app = Flask(__name__)
failed_runs: list[str] = []


def is_genuine(body: bytes, signature: str) -> bool:
    """Whether a body was signed with our secret."""
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


@app.post("/webhooks/playgent")
def receive() -> ResponseReturnValue:
    """Note the runs that failed."""
    if not is_genuine(request.get_data(), request.headers.get("X-Playgent-Signature", "")):
        return {"error": "invalid signature"}, 401
    event = request.get_json()
    if event["event"] == "run.failed":
        failed_runs.append(event["data"]["run_id"])
    return {"ok": True}
