"""The operations of the control API."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from mockserver.core.durations import format_timestamp, parse_duration
from mockserver.core.events import Catalog
from mockserver.core.expectations import matches_status
from mockserver.core.records import Delivery, RecordStore
from mockserver.core.report import Report
from mockserver.core.script.model import EventStep, Script
from mockserver.core.script.reader import read_event_step, read_script
from mockserver.core.script.templates import TemplateError
from mockserver.core.sent import Sent
from mockserver.core.settings import Settings, Speed
from mockserver.core.suggestions import did_you_mean
from mockserver.core.vendor_calls import AnswerPlan, CallLog
from mockserver.core.webhooks import WebhookRegistry
from mockserver.edges.control_api.guard import why_foreign
from mockserver.edges.control_api.operations import OPERATIONS, openapi_document
from mockserver.edges.control_api.stream import EventStream
from mockserver.edges.views import call_view, delivery_view, webhook_view
from mockserver.engine.clock import Clock
from mockserver.errors import ScriptError, UsageError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OUTCOMES = ("pending", "delivered", "failed")
_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx")
_CODES = {400: "invalid_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


class Running(Protocol):
    """A replay that goes on in the background."""

    replay_id: str

    @property
    def report(self) -> Report:
        """What has happened so far."""
        ...

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    async def wait(self) -> Report:
        """Return the report when it is over."""
        ...


class Mock(Protocol):
    """What the control API controls."""

    settings: Settings
    catalog: Catalog
    webhooks: WebhookRegistry
    records: RecordStore
    calls: CallLog
    plan: AnswerPlan

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def replays(self) -> Mapping[str, Running]:
        """The replays in the background, by id."""
        ...

    @property
    def url(self) -> str:
        """The base URL of the server."""
        ...

    async def send(self, step: EventStep, source: str = "send") -> Sent:
        """Let one event happen now."""
        ...

    async def resend(self, delivery: Delivery, *, fresh: bool = False) -> Delivery:
        """Deliver once more what was delivered before."""
        ...

    def start_replay(self, script: Script, speed: Speed | None = None) -> Running:
        """Start a replay in the background."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class _NotFoundError(Exception):
    """There is no such thing; the message names it."""


