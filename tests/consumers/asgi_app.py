"""The consumer as a bare ASGI application: the cheapest that shows a mistake of the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tests.consumers import inbox, mistakes

Message = MutableMapping[str, Any]


def create_app(secret: str, mistake: str | None = None) -> Callable[..., Awaitable[None]]:
    """The application, with an inbox of its own; correct unless given a mistake that is in the inbox."""
    box = mistakes.make_inbox("fastapi", secret, mistake)

    def answer(method: str, path: str, body: bytes, signature: str | None) -> inbox.Answer:
        if (method, path) == ("POST", inbox.WEBHOOK_PATH):
            return inbox.error(413) if len(body) > inbox.BODY_LIMIT else box.receive(body, signature)
        if path == inbox.EVENTS_PATH:
            return box.report()
        if path.startswith(inbox.OBJECTS_PATH):
            return box.state(path.removeprefix(inbox.OBJECTS_PATH))
        if (method, path) == ("POST", inbox.FAIL_NEXT_PATH):
            return box.fail_next()
        return inbox.error(405 if path == inbox.WEBHOOK_PATH else 404)

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("nothing to start")  # as ASGI has it for applications without a lifespan
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        name = box.signature_header.lower().encode()
        signatures = [value.decode("utf-8", "surrogateescape") for key, value in scope["headers"] if key == name]
        given = (scope["method"], scope["path"], body, ", ".join(signatures) if signatures else None)
        # In a thread: what handles an event may wait, and others must not wait for that.
        made = await asyncio.to_thread(answer, *given)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(made.body))]
        await send({"type": "http.response.start", "status": made.status, "headers": headers})
        await send({"type": "http.response.body", "body": made.body})

    return app
