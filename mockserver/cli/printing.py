"""Deliveries as lines: whether each is as expected, and what came of it."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mockserver.cli.output import StreamStyle
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Delivery


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a line shows of a delivery; its texts can be printed.

    Args:
        expected: Whether it is as expected: accepted, or what its step says.
        time: The time of day, by the mock's clock, at which it was sent.
        delivery_id: Its id.
        event: The event type.
        status: The status of the answer, or the kind of error.
        milliseconds: How long the last attempt took.
        where: Where it went.
        notes: Its faults, how many attempts there were, what it repeats, and what went wrong.
    """

    expected: bool
    time: str
    delivery_id: str
    event: str
    status: str
    milliseconds: float
    where: str
    notes: str


def row_of(delivery: Delivery) -> Row:
    """Return the row of a delivery that is over."""
    last = delivery.attempts[-1] if delivery.attempts else None
    request = last.request if last else None
    where = delivery.url
    if request is not None and request.target.authority not in where:
        where = f"{where} -> {request.target.url}"
    error = delivery.error
    location = dict(delivery.response.headers).get("location", "") if delivery.response else ""
    return Row(
        expected=not delivery.unmet
        and (delivery.delivered or (delivery.outcome == "failed" and bool(delivery.faults))),
        time=time_of(delivery),
        delivery_id=delivery.delivery_id,
        event=printable(delivery.event.type),
        status=error.kind if error else str(delivery.response.status) if delivery.response else "-",
        milliseconds=last.exchange.total_ms if last else 0.0,
        where=printable(where),
        notes=printable(
            _notes(
                delivery.faults,
                len(delivery.attempts),
                delivery.source,
                location,
                error.message if error else "",
            )
        ),
    )


def row_of_view(view: dict[str, Any]) -> Row:
    """Return the row of a delivery as the control API shows it."""
    last = view["attempts"][-1] if view["attempts"] else {}
    response, error = last.get("response"), last.get("error")
    headers = dict(response["headers"]) if response else {}
    return Row(
        expected=not view["unmet"] and (view["outcome"] == "delivered" or bool(view["faults"])),
        time=view["attempts"][0]["at"][11:19] if view["attempts"] else view["timestamp"][11:19],
        delivery_id=view["delivery_id"],
        event=printable(view["event"]),
        status=error["kind"] if error else str(response["status"]) if response else view["outcome"],
        milliseconds=last.get("total_ms", 0.0),
        where=printable(view["url"]),
        notes=printable(
            _notes(
                view["faults"],
                len(view["attempts"]),
                view["source"],
                headers.get("location", ""),
                error["message"] if error else "",
            )
        ),
    )


def time_of(delivery: Delivery) -> str:
    """Return the time of day, by the mock's clock, at which a delivery was first sent."""
    return (format_timestamp(delivery.attempts[0].at) if delivery.attempts else delivery.event.timestamp)[11:19]


def delivery_line(row: Row, style: StreamStyle, *, with_id: bool = False) -> str:
    """Return a delivery as a line in columns.

    Args:
        row: The delivery.
        style: What the stream can show that it goes to.
        with_id: Whether it shows the id of the delivery, for `resend`.
    """
    status = f"{row.status:<9}"
    if style.colour:
        status = click.style(status, fg="green" if row.expected else "red")
    identity = f"{row.delivery_id}  " if with_id else ""
    line = (
        f"{style.mark(row.expected)} {row.time}  {identity}{row.event:<22} {status}{row.milliseconds:>8.1f} ms"
        f"  {row.where}"
    )
    return f"{line}  {row.notes}" if row.notes else line


def printable(text: str) -> str:
    """Return text of others with its control characters spelled out: it must not command the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def shortened(text: str, length: int) -> str:
    """Return at most this many characters of a text, and say how many were left out."""
    return text if len(text) <= length else f"{text[:length]} ... ({len(text) - length} more characters)"


def _notes(faults: tuple[str, ...] | list[str], attempts: int, source: str, location: str, error: str) -> str:
    notes = [f"[{', '.join(faults)}]"] if faults else []
    if attempts > 1:
        notes.append(f"{attempts} attempts")
    if source.startswith("resend of "):
        notes.append(source)
    if location:
        notes.append(f"redirects to {location}")
    return "  ".join([*notes, error] if error else notes)
