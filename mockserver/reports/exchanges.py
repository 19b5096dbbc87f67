"""What was sent and what came back, as text: the evidence that reports show for what was not met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mockserver.model.messages import Exchange, Request
from mockserver.model.records import Delivery
from mockserver.model.wording import visible
from mockserver.replay.report import Report

#: The most deliveries of a step that are shown.
_SHOWN = 3
#: The most characters of a body that are shown.
_BODY = 2000


def unmet_by_source(report: Report) -> Mapping[str, Sequence[Delivery]]:
    """Return the first deliveries that did not meet what their step expects, by the script and line of the step."""
    found: dict[str, list[Delivery]] = {}
    for delivery in report.deliveries:
        if delivery.unmet and len(found.setdefault(delivery.source, [])) < _SHOWN:
            found[delivery.source].append(delivery)
    return found


def exchange_text(delivery: Delivery) -> str:
    """Return the last attempt of a delivery as text: request and answer, as they went over the wire.

    Args:
        delivery: A delivery without secrets, see :meth:`mockserver.model.redaction.Redactor.delivery`.
    """
    if not delivery.attempts:
        return f"{delivery.delivery_id} was never attempted"
    attempt = delivery.attempts[-1]
    title = f"{delivery.delivery_id}, attempt {attempt.number}"
    sent = _request(attempt.request) if attempt.request else ["no request could be made"]
    return visible("\n".join([f"{title}: sent", *sent, f"{title}: came back", *_answer(attempt.exchange)]))


def _request(request: Request) -> list[str]:
    line = request.head.split(b"\r\n", 1)[0].decode("latin-1")
    return [line, *_message(request.headers, request.body)]


def _answer(exchange: Exchange) -> list[str]:
    error = [exchange.error.message] if exchange.error else []
    response = exchange.response
    if response is None:
        return error or ["nothing"]
    line = f"{response.status} {response.reason}".rstrip()
    return [line, *_message(response.headers, response.body), *error]


def _message(headers: Sequence[tuple[str, str]], body: bytes) -> list[str]:
    text = body.decode("utf-8", "replace")
    more = f"... ({len(text) - _BODY} more characters)" if len(text) > _BODY else ""
    return [*(f"{name}: {value}" for name, value in headers), "", text[:_BODY] + more]
