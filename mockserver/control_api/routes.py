"""The operations of the control API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from mockserver import __version__
from mockserver.control_api.call import (
    ADVANCE_FIELDS,
    PLANNED_ANSWER_BODY,
    REGISTRATION_FIELDS,
    RESEND_FIELDS,
    WEBHOOK_CHANGE_FIELDS,
    Call,
    error_answer,
    json_answer,
    lost_lines_hint,
    number_of,
    read_filters,
    read_flag,
    read_json_body,
    read_query,
    read_seconds,
    read_source,
    read_speed,
    read_whole,
    script_problem_view,
)
from mockserver.control_api.operations import (
    KINDS,
    LONGEST_WAIT,
    MOST_BRIEF,
    MOST_LISTED,
    MOST_REPEATS_OF_A_CALL,
    OPERATIONS,
    RESOURCE_STATES,
    Operation,
)
from mockserver.control_api.stream import BriefStream, EventStream, Readers
from mockserver.errors import ScriptError, UsageError
from mockserver.faults.fault import Fault
from mockserver.faults.registry import FAULTS
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import OWN_WEBHOOK, Delivery
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.search import KEYS, NearMiss, Search, nearest_misses, read_search
from mockserver.model.webhooks import Webhook
from mockserver.model.wording import listed
from mockserver.replay.replay import RunningReplay
from mockserver.replay.report import Report
from mockserver.replay.search_wait import SearchTimeoutError, describe_miss, wait_for_search
from mockserver.reports.serializers import (
    brief_view,
    call_view,
    delivery_view,
    resource_view,
    timeline_view,
    webhook_view,
)
from mockserver.script.model import EventStep
from mockserver.script.package_files import bundled_scripts, load_retry_policies, read_bundled_script
from mockserver.script.templates import TemplateError
from mockserver.server.mock import Mock
from mockserver.vendor_api.requests import ApiError, read_body, why_foreign

if TYPE_CHECKING:
    from mockserver.control_api.check_runs import CheckRuns
    from mockserver.vendor_api.flows.creation import Rule
    from mockserver.vendor_api.flows.resource import Resource


def search_of(call: Call, mock: Mock) -> Search:
    """Read a search and its account; event types and faults that do not exist are errors; raises UsageError."""
    events = (*mock.catalog.names, *mock.settings.extra_events)
    read = read_search(call.query.get("q", ""), {"event": events, "fault": FAULTS})
    return msgspec.structs.replace(read, account=call.account)


def shown_delivery(delivery: Delivery, mock: Mock) -> dict[str, Any]:
    """Return a delivery without secrets."""
    return delivery_view(mock.redactor_of([delivery.webhook_id]).delivery(delivery))


def _shown_webhook(webhook: Webhook, mock: Mock) -> dict[str, Any]:
    return {**webhook_view(webhook), "url": mock.redactor_of().text(webhook.url)}


def known_delivery(call: Call, mock: Mock) -> Delivery:
    """Return the delivery that the path names; raises ApiError."""
    wanted = call.path["delivery_id"]
    number = number_of(wanted)
    delivery = None if number is None else mock.records.get(number)
    if delivery is None or not call.may_see(delivery.account):
        raise ApiError(404, f"no delivery {wanted!r} is on record: GET /_mock/deliveries lists them")
    return delivery


# ---------------------------------------------------------------- deliveries: searched, waited for, as code


class DeliverySearch:
    """What finds deliveries."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def latest_delivery(self, call: Call) -> web.Response:
        """Return the newest delivery that a search finds."""
        search = self._search(call)
        records = self._mock.records.all()
        newest = next((delivery for delivery in reversed(records) if search.matches(delivery)), None)
        if newest is not None:
            return json_answer(shown_delivery(newest, self._mock))
        nearest = nearest_misses(search, records)
        message = "\n".join([f"no delivery matches {search.text!r}", *map(describe_miss, nearest)])
        return error_answer(404, message, nearest=list(map(_miss_view, nearest)))

    async def wait_for_deliveries(self, call: Call) -> web.Response:
        """Answer when enough deliveries match a search."""
        search = self._search(call)
        count = read_whole(call.query.get("count", "1"), "count", 1, MOST_LISTED)
        timeout = read_seconds(call.query.get("timeout", "5s"), "timeout")
        if timeout > LONGEST_WAIT:
            raise UsageError(f"timeout must be at most {LONGEST_WAIT:.0f} seconds, not {call.query['timeout']!r}")
        try:
            found = await wait_for_search(self._mock.records, search, count, timeout)
        except SearchTimeoutError as error:
            nearest = list(map(_miss_view, error.nearest))
            return error_answer(408, str(error), found=len(error.found), nearest=nearest)
        shown = found[:MOST_LISTED]
        return json_answer({"count": len(found), "deliveries": [shown_delivery(each, self._mock) for each in shown]})

    async def brief_deliveries(self, call: Call) -> web.Response:
        """List deliveries in brief, the newest first."""
        search = self._search(call)
        limit = read_whole(call.query.get("limit", "1000"), "limit", 1, MOST_BRIEF)
        before = number_of(call.query["before"]) if "before" in call.query else None
        if before is None and "before" in call.query:
            raise UsageError(f"before must be the id of a delivery such as dlv_000001, not {call.query['before']!r}")
        records = reversed(self._mock.records.all())
        found = (each for each in records if (before is None or each.number < before) and search.matches(each))
        page = list(islice(found, limit))
        more = next(found, None) is not None
        return json_answer(
            {
                "deliveries": [brief_view(each, self._mock.redactor_of()) for each in page],
                "next": page[-1].delivery_id if more else None,
                "on_record": len(self._mock.records),
                "dropped": self._mock.records.dropped,
            }
        )

    async def timeline(self, call: Call) -> web.Response:
        """Return deliveries with the moments of their attempts."""
        search = self._search(call)
        limit = read_whole(call.query.get("limit", "1000"), "limit", 1, MOST_BRIEF)
        replay_id = call.query.get("replay_id")
        if replay_id is None:
            records = self._mock.records.all()
        elif (running := self._mock.replays.get(replay_id)) and call.may_see(running.account):
            records = running.report.deliveries
        else:
            raise ApiError(404, f"there is no replay {replay_id!r}, or it was forgotten")
        found = [delivery for delivery in records if search.matches(delivery)]
        shown = found[-limit:]
        return json_answer({"deliveries": list(map(timeline_view, shown)), "left_out": len(found) - len(shown)})

    async def snippets(self, call: Call) -> web.Response:
        """Return a delivery as code."""
        # Imported when used: they write code, and few ask for it.
        from mockserver.reports.evidence import curl_of, why_no_curl  # noqa: PLC0415 - start-up does without
        from mockserver.reports.snippets import hide_in, signature_of, snippets_of  # noqa: PLC0415 - start-up does without

        delivery = known_delivery(call, self._mock)
        redactor = self._mock.redactor_of([delivery.webhook_id])
        event = self._mock.catalog.get(delivery.event.type)
        webhook = self._mock.webhooks.get(delivery.webhook_id)
        clean = redactor.delivery(delivery)
        code = snippets_of(delivery, event.data if event else None, curl_of(clean), why_no_curl(clean))
        signature = signature_of(delivery, webhook.secret if webhook else None)
        return json_answer({**hide_in(code, redactor), "signature": msgspec.to_builtins(signature)})

    def _search(self, call: Call) -> Search:
        return search_of(call, self._mock)


