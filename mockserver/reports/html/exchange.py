"""A delivery as a page shows it: what was sent, what came back, and the command that sends it again."""

from __future__ import annotations

import json
from typing import Any

from mockserver.model.messages import Headers
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Attempt, Delivery
from mockserver.reports.check_evidence import curl_of, shortened, why_no_curl

#: The most characters of a body that are shown.
_BODY = 16 * 1024


def result_of(delivery: Delivery) -> str:
    """Return the result of a delivery in a word: its status, or why there is none."""
    if delivery.error is not None and delivery.response is None:
        return delivery.error.kind
    return str(delivery.response.status) if delivery.response else delivery.outcome


def brief_row(delivery: Delivery) -> dict[str, Any]:
    """Return what a line of a table shows of a delivery."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.delivery_id,
        "event": delivery.event.type,
        "faults": delivery.faults,
        "good": delivery.delivered,
        "unmet": delivery.unmet,
        "result": result_of(delivery),
        "at": format_timestamp(delivery.attempts[0].at) if delivery.attempts else "",
        "ms": f"{last.exchange.total_ms:.1f} ms" if last else "",
        "attempts": len(delivery.attempts),
        "url": delivery.url,
        "source": delivery.source,
    }


def whole(delivery: Delivery) -> dict[str, Any]:
    """Return all that is known of a delivery.

    Args:
        delivery: A delivery without secrets, see :meth:`mockserver.model.redaction.Redactor.delivery`.
    """
    command = curl_of(delivery)
    return {
        **brief_row(delivery),
        "curl": command,
        "no_curl": "" if command else why_no_curl(delivery),
        "tries": [_attempt(attempt) for attempt in delivery.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    request, response, error = attempt.request, attempt.response, attempt.error
    line = request.head.partition(b"\r\n")[0].decode("latin-1") if request else "no request could be made"
    return {
        "number": attempt.number,
        "at": format_timestamp(attempt.at),
        "good": attempt.delivered,
        "result": str(response.status) if response else error.kind if error else "nothing",
        "ms": f"{attempt.exchange.total_ms:.1f} ms",
        "sent": line,
        "sent_headers": _headers(request.headers) if request else "",
        "sent_body": _body(request.body) if request else "",
        "line": f"{response.status} {response.reason}".strip() if response else "",
        "headers": _headers(response.headers) if response else "",
        "body": _body(response.body) if response else "",
        "error": f"{error.message}\n{error.detail}".strip() if error else "",
    }


def _headers(headers: Headers) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers)


def _body(body: bytes) -> str:
    """A body as text, JSON with line breaks, the values as they were spelled where that is possible."""
    text = body.decode("utf-8", "replace")
    if len(text) <= _BODY:
        try:
            value = json.loads(text, parse_float=_Spelled, parse_int=_Spelled)
        except (ValueError, RecursionError):
            return text
        return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, (dict, list)) else text
    return shortened(text, _BODY)


class _Spelled(float):
    """A number that is written as it was read."""

    def __new__(cls, text: str) -> _Spelled:  # noqa: PYI034 - typing.Self needs Python 3.11
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __repr__(self) -> str:
        return self.text
