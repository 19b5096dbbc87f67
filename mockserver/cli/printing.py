"""Plain lines: one for each delivery, in columns, coloured on a terminal that wants colour."""

from __future__ import annotations

import click

from mockserver.model.records import Delivery


def status_of(delivery: Delivery) -> str:
    """Return what a delivery came to in one word: the status of the answer, or the kind of error."""
    if delivery.error is not None:
        return delivery.error.kind
    return str(delivery.response.status) if delivery.response else "-"


def time_of(delivery: Delivery) -> str:
    """Return the time of day in the event's timestamp."""
    return delivery.event.timestamp[11:19]


def milliseconds_of(delivery: Delivery) -> float:
    """Return how long the last attempt took."""
    return delivery.attempts[-1].exchange.total_ms if delivery.attempts else 0.0


def colour_of(delivery: Delivery) -> str:
    """Return the colour of an outcome: red for what is not delivered, or not as it is expected."""
    return "red" if delivery.unmet or not (delivery.delivered or delivery.faults) else "green"


def delivery_line(delivery: Delivery, *, colour: bool = False) -> str:
    """Return a delivery as a line: time, event, status, milliseconds, where it went, and what went wrong."""
    status = f"{status_of(delivery):<9}"
    if colour:
        status = click.style(status, fg=colour_of(delivery))
    line = (
        f"{time_of(delivery)}  {printable(delivery.event.type):<22} {status}"
        f"{milliseconds_of(delivery):>8.1f} ms  {_where(delivery)}"
    )
    line += f"  [{', '.join(delivery.faults)}]" if delivery.faults else ""
    return f"{line}  {printable(delivery.error.message)}" if delivery.error else line


def _where(delivery: Delivery) -> str:
    request = delivery.attempts[-1].request if delivery.attempts else None
    url = printable(delivery.url)
    if request is None or request.target.authority in url:
        return url
    return f"{url} -> {request.target.url}"


def printable(text: str) -> str:
    """Return text of others with its control characters spelled out: it must not command the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def shortened(text: str, length: int) -> str:
    """Return at most so many characters of a text, and say how many were left out."""
    return text if len(text) <= length else f"{text[:length]} ... ({len(text) - length} more characters)"
