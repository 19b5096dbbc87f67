"""The live table of a replay on a terminal: the last deliveries, those that failed at its end, and how far it is."""

from __future__ import annotations

from collections import deque

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mockserver.cli.live import LivePicture
from mockserver.cli.printing import Row

#: How many deliveries are shown, and how many of them may be failures.
_ROWS, _FAILURES = 12, 8
#: From this many planned events on there is a progress bar.
_LONG = 20
#: On a terminal this wide, in characters, there is room for where deliveries went.
_WIDE = 110


class ReplayTable:
    """Shows deliveries as they end.

    Args:
        planned: How many events there will be.
    """

    def __init__(self, planned: int) -> None:
        self._last: deque[Row] = deque(maxlen=_ROWS)
        self._failures: deque[Row] = deque(maxlen=_FAILURES)
        self._ended = 0
        self._planned = planned
        self._progress = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = self._progress.add_task("events", total=planned)
        self._live = LivePicture(self._picture)

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def add(self, row: Row) -> None:
        """Show a delivery, soon."""
        (self._last if row.expected else self._failures).append(row)
        self._ended += 1
        self._live.draw_soon()

    def note(self, text: str) -> None:
        """Show a line above the table, to stay there."""
        self._live.note(text)

    def stop(self) -> None:
        """Draw the last picture, which stays, and give the terminal back."""
        self._live.stop(self._picture())

    def _picture(self) -> RenderableType:
        wide = self._live.width >= _WIDE
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("", "time", "event", "status"):
            table.add_column(name, no_wrap=True)
        table.add_column("ms", justify="right", no_wrap=True)
        if wide:
            table.add_column("target", no_wrap=True)
        table.add_column("", overflow="fold")
        good = list(self._last)[max(0, len(self._failures) - _ROWS + len(self._last)) :]
        for row in [*good, *self._failures]:
            colour = "green" if row.expected else "red"
            table.add_row(
                Text("✓" if row.expected else "✗", style=colour),
                row.time,
                Text(row.event),
                Text(row.status, style=colour),
                f"{row.milliseconds:.1f}",
                *([Text(row.where)] if wide else []),
                Text(row.notes),
            )
        if self._planned <= _LONG:
            return table
        # An event that is duplicated on purpose has several deliveries.
        self._progress.update(self._bar, completed=min(self._ended, self._planned))
        return Group(table, self._progress)
