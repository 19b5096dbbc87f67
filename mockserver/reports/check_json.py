"""A check as JSON: everything that is known when it is over."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.model.records import Delivery, Event
from mockserver.model.wording import harmless_json, shortened
from mockserver.reports.check_text import counts, is_wrong
from mockserver.reports.evidence import LONGEST_BODY, curl_of, why_no_curl
from mockserver.reports.serializers import delivery_view

#: A payload that is nested deeper is not shown decoded: not every reader of JSON can go down there.
_MOST_LEVELS = 64


def check_json(report: CheckResult) -> str:
    """Return a report as a JSON document."""
    return json_text(check_view(report))


def check_view(report: CheckResult) -> dict[str, Any]:
    """Return a report as JSON values, without secrets; the keys are always in the same order.

    Of bodies longer than 64 KiB the beginning is shown.
    """
    return {
        "target": report.target,
        "seed": report.seed,
        "began": iso_time(report.began),
        "seconds": round(report.seconds, 3),
        "deliveries": report.deliveries,
        "ok": not report.broken,
        "counts": dict(counts(report)),
        "findings": [_finding(finding) for finding in report.findings],
        "diagnosis": _diagnosis(report.diagnosis) if report.diagnosis else None,
        "unreachable": report.unreachable,
        "unusable": report.unusable,
        "stopped": report.stopped,
    }


def iso_time(seconds: float) -> str:
    """Write a moment as ISO 8601 in UTC, with milliseconds and ``Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_text(value: Any) -> str:
    """Return JSON values as a document that every reader of JSON takes: without half surrogate pairs."""
    return harmless_json(msgspec.json.format(msgspec.json.encode(_whole(value)), indent=1).decode())


def _whole(value: Any) -> Any:
    """A value with a question mark for each byte from the network that is not text (half a surrogate pair)."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, (list, tuple)) else value


def _finding(finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {
        "id": check.id,
        "name": check.name,
        "severity": check.severity,
        "level": check.level,
        "verdict": finding.verdict,
        "summary": finding.summary,
        **({"fix": finding.fix} if is_wrong(finding) else {}),
        "why": check.why,
        "seconds": round(finding.seconds, 3),
        "evidence": [_evidence(delivery) for delivery in finding.evidence],
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "explanation": diagnosis.explanation,
        "fix": diagnosis.fix,
        "tried": diagnosis.tried,
        "evidence": [_evidence(delivery) for delivery in diagnosis.evidence],
    }


def _evidence(delivery: Delivery) -> dict[str, Any]:
    """A delivery in the form in which the control API shows it, and the command that sends it again."""
    view = {**delivery_view(_without_payload(delivery)), "payload": _payload(delivery.event)}
    for attempt in view["attempts"]:
        for message in (attempt["request"], attempt["response"]):
            if message:
                _bound(message)
    command = curl_of(delivery)
    curl = {"curl": command} if command else {"curl": None, "no_curl": why_no_curl(delivery)}
    return {**view, **curl}


def _without_payload(delivery: Delivery) -> Delivery:
    """The same delivery with a payload that can be decoded: that of a check may be no JSON at all."""
    return msgspec.structs.replace(delivery, event=msgspec.structs.replace(delivery.event, payload=b"null"))


def _payload(event: Event) -> Any:
    """The payload, decoded; None if it is no JSON, too long or too deep: the body of the request shows it then."""
    if len(event.payload) > LONGEST_BODY:
        return None
    try:
        payload = msgspec.json.decode(event.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if _is_deep(payload) else payload


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [item for each in level for item in _items(each)]
    return bool(level)


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _bound(message: dict[str, Any]) -> None:
    """Cut the body of a message; its bytes are left out where the text is not all there any more."""
    text = message["body"]
    if len(text) > LONGEST_BODY:
        message.pop("body_base64", None)
    message["body"] = shortened(text, LONGEST_BODY)