class ControlApi:
    """The routes under ``/_mock``.

    Args:
        mock: What they control.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        methods: dict[str, list[str]] = {}
        for operation in OPERATIONS:
            handler: Handler = getattr(self, operation.name)
            app.router.add_route(operation.method, f"/_mock{operation.path}", self._guarded(handler))
            methods.setdefault(operation.path, []).append(operation.method)
        for path, allowed in methods.items():
            app.router.add_route("*", f"/_mock{path}", self._guarded(_not_allowed(allowed)))
        app.router.add_route("*", "/_mock{path:(/.*)?}", self._guarded(self._unknown))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            reason = why_foreign(request.headers, request.url.scheme, self._mock.settings.host)
            if reason is not None:
                return _error(403, reason)
            try:
                return await handler(request)
            except ScriptError as error:
                problems = [msgspec.to_builtins(problem) for problem in error.problems]
                return _error(400, str(error), problems=problems)
            except (UsageError, TemplateError) as error:
                return _error(400, str(error))
            except _NotFoundError as error:
                return _error(404, str(error))
            except web.HTTPRequestEntityTooLarge:
                limit = self._mock.settings.max_request_bytes
                return _error(413, f"the body is larger than the {limit} bytes that are allowed")

        return guarded

    async def health(self, _: web.Request) -> web.Response:
        """Tell that the mock is there."""
        records = self._mock.records
        return _json(
            {
                "status": "ok",
                "time": format_timestamp(self._mock.clock.now()),
                "webhooks": len(self._mock.webhooks),
                "deliveries": len(records),
                "dropped": records.dropped,
            }
        )

    async def openapi(self, _: web.Request) -> web.Response:
        """Return the OpenAPI document."""
        return _json(openapi_document(self._mock.url))

    async def send(self, request: web.Request) -> web.Response:
        """Let one event happen."""
        extra = self._mock.settings.extra_events
        sent = await self._mock.send(read_event_step(await request.read(), self._mock.catalog, extra))
        deliveries = [delivery_view(delivery) for delivery in sent.deliveries]
        return _json({"delivered": sent.delivered, "deliveries": deliveries, "explanation": str(sent)})

    async def start_replay(self, request: web.Request) -> web.Response:
        """Replay a script."""
        wait = _flag(request, "wait")
        script = read_script(await request.read(), self._mock.catalog)
        running = self._mock.start_replay(script, _speed(request.query.get("speed")))
        if wait:
            await running.wait()
        return _json(_replay_view(running), 200 if wait else 202)

    async def replay(self, request: web.Request) -> web.Response:
        """Return a replay."""
        replay_id = request.match_info["replay_id"]
        running = self._mock.replays.get(replay_id)
        if running is None:
            raise _NotFoundError(f"there is no replay {replay_id!r}")
        return _json(_replay_view(running))

    async def deliveries(self, request: web.Request) -> web.Response:
        """List deliveries."""
        limit = _limit(request)
        found = self._matching(request)
        page = [delivery for delivery, _ in zip(found, range(limit), strict=False)]
        more = len(page) == limit and next(found, None) is not None
        return _json(
            {
                "deliveries": [delivery_view(delivery) for delivery in page],
                "next": page[-1].delivery_id if more else None,
                "dropped": self._mock.records.dropped,
            }
        )

    async def delivery(self, request: web.Request) -> web.Response:
        """Return a delivery."""
        return _json(delivery_view(self._delivery(request)))

    async def resend(self, request: web.Request) -> web.Response:
        """Deliver once more."""
        delivery = self._delivery(request)
        body = await _body(request, ("fresh",))
        fresh = body.get("fresh", False)
        if not isinstance(fresh, bool):
            raise UsageError("fresh must be true or false")
        return _json(delivery_view(await self._mock.resend(delivery, fresh=fresh)))

    async def webhooks(self, _: web.Request) -> web.Response:
        """List webhooks."""
        return _json({"webhooks": [webhook_view(webhook) for webhook in self._mock.webhooks.all()]})

    async def webhook(self, request: web.Request) -> web.Response:
        """Return a webhook."""
        webhook = self._mock.webhooks.get(request.match_info["webhook_id"])
        if webhook is None:
            raise _NotFoundError(f"there is no webhook {request.match_info['webhook_id']!r}")
        return _json(webhook_view(webhook))

    async def forget_webhooks(self, _: web.Request) -> web.Response:
        """Forget every webhook."""
        self._mock.webhooks.clear()
        return web.Response(status=204)

    async def forget_webhook(self, request: web.Request) -> web.Response:
        """Forget a webhook."""
        if self._mock.webhooks.remove(request.match_info["webhook_id"]) is None:
            raise _NotFoundError(f"there is no webhook {request.match_info['webhook_id']!r}")
        return web.Response(status=204)

    async def requests(self, _: web.Request) -> web.Response:
        """List the calls to the vendor API."""
        return _json({"requests": [call_view(call) for call in self._mock.calls.calls]})

    async def fail_next(self, request: web.Request) -> web.Response:
        """Plan bad answers of the vendor API."""
        planned = await _body(request, ("status", "times", "headers", "delay", "body"))
        if "delay" in planned:
            planned["delay"] = _seconds(planned["delay"], "delay")
        if "body" in planned:
            if not isinstance(planned["body"], str):
                raise UsageError("body must be a string")
            planned["body"] = planned["body"].encode()
        self._mock.plan.fail_next(**planned)
        return web.Response(status=204)

    async def advance(self, request: web.Request) -> web.Response:
        """Let time pass."""
        body = await _body(request, ("by",))
        if "by" not in body:
            raise UsageError('by is missing: how much time is to pass, such as {"by": "5m"}')
        await self._mock.advance(_seconds(body["by"], "by"))
        return _json({"time": format_timestamp(self._mock.clock.now())})

    async def reset(self, _: web.Request) -> web.Response:
        """Forget everything."""
        self._mock.reset()
        return web.Response(status=204)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve events until the reader goes."""
        return await EventStream(self._mock.records, self._mock.webhooks, self._mock.calls).serve(request)

    async def _unknown(self, request: web.Request) -> web.Response:
        raise _NotFoundError(f"the control API has no {request.path!r}; /_mock/openapi.json describes what it has")

    def _delivery(self, request: web.Request) -> Delivery:
        wanted = request.match_info["delivery_id"]
        delivery = self._mock.records.get(_number(wanted))
        if delivery is None:
            raise _NotFoundError(f"no delivery {wanted!r} is on record")
        return delivery

    def _matching(self, request: web.Request) -> Iterator[Delivery]:
        query = request.query
        unknown = set(query) - {"event", "status", "webhook_id", "limit", "after"}
        if unknown:
            name = min(unknown)
            raise UsageError(f"unknown filter {name!r}{did_you_mean(name, ['event', 'status', 'webhook_id', 'after'])}")
        if "event" in query:
            self._mock.catalog.check(query["event"], self._mock.settings.extra_events)
        status = query.get("status", "")
        if status and status not in _OUTCOMES and not _STATUS.fullmatch(status):
            raise UsageError(f"status must be {', '.join(_OUTCOMES)}, a status such as 401 or a class such as 4xx")
        after = _number(query["after"]) if "after" in query else 0
        if after < 0:
            raise UsageError(f"after must be the id of a delivery such as dlv_000001, not {query['after']!r}")
        for delivery in self._mock.records.all():
            if delivery.number > after and _fits(delivery, query.get("event"), query.get("webhook_id"), status):
                yield delivery


