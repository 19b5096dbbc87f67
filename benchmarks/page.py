"""The run that the page on performance shows: the machine, and a table of every row that was measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import Measurement, cells

_BEGIN, _END = "<!-- A run: written by `python -m benchmarks --page` -->", "<!-- The end of the run -->"


def machine() -> str:
    """Return what the figures were measured on: processor, system, Python, and how busy it was."""
    parts = [f"{os.cpu_count()} cores of {_processor()}", f"{platform.system()} {platform.machine()}"]
    parts.append(f"Python {platform.python_version()}")
    if hasattr(os, "getloadavg"):
        parts.append(f"load {os.getloadavg()[1]:.1f}")  # of the last five minutes
    return ", ".join(parts)


def write_page(page: Path, rows: Sequence[Measurement]) -> None:
    """Put a run in the place of the one that the page shows.

    Args:
        page: The page; two comments say where the run begins and ends.
        rows: What was measured.

    Raises:
        ValueError: The page has no such comments.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{page} has no place for a run: the lines {_BEGIN!r} and {_END!r}")
    run = [f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}: {machine()}.", "", *_table(rows)]
    page.write_text("\n".join([before + begin, "", *run, "", end + after]), encoding="utf-8")


def _table(rows: Sequence[Measurement]) -> list[str]:
    lines = ["| what | ours | peer | its value | ratio | to reach |", "| --- | ---: | --- | ---: | ---: | ---: |"]
    for row in rows:
        what, ours, *more, _ = cells(row)
        shown = (what, f"{ours} ({row.note})" if row.ours is None and row.note else ours, *more)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in shown)} |")
    return lines


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
