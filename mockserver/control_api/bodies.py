"""The bodies that the control API takes, beside steps, scripts and flows: one table for reader and schema."""

from __future__ import annotations

from mockserver.model.fields import Duration, Field, Fields, JsonValue, ListOf, Text, YesOrNo
from mockserver.vendor_api.calls import PLANNED_ANSWER_FIELDS

_TEXT = Text(templates=True)

RESEND_FIELDS: Fields = {
    "fresh": Field(YesOrNo(), "whether the event is signed anew, with the webhook's secret of today"),
}

ADVANCE_FIELDS: Fields = {
    "by": Field(Duration(), 'how much time passes, such as {"by": "5m"}', required=True),
}

WEBHOOK_CHANGE_FIELDS: Fields = {
    "active": Field(YesOrNo(), 'whether events are delivered to it, such as {"active": false}', required=True),
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
