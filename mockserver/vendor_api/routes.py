"""The vendor API: from a request to an answer.

One handler takes every request that no other part serves. The order of its questions is the order of the errors: the
caller (403), a planned bad answer, the rate limit, the path (404), the method (405), the API key (401), the size (413),
the body (400).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, NoReturn

import msgspec
from aiohttp import hdrs, web

from mockserver.model.identifiers import account_of
from mockserver.model.settings import Settings
from mockserver.model.webhooks import (
    RegistrationError,
    RegistrationRules,
    Webhook,
    WebhookLimitError,
    WebhookRegistry,
    read_changes,
    read_registration,
)
from mockserver.model.wording import did_you_mean
from mockserver.vendor_api.calls import AnswerPlan, CallLog, PlannedAnswer
from mockserver.vendor_api.operations import Directory, Match, Operation, offered
from mockserver.vendor_api.requests import (
    Allowance,
    Answer,
    ApiError,
    Call,
    Keys,
    RateLimit,
    bearer_token,
    error_answer,
    ok,
    read_body,
    read_json,
    why_foreign,
)
from mockserver.vendor_api.whole_answer import WholeAnswer

if TYPE_CHECKING:
    from mockserver.vendor_api.flows.engine import FlowEngine

#: How many spellings of the Host header are remembered as welcome.
_MOST_KNOWN_HOSTS = 64

_logger = logging.getLogger("mockserver.vendor_api")


class ShownWebhook(msgspec.Struct, frozen=True, gc=False):
    """A webhook as the API shows it: the documented fields, in the documented order, and no secret."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    active: bool

    @classmethod
    def of(cls, webhook: Webhook) -> ShownWebhook:
        """Leave out what is not shown."""
        return cls(webhook.webhook_id, webhook.url, webhook.events, webhook.active)


