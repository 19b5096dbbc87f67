"""One call of the control API: what its query and its body say, or why they cannot be used; and the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
from aiohttp import web
from multidict import MultiMapping

from mockserver.control_api.operations import DELIVERY_ID, MOST_LISTED, SPEED, STATUS, Query
from mockserver.errors import Problem, UsageError
from mockserver.model.events import Catalog
from mockserver.model.expectations import matches_status
from mockserver.model.fields import Duration, Field, Fields, JsonValue, ListOf, ObjectOf, Text, YesOrNo, read_plain
from mockserver.model.identifiers import named_account
from mockserver.model.json_values import NotJsonError, decode_json
from mockserver.model.quantities import parse_duration
from mockserver.model.records import Delivery, Outcome
from mockserver.model.settings import Speed
from mockserver.model.wording import did_you_mean
from mockserver.reports.serializers import encode_view
from mockserver.script.package_files import read_bundled_script
from mockserver.vendor_api.planned_answers import PLANNED_ANSWER_FIELDS
from mockserver.vendor_api.requests import code_of

_TEXT = Text(templates=True)

RESEND_FIELDS: Fields = {
    "fresh": Field(YesOrNo(), "whether the event is signed anew, with the webhook's secret of today")
}

ADVANCE_FIELDS: Fields = {"by": Field(Duration(), 'how much time passes, such as {"by": "5m"}', required=True)}

WEBHOOK_CHANGE_FIELDS: Fields = {
    "active": Field(YesOrNo(), 'whether events are delivered to it, such as {"active": false}', required=True)
}

REGISTRATION_FIELDS: Fields = {
    "url": Field(_TEXT, "where deliveries go", required=True),
    "secret": Field(Text(secret=True, templates=True), "the key of their signatures", required=True),
    "events": Field(ListOf(_TEXT), "the event types that go there; all of them without"),
}

PLANNED_ANSWER_BODY: Fields = {
    **PLANNED_ANSWER_FIELDS,
    "body": Field(JsonValue(), "text is sent as it is, anything else as JSON; without it, the vendor's error envelope"),
}

CHECK_FIELDS: Fields = {
    "webhook_id": Field(_TEXT, "the registered webhook to check"),
    "url": Field(_TEXT, "where deliveries go, instead of a registered webhook"),
    "secret": Field(Text(secret=True, templates=True), "the key of their signatures"),
    "probe": Field(_TEXT, "a URL that shows the consumer's state"),
    "probe_json": Field(_TEXT, "the JSONPath of the value in its answer; the whole answer without"),
    "only": Field(ListOf(_TEXT), "ids or names of the checks to make"),
    "skip": Field(ListOf(_TEXT), "ids or names of checks to leave out"),
    "diagnose": Field(YesOrNo(), "whether the causes of failures are looked for"),
    "time_limit": Field(Duration(), "how long it may take in all"),
}

# ---------------------------------------------------------------- queries and bodies

_NAMED_SPEEDS: dict[str, Speed] = {"max": "max", "stepped": "stepped"}
_OUTCOMES = get_args(Outcome)

#: A key of YAML. YAML whose lines were joined begins with a comment, or with a key that another one follows.
_KEY = rb"(?<![\w-])[\w-]+:(?:\s|$)"

#: The most characters of a message, and of a problem of a script: what is quoted in them may be long.
_LONGEST_MESSAGE = 100_000
_LONGEST_PROBLEM = 2_000

#: The most of an unknown name that is shown, and compared with what is known.
_SHOWN = 64


class Filters(msgspec.Struct, frozen=True):
    """Which deliveries are asked for.

    Args:
        event: Only this event type; None for all.
        status: Only this outcome, status or class of statuses; None for all.
        webhook_id: Only those of this webhook; None for all.
        after: Only those after the delivery of this number.
        limit: How many at most.
    """

    event: str | None
    status: str | None
    webhook_id: str | None
    after: int
    limit: int

    def matching(self, deliveries: tuple[Delivery, ...]) -> Iterator[Delivery]:
        """Return those of the deliveries that are asked for, as many as there are."""
        return (delivery for delivery in deliveries if delivery.number > self.after and self._fits(delivery))

    def _fits(self, delivery: Delivery) -> bool:
        if self.event not in (None, delivery.event.type) or self.webhook_id not in (None, delivery.webhook_id):
            return False
        if self.status is None or self.status in _OUTCOMES:
            return self.status in (None, delivery.outcome)
        return delivery.response is not None and matches_status([self.status], delivery.response.status)


def read_query(query: MultiMapping[str], known: tuple[Query, ...]) -> dict[str, str]:
    """Return the parameters of a query; raises UsageError."""
    names = [parameter.name for parameter in known]
    for name in query:
        if name not in names:
            allowed = f"allowed are {', '.join(names)}" if names else "none is allowed here"
            hint = did_you_mean(name[:_SHOWN], names)
            raise UsageError(f"unknown parameter {name[:_SHOWN]!r} in the query; {allowed}{hint}")
        if len(query.getall(name)) > 1:
            raise UsageError(f"{name} is given twice in the query")
    return dict(query)


def read_filters(query: Mapping[str, str], catalog: Catalog, extra_events: tuple[str, ...]) -> Filters:
    """Read the filters of a list of deliveries; raises UsageError."""
    event, status = query.get("event"), query.get("status")
    if event is not None:
        catalog.check(event, extra_events)
    if status is not None and not re.fullmatch(STATUS, status):
        allowed = f"{', '.join(_OUTCOMES)}, a status such as 401 or a class such as 4xx"
        raise UsageError(f"status must be {allowed}, not {status!r}")
    after = number_of(query["after"]) if "after" in query else 0
    if after is None:
        raise UsageError(f"after must be the id of a delivery such as dlv_000001, not {query['after']!r}")
    limit = read_whole(query.get("limit", "100"), "limit", 1, MOST_LISTED)
    return Filters(event, status and status.lower(), query.get("webhook_id"), after, limit)


def number_of(delivery_id: str) -> int | None:
    """Return the number in the id of a delivery; None if it is no such id."""
    return int(delivery_id[4:]) if re.fullmatch(DELIVERY_ID, delivery_id) else None


def read_whole(text: str, name: str, low: int, high: int) -> int:
    """Read a whole number; raises UsageError."""
    if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise UsageError(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def read_flag(query: Mapping[str, str], name: str) -> bool:
    """Read a parameter that is true or false; false without; raises UsageError."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise UsageError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def read_speed(text: str | None) -> Speed | None:
    """Read a speed; None for the mock's own; raises UsageError."""
    if text is None or text in _NAMED_SPEEDS:
        return _NAMED_SPEEDS.get(text or "")
    if not re.fullmatch(SPEED, text):
        raise UsageError(f"speed must be a factor such as 10 (from 0.000001 to 1000000), max or stepped, not {text!r}")
    return float(text)