def _miss_view(miss: NearMiss) -> dict[str, Any]:
    return {
        "delivery_id": miss.delivery.delivery_id,
        "event": miss.delivery.event.type,
        "outcome": miss.delivery.outcome,
        "reasons": list(miss.reasons),
    }


# ---------------------------------------------------------------- resources and flows


class FlowOperations:
    """The resources and flows of a mock."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def resources(self, call: Call) -> web.Response:
        """List resources."""
        kind = _one_of(call, "kind", KINDS)
        state = _one_of(call, "state", RESOURCE_STATES)
        kept = self._mock.flows.resources
        account = call.account
        shown = [
            each
            for each in kept
            if kind in (None, each.kind) and state in (None, each.state) and account in (None, each.account)
        ]
        return json_answer({"resources": list(map(resource_view, shown)), "dropped": kept.dropped})

    async def resource(self, call: Call) -> web.Response:
        """Return a resource."""
        return json_answer(resource_view(self._resource(call)))

    async def advance_resource(self, call: Call) -> web.Response:
        """Move a resource one state on."""
        return json_answer(resource_view(self._mock.flows.advance(self._resource(call).resource_id)))

    async def flows(self, call: Call) -> web.Response:
        """List flows."""
        account = call.account
        return _flows(rule for rule in self._mock.flows.rules.all() if account is None or rule.account in ("", account))

    async def install_flows(self, call: Call) -> web.Response:
        """Add flows."""
        # Imported when used: YAML takes a tenth of the server's start-up time, and many need only the vendor API.
        from mockserver.script.reader import read_flows  # noqa: PLC0415 - start-up does without

        read = read_flows(call.body, self._mock.catalog, extra_events=self._mock.settings.extra_events)
        return _flows(self._mock.flows.rules.install(read, account=call.account or ""), 201)

    async def forget_flows(self, call: Call) -> web.Response:
        """Forget every flow."""
        self._mock.flows.rules.clear(call.account)
        return web.Response(status=204)

    def _resource(self, call: Call) -> Resource:
        wanted = call.path["resource_id"]
        resource = self._mock.flows.resources.find(wanted)
        if resource is None or not call.may_see(resource.account):
            raise ApiError(404, f"there is no resource {wanted!r}, or it is no longer on record")
        return resource


def _flows(rules: Iterable[Rule], status: int = 200) -> web.Response:
    return json_answer({"flows": list(map(_rule_view, rules))}, status)


def _rule_view(rule: Rule) -> dict[str, Any]:
    flow = rule.flow
    return {
        "flow": flow.written,
        "source": f"{flow.source}:{flow.line}",
        "used": rule.used,
        "left": None if flow.times is None else max(flow.times - rule.used, 0),
        "standing": rule.standing,
    }


def _one_of(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    value = call.query.get(name)
    if value is not None and value not in allowed:
        raise UsageError(f"{name} must be {listed(allowed)}, not {value[:60]!r}")
    return value


# ---------------------------------------------------------------- what can be sent


def catalog_view(mock: Mock) -> dict[str, Any]:
    """Return what can be sent: event types, faults, retry policies, bundled scripts, keys of searches, checks."""
    from mockserver.checks.registry import chosen_checks  # noqa: PLC0415 - few ask for it

    settings, catalog = mock.settings, mock.catalog
    documented = [
        {"event": each.event, "fires_when": each.fires_when, "documented": each.documented, "data": each.data}
        for each in catalog.all()
    ]
    extra = [{"event": name, "fires_when": "", "documented": False, "data": None} for name in settings.extra_events]
    return {
        "version": __version__,
        "speed": settings.speed,
        "strict": settings.strict,
        "events": [*documented, *extra],
        "faults": list(map(_fault_view, FAULTS.values())),
        "retries": list(map(_policy_view, load_retry_policies().values())),
        "scripts": [{"name": name, "source": read_bundled_script(name).decode()} for name in bundled_scripts()],
        "operations": [operation.name for operation in OPERATIONS],
        "search": [{"key": key, "example": example, "doc": doc} for key, (example, doc) in KEYS.items()],
        "checks": [
            {"id": check.id, "name": check.name, "severity": check.severity, "sends": check.sends}
            for check in chosen_checks((), ())
        ],
    }


def _fault_view(fault: Fault) -> dict[str, Any]:
    parameters = [
        {"name": each.name, "doc": each.doc, "default": None if each.default is None else each.show(each.default)}
        for each in fault.parameters
    ]
    return {"name": fault.name, "layer": fault.layer, "doc": fault.doc, "forged": fault.forged,
            "parameters": parameters}  # fmt: skip


def _policy_view(policy: RetryPolicy) -> dict[str, Any]:
    return {"name": policy.name, "delays": list(policy.delays), "note": policy.note}


# ---------------------------------------------------------------- all operations

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Routes:
    """What answers below ``/_mock``."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._readers = Readers(mock)
        self._checks: CheckRuns | None = None
        self._others = (DeliverySearch(mock), FlowOperations(mock))
        self._paths = web.UrlDispatcher()
        self._operations: dict[web.AbstractResource | None, dict[str, Operation]] = {}
        for path, methods in _methods_of_paths().items():
            resource = self._paths.add_resource(f"/_mock{path}")
            resource.add_route("*", _unknown)
            self._operations[resource] = methods

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; web pages are refused, and every error is worded."""
        reason = why_foreign(request.headers, request.scheme, self._mock.settings)
        if reason is not None:
            return error_answer(403, reason)
        try:
            match = await self._paths.resolve(request)
            methods = self._operations.get(match.route.resource)
            if methods is None:
                return await _unknown(request)
            operation = methods.get(request.method)
            if operation is None:
                return _other_method(request, [*methods, "OPTIONS"])
            return await self._operate(operation, request, match)
        except (UsageError, TemplateError) as error:
            return error_answer(400, str(error))
        except ApiError as error:
            return error_answer(error.status, error.message)

    async def end(self) -> None:
        """End the checks that run, and the streams."""
        if self._checks is not None:
            await self._checks.stop()
        self._readers.end()

    async def _operate(self, operation: Operation, request: web.Request, path: Mapping[str, str]) -> web.StreamResponse:
        """Read what an operation is called with, and do it."""
        having = next((part for part in (self, *self._others) if hasattr(part, operation.name)), None)
        handler: Handler = getattr(having or self._check_runs(), operation.name)
        query = read_query(request.query, operation.query)
        body = b""
        if operation.takes:
            body, unreadable = await read_body(request, self._mock.settings.max_request_bytes)
            if unreadable is not None:
                response = error_answer(unreadable.status, unreadable.message)
                response.force_close()  # the rest of the body is where the next request would begin
                return response
        try:
            return await handler(Call(request, path, query, body))
        except ScriptError as error:
            problems = [script_problem_view(problem) for problem in error.problems]
            return error_answer(400, f"{error}{lost_lines_hint(body)}", problems=problems)

    # --- events and replays

    async def send(self, call: Call) -> web.Response:
        """Let one event happen."""
        # Imported when used: YAML takes a tenth of the server's start-up time, and many need only the vendor API.
        from mockserver.script.reader import read_event_step  # noqa: PLC0415 - start-up does without

        step = read_event_step(call.body, self._mock.catalog, self._mock.settings.extra_events)
        only = call.query.get("webhook_id")
        if only is not None:
            _known(self._mock.webhooks.get(only), only, call)
        if _is_plain(step):
            sent = await self._mock.send(step, only=only, account=call.account)
            return json_answer(_sent_view(self._mock, sent.deliveries, str(sent), delivered=sent.delivered))
        if only is not None or call.account is not None:
            message = (
                "webhook_id and account are for one event: leave repeat, after and effects out, or replay a script"
            )
            raise UsageError(message)
        if step.repeat > MOST_REPEATS_OF_A_CALL:
            raise UsageError(f"repeat is at most {MOST_REPEATS_OF_A_CALL} here: for more, post a script to /replays")
        report = (await self._mock.play(step)).report
        explanation = "\n".join([report.summary, *report.explanations()])
        return json_answer(_sent_view(self._mock, report.deliveries, explanation, delivered=_all_delivered(report)))

    async def start_replay(self, call: Call) -> web.Response:
        """Replay a script."""
        from mockserver.script.reader import read_script  # noqa: PLC0415 - as in send

        wait, speed = read_flag(call.query, "wait"), read_speed(call.query.get("speed"))
        source, name = read_source(call.query.get("script"), call.body)
        script, account = read_script(source, self._mock.catalog, name), call.account or ""
        running = self._mock.start_replay(script, speed, account)
        if script.flows:
            self._mock.flows.rules.install(script.flows, account=account)
        if wait:
            await running.wait()
        return json_answer(_replay_view(running, self._mock), 200 if wait else 202)

    async def replay(self, call: Call) -> web.Response:
        """Return a replay."""
        return json_answer(_replay_view(self._known_replay(call), self._mock))

    async def replays(self, call: Call) -> web.Response:
        """List the replays in the background, the newest first."""
        own = [each for each in self._mock.replays.values() if call.may_see(each.account)]
        return json_answer({"replays": list(map(_replay_row, reversed(own)))})

    async def stop_replay(self, call: Call) -> web.Response:
        """End a replay."""
        running = self._known_replay(call)
        await running.stop()
        return json_answer(_replay_view(running, self._mock))

    def _known_replay(self, call: Call) -> RunningReplay:
        running = self._mock.replays.get(call.path["replay_id"])
        if running is None or not call.may_see(running.account):
            raise ApiError(404, f"there is no replay {call.path['replay_id']!r}, or it was forgotten")
        return running

    # --- deliveries

    async def deliveries(self, call: Call) -> web.Response:
        """List deliveries."""
        filters = read_filters(call.query, self._mock.catalog, self._mock.settings.extra_events)
        search = search_of(call, self._mock)
        found = filter(search.matches, filters.matching(self._mock.records.all()))
        page = list(islice(found, filters.limit))
        more = next(found, None) is not None
        return json_answer(
            {
                "deliveries": [shown_delivery(each, self._mock) for each in page],
                "next": page[-1].delivery_id if more else None,
                "dropped": self._mock.records.dropped,
            }
        )

    async def delivery(self, call: Call) -> web.Response:
        """Return a delivery."""
        return json_answer(shown_delivery(known_delivery(call, self._mock), self._mock))

    async def resend(self, call: Call) -> web.Response:
        """Deliver once more."""
        delivery = known_delivery(call, self._mock)
        resent = await self._mock.resend(delivery, **read_json_body(call.body, RESEND_FIELDS))
        return json_answer(shown_delivery(resent, self._mock))

    # --- webhooks and the vendor API

    async def webhooks(self, call: Call) -> web.Response:
        """List webhooks."""
        return json_answer(
            {"webhooks": [_shown_webhook(each, self._mock) for each in self._mock.webhooks.all(call.account)]}
        )

    async def webhook(self, call: Call) -> web.Response:
        """Return a webhook."""
        return json_answer(_shown_webhook(self._webhook(call), self._mock))

    async def register(self, call: Call) -> web.Response:
        """Register a webhook on behalf of an application."""
        body = read_json_body(call.body, REGISTRATION_FIELDS)
        webhook = self._mock.register(body["url"], body.get("events"), body["secret"], call.account or "")
        return json_answer(_shown_webhook(webhook, self._mock), 201)

    async def change_webhook(self, call: Call) -> web.Response:
        """Switch a webhook on or off."""
        body = read_json_body(call.body, WEBHOOK_CHANGE_FIELDS)
        webhook_id = self._webhook(call).webhook_id
        changed = _known(self._mock.webhooks.change(webhook_id, body), webhook_id, call)
        return json_answer(_shown_webhook(changed, self._mock))

    async def forget_webhooks(self, call: Call) -> web.Response:
        """Forget every webhook."""
        for webhook in self._mock.webhooks.all(
            call.account
        ):  # one by one: their ids must not come again while deliveries name them
            self._mock.webhooks.remove(webhook.webhook_id)
        return web.Response(status=204)

    async def forget_webhook(self, call: Call) -> web.Response:
        """Forget a webhook."""
        self._mock.webhooks.remove(self._webhook(call).webhook_id)
        return web.Response(status=204)

    def _webhook(self, call: Call) -> Webhook:
        webhook_id = call.path["webhook_id"]
        return _known(self._mock.webhooks.get(webhook_id), webhook_id, call)

    async def requests(self, call: Call) -> web.Response:
        """List the calls to the vendor API."""
        calls = self._mock.calls
        own = [call_view(each) for each in calls.calls if call.may_see(each.account)]
        return json_answer({"requests": own, "dropped": calls.dropped})

    async def fail_next(self, call: Call) -> web.Response:
        """Plan bad answers of the vendor API."""
        self._mock.plan.fail_next(**read_json_body(call.body, PLANNED_ANSWER_BODY), account=call.account or "")
        return web.Response(status=204)

    async def planned_failures(self, _: Call) -> web.Response:
        """Return how many calls of the vendor API will still be answered badly."""
        return json_answer({"pending": self._mock.plan.pending})

    async def forget_failures(self, call: Call) -> web.Response:
        """Answer as usual again."""
        if call.account is None:
            self._mock.plan.clear()
        else:
            self._mock.plan.forget(call.account)
        return web.Response(status=204)

    # --- checks, and what can be sent: imported when they are asked for, as most mocks never are

    def _check_runs(self) -> CheckRuns:
        if self._checks is None:
            from mockserver.control_api.check_runs import CheckRuns  # noqa: PLC0415 - see above

            self._checks = CheckRuns(self._mock)
        return self._checks

    async def catalog(self, _: Call) -> web.Response:
        """Return what can be sent."""
        return json_answer(catalog_view(self._mock))

    async def validate(self, call: Call) -> web.Response:
        """Say how much a script would send; its problems are an error."""
        from mockserver.script.reader import read_script  # noqa: PLC0415 - as in send

        script = read_script(call.body, self._mock.catalog, "<script>")
        return json_answer({"planned": script.planned, "seconds": script.seconds})

    # --- the mock itself

    async def health(self, _: Call) -> web.Response:
        """Say that the mock is there."""
        records = self._mock.records
        return json_answer(
            {
                "status": "ok",
                "time": format_timestamp(self._mock.clock.now()),
                "webhooks": len(self._mock.webhooks),
                "deliveries": len(records),
                "dropped": records.dropped,
            }
        )

    async def openapi(self, _: Call) -> web.Response:
        """Return the OpenAPI document."""
        from mockserver.control_api.openapi import describe  # noqa: PLC0415 - few ask for it

        return json_answer(describe((*self._mock.catalog.names, *self._mock.settings.extra_events)))

    async def advance(self, call: Call) -> web.Response:
        """Let time pass."""
        await self._mock.advance(read_json_body(call.body, ADVANCE_FIELDS)["by"])
        return json_answer({"time": format_timestamp(self._mock.clock.now())})

    async def reset(self, call: Call) -> web.Response:
        """Forget everything, or what belongs to one account."""
        if call.account is None:
            self._mock.reset()
        else:
            self._mock.forget(call.account)
        return web.Response(status=204)

    async def stream(self, call: Call) -> web.StreamResponse:
        """Serve events until the reader goes."""
        search = search_of(call, self._mock)
        kind = BriefStream if read_flag(call.query, "brief") else EventStream
        stream = kind(self._mock.records, self._mock.webhooks, self._mock.calls, search, self._readers)
        return await stream.serve(call.request)


def _methods_of_paths() -> dict[str, dict[str, Operation]]:
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        methods = paths.setdefault(operation.path, {})
        methods[operation.method] = operation
        if operation.method == "GET" and operation.name != "stream":  # a stream without its events never ends
            methods["HEAD"] = operation
    return paths


def _is_plain(step: EventStep) -> bool:
    """Whether a step is one event and nothing else: no repeats, no waits, no effect to be proved."""
    return step.repeat == 1 and not step.after and step.expect.effect is None


def _all_delivered(report: Report) -> bool:
    return report.delivered == report.planned and not report.halted


def _sent_view(mock: Mock, deliveries: tuple[Delivery, ...], explanation: str, *, delivered: bool) -> dict[str, Any]:
    views = [shown_delivery(each, mock) for each in deliveries]
    redactor = mock.redactor_of(each.webhook_id for each in deliveries)
    return {"delivered": delivered, "deliveries": views, "explanation": redactor.text(explanation)}


def _replay_view(running: RunningReplay, mock: Mock) -> dict[str, Any]:
    report = running.report
    redactor = mock.redactor_of([OWN_WEBHOOK, *report.webhook_ids])
    return {"replay_id": running.replay_id, "done": running.done, "report": report.clean(redactor).as_dict()}


def _replay_row(running: RunningReplay) -> dict[str, Any]:
    report = running.report
    return {
        "replay_id": running.replay_id, "done": running.done, "script": report.script.source,
        "name": report.script.name, "ok": report.ok, "planned": report.planned, "delivered": report.delivered,
        "failed": report.failed, "not_sent": report.not_sent, "unmet": report.unmet,
    }  # fmt: skip


def _known(webhook: Webhook | None, webhook_id: str, call: Call) -> Webhook:
    if webhook is None or not call.may_see(webhook.account):
        raise ApiError(404, f"there is no webhook {webhook_id!r}")
    return webhook


async def _unknown(request: web.Request) -> web.Response:
    raise ApiError(404, f"the control API has no {request.path!r}; /_mock/openapi.json describes what it has")


def _other_method(request: web.Request, allowed: list[str]) -> web.Response:
    """Answer a method that no operation of a path has: OPTIONS, or one that is not allowed."""
    allow = ", ".join(sorted(allowed))
    if request.method == "OPTIONS":
        return web.Response(status=204, headers={"Allow": allow})
    response = error_answer(405, f"{request.method} is not possible here; allowed are {allow}")
    response.headers["Allow"] = allow
    return response
