"""What was measured, as values, and the table of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """A figure to reach.

    Args:
        of: Whether it is about our own value, or about the ratio of ours to the peer's.
        bound: Whether more is better, or less.
        limit: The figure.
    """

    of: Literal["value", "ratio"]
    bound: Literal["at least", "at most"]
    limit: float


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    Args:
        what: What was measured, on our side.
        unit: The unit of both values, such as ``ms``.
        ours: Our value; None when it could not be measured.
        peer: The peer's name, and what it did.
        theirs: The peer's value.
        ratio: Ours divided by theirs: the median of the rounds, where there were rounds.
        figure: What is to be reached, if anything.
        note: Anything else that a reader should know, such as why there is no value.
    """

    what: str
    unit: str
    ours: float | None
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    figure: Figure | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the figure was reached; None when there is none, or no value."""
        value = self.ratio if self.figure and self.figure.of == "ratio" else self.ours
        if self.figure is None or value is None:
            return None
        return value >= self.figure.limit if self.figure.bound == "at least" else value <= self.figure.limit

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {**asdict(self), "reached": self.reached}


def missing(what: str, why: str) -> Measurement:
    """Return the row of something that could not be measured."""
    return Measurement(what, "", None, note=why)


def render(measurements: Sequence[Measurement], *, judged: bool = True) -> str:
    """Lay the rows out as text.

    Args:
        measurements: The rows.
        judged: Whether to say which figures were reached.
    """
    header = ("what", "ours", "peer", "its value", "ratio", "to reach", "reached")
    rows = [header, *(cells(row, judged=judged) for row in measurements)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [f"{row.what}: {row.note}" for row in measurements if row.note]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *(["", *notes] if notes else [])])


def cells(row: Measurement, *, judged: bool = True) -> tuple[str, ...]:
    """Return a row as texts: what, ours, peer, its value, ratio, to reach, and whether it was reached."""
    digits = 2 if row.ratio is None or row.ratio >= 1 else 3
    ratio = f"{row.ratio:.{digits}f} x" if row.ratio is not None else ""
    reached = {None: "", True: "yes", False: "NO"}[row.reached if judged else None]
    ours = "-" if row.ours is None else _shown(row.ours, row.unit)
    theirs = "" if row.theirs is None else _shown(row.theirs, row.unit)
    return (row.what, ours, row.peer, theirs, ratio, _to_reach(row), reached)


def _to_reach(row: Measurement) -> str:
    if row.figure is None:
        return ""
    sign = ">=" if row.figure.bound == "at least" else "<="
    unit = "x" if row.figure.of == "ratio" else row.unit
    return f"{sign} {row.figure.limit:.4g} {unit}"


def _shown(value: float, unit: str) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f} {unit}"
    return f"{value:.1f} {unit}" if abs(value) >= 20 else f"{value:.2f} {unit}"
