"""The control API (``/_mock``): what tests in any language drive the mock with.

It is ours, not the vendor's. It answers JSON, uses the words of the script format, and refuses requests that a web
page could have made: a foreign ``Host`` (DNS rebinding) or a foreign ``Origin``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from mockserver.core.events import Catalog
from mockserver.core.records import RecordStore
from mockserver.core.report import Report
from mockserver.core.script.model import EventStep, Script
from mockserver.core.script.templates import TemplateError
from mockserver.core.sent import Sent
from mockserver.core.settings import Settings
from mockserver.core.vendor_calls import CallLog
from mockserver.core.webhooks import WebhookRegistry
from mockserver.edges.views import call_view, delivery_view, webhook_view
from mockserver.errors import ScriptError, UsageError

Handler = Callable[[web.Request], Awaitable[web.Response]]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Mock(Protocol):
    """What the control API controls."""

    settings: Settings
    catalog: Catalog
    webhooks: WebhookRegistry
    records: RecordStore
    calls: CallLog

    async def send(self, step: EventStep) -> Sent:
        """Let one event happen now."""
        ...

    async def replay(self, script: Script) -> Report:
        """Replay a script."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class ControlApi:
    """The routes under ``/_mock``.

    Args:
        mock: What they control.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        routes: dict[tuple[str, str], Handler] = {
            ("GET", "/health"): self._health,
            ("POST", "/events"): self._send,
            ("POST", "/replays"): self._replay,
            ("GET", "/deliveries"): self._deliveries,
            ("GET", "/deliveries/{delivery_id}"): self._delivery,
            ("GET", "/webhooks"): self._webhooks,
            ("DELETE", "/webhooks"): self._forget_webhooks,
            ("GET", "/requests"): self._requests,
            ("POST", "/reset"): self._reset,
        }
        for (method, path), handler in routes.items():
            app.router.add_route(method, "/_mock" + path, self._guarded(handler))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            if (reason := self._why_foreign(request)) is not None:
                return _error(403, reason)
            try:
                return await handler(request)
            except ScriptError as error:
                problems = [msgspec.to_builtins(problem) for problem in error.problems]
                return _error(400, str(error), problems=problems)
            except (UsageError, TemplateError) as error:
                return _error(400, str(error))

        return guarded

    def _why_foreign(self, request: web.Request) -> str | None:
        own = {*_LOOPBACK, self._mock.settings.host}
        host = request.headers.get("Host", "")
        if _hostname(host) not in own:
            return f"the control API does not answer to the host {host!r}: call it by its loopback address"
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return f"the control API refuses requests of pages from {origin!r}"
        return None

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"status": "ok", "webhooks": len(self._mock.webhooks), "deliveries": len(self._mock.records)})

    async def _send(self, request: web.Request) -> web.Response:
        from mockserver.core.script.reader import read_event_step  # noqa: PLC0415 - as below

        extra = self._mock.settings.extra_events
        sent = await self._mock.send(read_event_step(await request.read(), self._mock.catalog, extra))
        deliveries = [delivery_view(delivery) for delivery in sent.deliveries]
        return _json({"delivered": sent.delivered, "deliveries": deliveries, "explanation": str(sent)})

    async def _replay(self, request: web.Request) -> web.Response:
        # Imported when used: YAML takes a tenth of the server's start-up time, and many need only the vendor API.
        from mockserver.core.script.reader import read_script  # noqa: PLC0415

        report = await self._mock.replay(read_script(await request.read(), self._mock.catalog))
        return _json(report.as_dict())

    async def _deliveries(self, _: web.Request) -> web.Response:
        records = self._mock.records
        views = [delivery_view(delivery) for delivery in records.all()]
        return _json({"deliveries": views, "dropped": records.dropped})

    async def _delivery(self, request: web.Request) -> web.Response:
        wanted = request.match_info["delivery_id"]
        digits = wanted.removeprefix("dlv_")
        delivery = self._mock.records.get(int(digits)) if digits.isdecimal() and len(digits) < 20 else None
        if delivery is None:
            return _error(404, f"no delivery {wanted!r} is on record")
        return _json(delivery_view(delivery))

    async def _webhooks(self, _: web.Request) -> web.Response:
        return _json({"webhooks": [webhook_view(webhook) for webhook in self._mock.webhooks.all()]})

    async def _forget_webhooks(self, _: web.Request) -> web.Response:
        self._mock.webhooks.clear()
        return web.Response(status=204)

    async def _requests(self, _: web.Request) -> web.Response:
        return _json({"requests": [call_view(call) for call in self._mock.calls.calls]})

    async def _reset(self, _: web.Request) -> web.Response:
        self._mock.reset()
        return web.Response(status=204)


def _hostname(authority: str) -> str:
    """The host of a Host header, without its port."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0].lower()


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _error(status: int, message: str, **more: Any) -> web.Response:
    return _json({"error": {"message": message, **more}}, status)
