"""What was sent and what came back, as text: the evidence that reports show for what was not met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mockserver.model.messages import Exchange, Request
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report

#: So many deliveries of a step are shown.
_SHOWN = 3
#: So many characters of a body are shown.
_BODY = 2000


def unmet_by_source(report: Report) -> Mapping[str, Sequence[Delivery]]:
    """Return the first deliveries that did not meet what their step expects, by the script and line of the step."""
    found: dict[str, list[Delivery]] = {}
    for delivery in report.deliveries:
        if delivery.unmet and len(found.setdefault(delivery.source, [])) < _SHOWN:
            found[delivery.source].append(delivery)
    return found


def exchange_text(delivery: Delivery, redactor: Redactor) -> str:
    """Return the last attempt of a delivery as text: request and answer, as they went over the wire.

    Args:
        delivery: A delivery.
        redactor: Hides secrets.
    """
    if not delivery.attempts:
        return f"{delivery.delivery_id} was never attempted"
    attempt = delivery.attempts[-1]
    title = f"{delivery.delivery_id}, attempt {attempt.number}"
    sent = _request(attempt.request, redactor) if attempt.request else ["no request could be made"]
    return "\n".join([f"{title}: sent", *sent, f"{title}: came back", *_answer(attempt.exchange, redactor)])


def _request(request: Request, redactor: Redactor) -> list[str]:
    line = request.head.split(b"\r\n", 1)[0].decode("latin-1")
    return [redactor.text(line), *_message(redactor.headers(request.headers), request.body, redactor)]


def _answer(exchange: Exchange, redactor: Redactor) -> list[str]:
    error = [redactor.text(exchange.error.message)] if exchange.error else []
    response = exchange.response
    if response is None:
        return error or ["nothing"]
    line = redactor.text(f"{response.status} {response.reason}".rstrip())
    return [line, *_message(redactor.headers(response.headers), response.body, redactor), *error]


def _message(headers: Sequence[tuple[str, str]], body: bytes, redactor: Redactor) -> list[str]:
    text = redactor.text(body.decode("utf-8", "replace"))
    more = f"... ({len(text) - _BODY} more characters)" if len(text) > _BODY else ""
    return [*(f"{name}: {value}" for name, value in headers), "", text[:_BODY] + more]