class VendorApi:
    """The vendor's server in memory.

    ``flows`` is asked when the first call that leads to events comes. If ``on_registered``, called with each new
    webhook, raises, the webhook is not kept.
    """

    def __init__(
        self,
        *,
        registry: WebhookRegistry,
        rules: RegistrationRules,
        settings: Settings,
        calls: CallLog,
        plan: AnswerPlan,
        now: Callable[[], float],
        flows: Callable[[], FlowEngine],
        on_registered: Callable[[Webhook], None] | None = None,
    ) -> None:
        self._registry = registry
        self._rules = rules
        self._settings = settings
        self._calls = calls
        self._plan = plan
        self._now = now
        self._flows = flows
        self._on_registered = on_registered
        self._known_hosts: set[str] = set()
        self._keys = Keys(settings.api_keys)
        self._per_key = settings.accounts == "per_key"
        self._limits = RateLimit(settings.rate_limit)
        self._operations = offered(strict=settings.strict)
        self._directory = Directory(self._operations)
        self._handlers: dict[str, Callable[[Call, str], Answer]] = {
            "createWebhook": self._create,
            "listWebhooks": self._list,
            "getWebhook": self._get,
            "updateWebhook": self._update,
            "deleteWebhook": self._delete,
            "getRun": self._get_run,
            "getOpenApi": self._describe,
        }
        for operation in self._operations:
            if operation.name not in self._handlers:
                self._handlers[operation.name] = partial(self._make, operation)

    def add_to(self, app: web.Application) -> None:
        """Take every path of an application that has no other route, added before or after."""
        app.router.add_route("*", "/{path:.*}", self.handle, expect_handler=self._continue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, and record it."""
        received_at = self._now()
        headers, url = request.headers, request.rel_url
        authorization = headers.get(hdrs.AUTHORIZATION, "")
        allowance = self._limits.count(bearer_token(authorization), received_at)
        account = account_of(bearer_token(authorization)) if self._per_key else ""
        foreign = self._why_foreign(request)
        if foreign is None:
            body, unreadable = await read_body(request, self._settings.max_request_bytes)
        else:
            body, unreadable = b"", ApiError(403, foreign)
        call = Call(
            request.method,
            url.raw_path,
            authorization,
            headers.get(hdrs.CONTENT_TYPE, ""),
            headers.get(hdrs.CONTENT_ENCODING, ""),
            body,
            unreadable,
            account,
        )
        planned = self._plan.take(account) if foreign is None and _is_below_v1(call.path) else None
        answer = self._answer(call, allowance) if planned is None else _as_answer(planned, allowance)
        # Recorded before a planned delay: a client that gives up waiting has called all the same.
        self._calls.record(
            received_at, call.method, call.path, url.raw_query_string, tuple(headers.items()), body, answer.status,
            answer.problem, account,
        )  # fmt: skip
        if planned is not None:
            await asyncio.sleep(planned.delay)
            if planned.refuse:
                _cut_off(request)
        if answer.before is not None:
            await answer.before()
        response = _respond(answer, allowance)
        if unreadable is not None:
            response.force_close()  # the rest of the body is where the next request would begin
        if answer.after is not None:
            try:  # aiohttp sends nothing twice
                await response.prepare(request)
                await response.write_eof()
            finally:
                answer.after()
        return response

    def _why_foreign(self, request: web.Request) -> str | None:
        """Say why a caller is refused; the common case, a known Host and no Origin, is settled at once."""
        headers = request.headers
        hosts = headers.getall(hdrs.HOST, [])
        if len(hosts) == 1 and hosts[0] in self._known_hosts and hdrs.ORIGIN not in headers:
            return None
        reason = why_foreign(headers, request.scheme, self._settings)
        if reason is None and len(self._known_hosts) < _MOST_KNOWN_HOSTS:
            self._known_hosts.add(hosts[0])
        return reason

    def refuse(self, status: int, message: str) -> web.StreamResponse:
        """Return the vendor's error for a request that never became one, such as a malformed request line."""
        return _respond(ApiError(status, message).answer(), self._limits.count("", self._now()))

    def reset(self, on_registered: Callable[[Webhook], None] | None = None) -> None:
        """Restart the counts of the rate limit; None leaves what is called with each new webhook as it was."""
        self._on_registered = on_registered or self._on_registered
        self._limits.clear()

    async def _continue(self, request: web.Request) -> None:
        """Let a client that asked first (``Expect: 100-continue``) send its body, unless it is too large anyway."""
        if (request.content_length or 0) <= self._settings.max_request_bytes:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0

    def _answer(self, call: Call, allowance: Allowance) -> Answer:
        try:
            return self._dispatch(call, allowance)
        except ApiError as error:
            return error.answer()
        except Exception:  # whatever it is, the client gets an answer, and the developer a traceback in the log
            _logger.exception("unexpected error while answering %s %s", call.method, call.path)
            return ApiError(500, "The mock server failed; its log says why").answer()

    def _dispatch(self, call: Call, allowance: Allowance) -> Answer:
        if call.unreadable is not None and call.unreadable.status == 403:
            raise call.unreadable
        if self._settings.enforce_rate_limit and not allowance.allowed:
            raise _rate_limited(allowance)
        match = self._match(call)
        if call.method == "OPTIONS":
            return Answer(204, headers=(("Allow", match.allow),))
        operation = _operation(match, call)
        if not operation.open:
            self._keys.check(call.authorization)
        if call.unreadable is not None:
            raise call.unreadable
        return self._handlers[operation.name](call, match.id)

    def _match(self, call: Call) -> Match:
        match = self._directory.find(call.path)
        if match is None:
            paths = self._directory.paths
            shown = call.path[:200] or "(none)"
            raise ApiError(404, f"No such path: {shown}; there is {', '.join(paths)}{did_you_mean(shown, paths)}")
        return match

    def _create(self, call: Call, _: str) -> Answer:
        try:
            webhook = self._registry.add(read_registration(read_json(call), self._rules), call.account)
        except (RegistrationError, WebhookLimitError) as error:
            raise ApiError(400, str(error)) from None
        self._report(webhook)
        return ok(self._settings.created_status, ShownWebhook.of(webhook))

    def _report(self, webhook: Webhook) -> None:
        if self._on_registered is None:
            return
        try:
            self._on_registered(webhook)
        except BaseException:
            self._registry.remove(webhook.webhook_id)
            raise

    def _list(self, call: Call, _: str) -> Answer:
        own = self._registry.all(call.account if self._per_key else None)
        return ok(200, {"webhooks": [ShownWebhook.of(webhook) for webhook in own]})

    def _get(self, call: Call, webhook_id: str) -> Answer:
        return _shown(self._own(call, webhook_id), webhook_id)

    def _own(self, call: Call, webhook_id: str) -> Webhook | None:
        """The webhook of this id, unless it is another account's."""
        webhook = self._registry.get(webhook_id)
        return webhook if webhook and (not self._per_key or webhook.account == call.account) else None

    def _update(self, call: Call, webhook_id: str) -> Answer:
        try:
            changes = read_changes(read_json(call), self._rules)
        except RegistrationError as error:
            raise ApiError(400, str(error)) from None
        own = self._own(call, webhook_id)
        return _shown(self._registry.change(webhook_id, changes) if own else None, webhook_id)

    def _delete(self, call: Call, webhook_id: str) -> Answer:
        if self._own(call, webhook_id) is None:
            raise _unknown(webhook_id)
        self._registry.remove(webhook_id)
        return Answer(204)

    def _make(self, operation: Operation, call: Call, _: str) -> Answer:
        """Make what a call asks for, and have the flow go on around the answer."""
        from mockserver.vendor_api.flows.reading import RequestError  # noqa: PLC0415 - as late as the flows

        body = read_json(call)
        flows = self._flows()
        try:
            resource = flows.create(f"POST {operation.path}", body, call.account)
        except RequestError as error:
            raise ApiError(400, str(error)) from None
        answer = ok(
            self._settings.created_status if operation.creates else 200, resource.content.answered(resource.state)
        )
        before, after = flows.around_answer(resource)
        return msgspec.structs.replace(answer, before=before, after=after) if before or after else answer

    def _get_run(self, call: Call, run_id: str) -> Answer:
        flows = self._flows()
        run = flows.resources.get(run_id, call.account)
        if run is None or run.kind != "run":
            raise ApiError(404, f"No run has the id {run_id[:80]!r}")
        answer = ok(200, run.content.shown(run.state))
        if call.method == "GET" and run.flow is not None and run.flow.advance == "reads":
            answer = msgspec.structs.replace(answer, after=partial(flows.after_read, run))
        return answer

    def _describe(self, _: Call, __: str) -> Answer:
        return Answer(200, self._document)

    @cached_property
    def _document(self) -> bytes:
        from mockserver.vendor_api.openapi import describe  # noqa: PLC0415 - most servers are never asked

        return msgspec.json.encode(describe(self._operations, self._rules, self._settings))


def _operation(match: Match, call: Call) -> Operation:
    operation = match.operations.get("GET" if call.method == "HEAD" else call.method)
    if operation is None:
        raise ApiError(405, f"{call.method} is not allowed here; allowed are {match.allow}", (("Allow", match.allow),))
    return operation


def _shown(webhook: Webhook | None, webhook_id: str) -> Answer:
    if webhook is None:
        raise _unknown(webhook_id)
    return ok(200, ShownWebhook.of(webhook))


def _unknown(webhook_id: str) -> ApiError:
    return ApiError(404, f"No webhook has the id {webhook_id[:80]!r}")


def _rate_limited(allowance: Allowance) -> ApiError:
    message = f"More than {allowance.limit} requests in a minute; try again in {allowance.wait} s"
    return ApiError(429, message, (("Retry-After", str(allowance.wait)),))


def _is_below_v1(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _cut_off(request: web.Request) -> NoReturn:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("cut off on purpose")


def _as_answer(planned: PlannedAnswer, allowance: Allowance) -> Answer:
    """A planned answer; without a body of its own it is what the API itself would answer with that status."""
    if planned.refuse:
        return Answer(0, problem="refused: the connection was cut off, as the test had planned")
    if planned.body is not None or planned.status < 400:
        return Answer(planned.status, planned.body or b"", planned.headers)
    retry = (("Retry-After", str(allowance.wait)),) if planned.status == 429 else ()
    challenge = (("WWW-Authenticate", "Bearer"),) if planned.status == 401 else ()
    headers = (*retry, *challenge, *planned.headers)
    return error_answer(planned.status, "This answer was planned by the test", headers)


_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_USUAL_HEADERS = "".join([f"{name}: %d\r\n" for name in _LIMIT_HEADERS]) + "Content-Type: application/json\r\n"


def _respond(answer: Answer, allowance: Allowance) -> web.StreamResponse:
    limits = (allowance.limit, allowance.remaining, allowance.reset)
    if answer.body and not answer.headers:  # nearly always
        return WholeAnswer(answer.status, answer.body, _USUAL_HEADERS % limits)
    headers = {name: str(value) for name, value in zip(_LIMIT_HEADERS, limits, strict=True)}
    if answer.body:
        headers["Content-Type"] = "application/json"
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    for name, value in answer.headers:  # each replaces an earlier one, whatever its case
        response.headers[name] = value
    return response
