"""Mistakes in reading the payload."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

import json
from typing import Any

from tests.consumers.inbox import ID_FIELDS, Answer, Event, Inbox, MalformedEventError, error, refuse_constant

_FIELDS = {"event", "timestamp", "data"}
_RUN_FIELDS = {"run_id", "test_case_id", "test_case_name"}
_DATA_FIELDS = {
    "run.completed": {*_RUN_FIELDS, "success", "summary"},
    "run.failed": {*_RUN_FIELDS, "failure_summary"},
    "evaluation.completed": {"evaluation_id", "overall_pass", "results"},
    "optimization.completed": set(
        "optimization_id status changes_made predicted_improvement validation_run_id".split()
    ),
}


class unknown_event_400(Inbox):
    def read_event(self, payload: Any) -> Event:
        event = super().read_event(payload)
        if event is None:
            raise MalformedEventError
        return event


class unknown_event_500(Inbox):
    def read_event(self, payload: Any) -> Event:
        event = super().read_event(payload)
        if event is None:
            raise NotImplementedError(payload["event"])
        return event


class extra_fields_refused(Inbox):
    def read_event(self, payload: Any) -> Event | None:
        event = super().read_event(payload)
        if event and (payload.keys() - _FIELDS or payload["data"].keys() - _DATA_FIELDS[event.event]):
            raise MalformedEventError
        return event


class crash_on_null(Inbox):
    def read_event(self, payload: Any) -> Event | None:
        event = super().read_event(payload)
        if event:
            self._subject(payload["data"])
        return event

    def _subject(self, data: dict[str, Any]) -> str:
        """What a mail about the event would have as its subject."""
        results = ", ".join(data.get("results", {}).keys())
        changes = len(data.get("changes_made", []))
        return f"{data.get('test_case_name', '').strip()} {results} {changes}"


class crash_on_bad_json(Inbox):
    def read_json(self, body: bytes) -> Any:
        try:
            json.loads(body.decode("utf-8"))
        except RecursionError as problem:
            raise MalformedEventError from problem
        return super().read_json(body)


class crash_on_wrong_shape(Inbox):
    def read_event(self, payload: Any) -> Event | None:
        id_field = ID_FIELDS.get(payload["event"])
        if id_field is not None:
            payload["data"][id_field].strip()
        return super().read_event(payload)


class crash_on_deep_nesting(Inbox):
    def read_json(self, body: bytes) -> Any:
        try:
            return json.loads(body.decode("utf-8"), parse_constant=refuse_constant)
        except ValueError as problem:
            raise MalformedEventError from problem


class body_limit_100kb(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        return error(413) if len(body) > 100 * 1024 else super().receive(body, signature)
