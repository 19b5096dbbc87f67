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
async def receive(request: Request) -> dict[str, bool]:
    """Note the runs that failed."""
    body = await request.body()
    if not is_genuine(body, request.headers.get("X-Playgent-Signature", "")):
        raise HTTPException(401, "invalid signature")
    try:
        run = failed_run(body)
    except ValueError:
        raise HTTPException(400, "not an event") from None
    async with app.state.lock:
        if run is not None:
            app.state.failed_runs.append(run)
    return {"ok": True}
