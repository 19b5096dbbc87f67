"""A webhook handler in FastAPI, with a lock that is made on start-up as a connection pool would be."""

import asyncio
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make what the handlers share."""
    app.state.lock = asyncio.Lock()
    app.state.failed_runs = []
    yield


app = FastAPI(lifespan=lifespan)


def is_genuine(body: bytes, signature: str) -> bool:
    """Whether a body was signed with our secret."""
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


@app.post("/webhooks/playgent")
async def receive(request: Request) -> dict[str, bool]:
    """Note the runs that failed."""
    body = await request.body()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        raise HTTPException(401, "invalid signature")
    event = json.loads(body)
    async with app.state.lock:
        if event["event"] == "run.failed":
            app.state.failed_runs.append(event["data"]["run_id"])
    return {"ok": True}
