"""A consumer of our own: it verifies every delivery as the vendor's documentation says, and shows what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from mockserver.model.json_values import NotJsonError, decode_json
from mockserver.model.signing import PREFIX, SIGNATURE_HEADER, verify
from mockserver.server.http_host import HttpHost

#: The largest body that is taken, in bytes: more than any script makes.
_BODY_LIMIT = 16 * 1024 * 1024


class Received(msgspec.Struct, frozen=True, gc=False):
    """One request that was received, and why it was refused; empty when its signature is right.

    ``event`` is empty when the body is not an event.
    """

    path: str
    status: int
    refusal: str
    event: str
    body: bytes

    @property
    def verified(self) -> bool:
        """Whether its signature is right."""
        return not self.refusal


class EmbeddedConsumer:
    """Takes deliveries on any path, and verifies the signature of each over its raw bytes.

    A verified delivery is answered with ``status``, any other with 401; ``on_received``, which must not raise, gets
    both.
    """

    def __init__(self, secret: str, status: int = 200, on_received: Callable[[Received], None] | None = None) -> None:
        self._secret = secret
        self._status = status
        self._on_received = on_received
        self._server = HttpHost(self, max_request_bytes=_BODY_LIMIT)
        self.verified = 0
        self.refused = 0

    @property
    def url(self) -> str:
        """Its base URL, such as ``http://127.0.0.1:8485``."""
        return self._server.url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Begin to accept connections; port 0 takes a free one. Raises a StartError if it cannot listen there."""
        await self._server.start(host, port)

    @property
    def summary(self) -> str:
        """What came, in a few words."""
        return f"{self.verified} signature{'' if self.verified == 1 else 's'} verified, {self.refused} refused"

    async def stop(self) -> None:
        """Close every connection. Safe to call more than once."""
        await self._server.stop()

    def add_to(self, app: web.Application) -> None:
        """Add the only route: every method, every path."""
        app.router.add_route("*", "/{path:.*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.method != "POST":
            response = self.refuse(405, f"deliveries are sent with POST, not {request.method}")
            response.headers["Allow"] = "POST"
            return response
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self.refuse(413, f"the body is larger than the {_BODY_LIMIT} bytes that are allowed")
        refusal = self._why_refused(body, request.headers.getall(SIGNATURE_HEADER, []))
        received = Received(
            path=request.raw_path,
            status=401 if refusal else self._status,
            refusal=refusal,
            event=_event_of(body),
            body=body,
        )
        return self._answer(received)

    def refuse(self, status: int, message: str) -> web.StreamResponse:
        """Return an error as JSON that says why."""
        return _json({"error": message}, status)

    def _answer(self, received: Received) -> web.StreamResponse:
        if received.verified:
            self.verified += 1
        else:
            self.refused += 1
        if self._on_received is not None:
            self._on_received(received)
        if received.refusal:
            return self.refuse(received.status, received.refusal)
        if received.status in (204, 304):
            return web.Response(status=received.status)
        return _json({"status": "verified"}, received.status)

    def _why_refused(self, body: bytes, signatures: list[str]) -> str:
        if len(signatures) != 1:
            what = "no" if not signatures else "more than one"
            return f"there is {what} {SIGNATURE_HEADER} header"
        if verify(body, signatures[0], self._secret):
            return ""
        if not signatures[0].startswith(PREFIX):
            return f"the value of {SIGNATURE_HEADER} does not begin with {PREFIX}"
        return f"the signature in {SIGNATURE_HEADER} is not that of these bytes with this secret"


def _event_of(body: bytes) -> str:
    try:
        payload = decode_json(body)
    except NotJsonError:
        return ""
    event = payload.get("event") if isinstance(payload, dict) else None
    return event if isinstance(event, str) else ""


def _json(value: Any, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