def read_source(bundled: str | None, body: bytes) -> tuple[bytes, str]:
    """Return the source of the script that is meant, and how messages name it; raises UsageError."""
    if bundled is None:
        if not body.strip():
            raise UsageError("the body is empty: send a script in it, or name a bundled one, as ?script=refund_flow")
        return body, "<script>"
    if body.strip():
        raise UsageError("there is a script in the body, and script names another: send one of the two")
    return read_bundled_script(bundled[:_SHOWN]), bundled


def lost_lines_hint(body: bytes) -> str:
    """Return a hint when YAML that cannot be read looks as if it had lost its line breaks on the way; empty if not."""
    line = body.strip()
    keys = re.finditer(_KEY, line)
    first = next(keys, None)
    is_several = line.startswith(b"#") or (first is not None and first.start() == 0 and next(keys, None) is not None)
    if b"\n" in line or not is_several:
        return ""
    return "\n(all of it is on one line: curl -d @FILE takes line breaks out, --data-binary @FILE keeps them)"


def read_seconds(value: Any, name: str) -> float:
    """Read a duration; raises UsageError."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def read_json_body(raw: bytes, fields: Fields) -> dict[str, Any]:
    """Read the JSON object of a body; no body at all is an empty one; raises UsageError."""
    try:
        body = decode_json(raw) if raw.strip() else {}
    except NotJsonError as error:
        raise UsageError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    try:
        values: dict[str, Any] = read_plain(body, ObjectOf(fields, "the body"))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return values


# ---------------------------------------------------------------- the call and its answers

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Call(msgspec.Struct, frozen=True):
    """One call of an operation, read and checked as far as its table goes.

    Args:
        request: The request.
        path: The parameters in its path.
        query: The parameters in its query.
        body: The body, if the operation takes one.
    """

    request: web.Request
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def account(self) -> str | None:
        """The name of the account that is asked for; None for all."""
        value = self.query.get("account")
        return None if value is None else named_account(value)

    def may_see(self, account: str) -> bool:
        """Whether what belongs to an account is shown: that of the account asked for, or of every one."""
        return self.account in (None, account)


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Return an answer that carries a view as JSON."""
    return web.Response(body=encode_view(value), status=status, headers=_HEADERS)


def script_problem_view(problem: Problem) -> dict[str, Any]:
    """Return a problem of a script as JSON values."""
    return {"line": problem.line, "column": problem.column, "message": problem.message[:_LONGEST_PROBLEM]}


def error_answer(status: int, message: str, **more: Any) -> web.Response:
    """Return an error: its code, its message, and what else there is to know."""
    shown = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
    return json_answer({"error": {"code": code_of(status), "message": shown, **more}}, status)