def _fits(delivery: Delivery, event: str | None, webhook_id: str | None, status: str) -> bool:
    if event is not None and delivery.event.type != event:
        return False
    if webhook_id is not None and delivery.webhook_id != webhook_id:
        return False
    if not status or delivery.outcome == status:
        return True
    return delivery.response is not None and matches_status([status], delivery.response.status)


def _number(delivery_id: str) -> int:
    """The number in the id of a delivery; -1 if it is none."""
    digits = delivery_id.removeprefix("dlv_")
    return int(digits) if re.fullmatch("[0-9]{1,18}", digits) else -1


def _replay_view(running: Running) -> dict[str, Any]:
    return {"replay_id": running.replay_id, "done": running.done, "report": running.report.as_dict()}


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "100")
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise UsageError(f"limit must be a whole number from 1 to 1000, not {text!r}")
    return int(text)


def _flag(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise UsageError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def _speed(text: str | None) -> Speed | None:
    if text is None:
        return None
    if text == "max":
        return "max"
    if text == "stepped":
        return "stepped"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise UsageError(f"speed must be a number more than 0, max or stepped, not {text!r}")
    return speed


def _seconds(value: Any, name: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


async def _body(request: web.Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object of a request; empty if it has no body."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    for key in body:
        if key not in known:
            raise UsageError(f"unknown key {key!r}; known are {', '.join(known)}{did_you_mean(key, known)}")
    return body


def _not_allowed(allowed: list[str]) -> Handler:
    async def refuse(request: web.Request) -> web.Response:
        response = _error(405, f"{request.method} is not possible here; {', '.join(allowed)} is")
        response.headers["Allow"] = ", ".join(allowed)
        return response

    return refuse


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _error(status: int, message: str, **more: Any) -> web.Response:
    return _json({"error": {"code": _CODES.get(status, "payload_too_large"), "message": message, **more}}, status)
