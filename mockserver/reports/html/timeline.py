"""Deliveries and their attempts on the script's clock, as a chart that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Attempt, Delivery

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _MOST_ROWS = 1200.0, 190.0, 16.0, 30.0, 15.0, 6
#: Seconds between two marks of the axis, the finest first.
_STEPS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800, 2592000, 31536000)
#: The most deliveries that are drawn; more would be a blur.
MOST_DRAWN = 1500


class Chart(msgspec.Struct):
    """A chart, ready for its template.

    Args:
        height: Its height.
        lanes: The lanes: a label, where it begins and where it ends.
        marks: The marks of the axis: where, and the time.
        bars: The deliveries: an id, a text, and the attempts.
        left_out: How many deliveries are not drawn.
    """

    height: float
    lanes: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    bars: list[dict[str, Any]]
    left_out: int


def chart_of(deliveries: Sequence[Delivery]) -> Chart | None:
    """Return the chart of deliveries; None if there is nothing to draw.

    Args:
        deliveries: The deliveries, the oldest first; of very many the first are drawn, and those that failed.
    """
    attempted = [delivery for delivery in deliveries if delivery.attempts]
    if not attempted:
        return None
    drawn = attempted
    if len(attempted) > MOST_DRAWN:
        failed = [delivery for delivery in attempted if not delivery.delivered]
        others = [delivery for delivery in attempted if delivery.delivered]
        drawn = sorted((failed + others)[:MOST_DRAWN], key=lambda delivery: delivery.number)
    start = min(each.attempts[0].at for each in drawn)
    end = max(_end(attempt) for each in drawn for attempt in each.attempts)
    margin = max((end - start) * 0.02, 0.05)
    scale = _Scale(start - margin, end + margin)
    lanes, bars, height = _lay_out(drawn, scale)
    return Chart(height, lanes, _marks(scale), bars, len(attempted) - len(drawn))


class _Scale(msgspec.Struct, frozen=True):
    start: float
    end: float

    def x(self, moment: float) -> float:
        """The place of a moment."""
        return _LEFT + (moment - self.start) / (self.end - self.start) * (_WIDTH - _LEFT - _RIGHT)


def _end(attempt: Attempt) -> float:
    return attempt.at + attempt.exchange.total_ms / 1000


def _lay_out(deliveries: Sequence[Delivery], scale: _Scale) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    by_event: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_event.setdefault(delivery.event.type, []).append(delivery)
    lanes: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    y = _TOP
    for event, members in by_event.items():
        taken: list[float] = []
        for delivery in members:
            begin, last = scale.x(delivery.attempts[0].at), scale.x(_end(delivery.attempts[-1]))
            row = next((index for index, until in enumerate(taken) if until < begin - 2), len(taken))
            if row == len(taken) and row < _MOST_ROWS:
                taken.append(0.0)
            row = row % _MOST_ROWS
            taken[row] = max(taken[row], last, begin + 5)
            bars.append(_bar(delivery, scale, y + 5 + row * _ROW))
        bottom = y + max(len(taken), 1) * _ROW + 8
        lanes.append({"label": event if len(event) <= 26 else f"{event[:25]}…", "y": y + 16, "bottom": bottom})
        y = bottom
    return lanes, bars, y + 6


def _bar(delivery: Delivery, scale: _Scale, y: float) -> dict[str, Any]:
    tries = [
        {
            "x": round(scale.x(each.at), 1),
            "width": round(max(scale.x(_end(each)) - scale.x(each.at), 4.0), 1),
            "good": each.delivered,
        }
        for each in delivery.attempts
    ]
    first = format_timestamp(delivery.attempts[0].at)
    return {
        "id": delivery.delivery_id, "text": f"{first} {delivery}", "y": round(y, 1), "tries": tries,
        "from": tries[0]["x"], "to": tries[-1]["x"],
    }  # fmt: skip


def _marks(scale: _Scale) -> list[dict[str, Any]]:
    span = scale.end - scale.start
    step = next((each for each in _STEPS if span / each <= 9), _STEPS[-1])
    marks: list[dict[str, Any]] = []
    moment = (scale.start // step + 1) * step
    while moment < scale.end and len(marks) < 20:
        text = format_timestamp(moment)
        if step < 1:
            text = f"{text[14:19]}{moment % 1:.1f}"[:5] + f".{int(moment * 10 % 10)}"
        else:
            text = text[5:10] if step >= 86400 else text[11:16] if step >= 60 else text[11:19]
        marks.append({"x": round(scale.x(moment), 1), "text": text})
        moment += step
    return marks
