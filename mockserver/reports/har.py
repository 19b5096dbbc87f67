"""HAR 1.2 (HTTP Archive): every attempt on record, to be opened in a browser's developer tools."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

import mockserver
from mockserver.model.messages import Exchange, Headers, Request, Response
from mockserver.model.records import Attempt, Delivery
from mockserver.model.wording import harmless_json
from mockserver.replay.report import Report

_UNKNOWN = -1


def har_document(reports: Sequence[Report]) -> str:
    """Return the attempts of reports as a HAR document; those without a request are left out."""
    entries = [
        _entry(delivery, attempt, attempt.request)
        for report in reports
        for delivery in report.deliveries
        for attempt in delivery.attempts
        if attempt.request is not None
    ]
    creator = {"name": "playgent-mockserver", "version": mockserver.__version__}
    log = {"version": "1.2", "creator": creator, "pages": [], "entries": entries}
    return harmless_json(msgspec.json.format(msgspec.json.encode({"log": log}), indent=1).decode())


def _entry(delivery: Delivery, attempt: Attempt, request: Request) -> dict[str, Any]:
    exchange = attempt.exchange
    entry = {
        "startedDateTime": datetime.fromtimestamp(attempt.at, timezone.utc).isoformat(timespec="milliseconds"),
        "time": exchange.total_ms,
        "request": _request(request),
        "response": _response(exchange),
        "cache": {},
        "timings": _timings(exchange),
        "comment": _comment(delivery, attempt),
    }
    address, _, port = exchange.address.rpartition(":")
    if address:
        entry |= {"serverIPAddress": address.strip("[]"), "connection": port}
    return entry


def _comment(delivery: Delivery, attempt: Attempt) -> str:
    faults = f", with the faults {', '.join(delivery.faults)}" if delivery.faults else ""
    unmet = f": not met: {'; '.join(delivery.unmet)}" if delivery.unmet else ""
    return f"{delivery.delivery_id}, attempt {attempt.number}, {delivery.source}{faults}{unmet}"


def _request(request: Request) -> dict[str, Any]:
    query = parse_qsl(urlsplit(request.target.url).query, keep_blank_values=True)
    return {
        "method": "POST",
        "url": request.target.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in query],
        "postData": {"mimeType": _header(request.headers, "content-type"), **_body(request.body)},
        "headersSize": len(request.head),
        "bodySize": len(request.body),
    }


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response or Response(0)
    shown = {
        "status": response.status,
        "statusText": response.reason,
        "httpVersion": "HTTP/1.1" if exchange.response else "",
        "cookies": [],
        "headers": _pairs(response.headers),
        "content": {
            "size": response.body_size,
            "mimeType": _header(response.headers, "content-type"),
            **_body(response.body, response.body_size),
        },
        "redirectURL": _header(response.headers, "location"),
        "headersSize": _UNKNOWN,
        "bodySize": response.body_size if exchange.response else _UNKNOWN,
    }
    # As browsers do it, for answers that never came.
    return {**shown, "_error": exchange.error.message} if exchange.error else shown


def _body(body: bytes, size: int = 0) -> dict[str, str]:
    """A body as text, and a comment where that is not all of it."""
    text = body.decode("utf-8", "replace")
    comments = ["bytes that are not UTF-8 are shown as U+FFFD"] if text.encode() != body else []
    comments += [f"only the first {len(body)} bytes were recorded"] if size > len(body) else []
    shown = {"text": text}
    return {**shown, "comment": "; ".join(comments)} if comments else shown


def _timings(exchange: Exchange) -> dict[str, float]:
    """They add up to the time of the entry; where not one byte came, all of it was waiting."""
    after_connect = max(exchange.total_ms - exchange.connect_ms, 0.0)
    waited = min(exchange.first_byte_ms, after_connect) if exchange.first_byte_ms else after_connect
    received = after_connect - waited
    connect = exchange.connect_ms if not exchange.reused else _UNKNOWN
    return {"blocked": _UNKNOWN, "dns": _UNKNOWN, "connect": connect, "send": 0, "wait": waited, "receive": received}


def _pairs(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")
