"""The live table of a replay on a terminal: the last deliveries, and how far it has come."""

from __future__ import annotations

import asyncio
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mockserver.cli.printing import colour_of, milliseconds_of, status_of, time_of
from mockserver.model.plain_text import one_line
from mockserver.model.records import Delivery

#: Seconds between two pictures.
_PERIOD = 0.1
#: How many deliveries are shown.
_ROWS = 12
#: From so many planned events on there is a progress bar.
_LONG = 20


class LiveTable:
    """Shows deliveries as they end. Drawing costs the same however many there are.

    Args:
        planned: How many events there will be.
    """

    def __init__(self, planned: int) -> None:
        self._last: deque[Delivery] = deque(maxlen=_ROWS)
        self._ended = 0
        self._planned = planned
        self._progress = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = self._progress.add_task("events", total=planned)
        self._live = Live(console=Console(), auto_refresh=False)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def add(self, delivery: Delivery) -> None:
        """Show a delivery, soon."""
        self._last.append(delivery)
        self._ended += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._draw)

    def note(self, text: str) -> None:
        """Show a line above the table, to stay there."""
        self._live.console.print(Text(text))

    def stop(self) -> None:
        """Draw the last picture, which stays, and give the terminal back."""
        self._draw()
        self._live.stop()

    def _draw(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # An event that is duplicated on purpose has several deliveries.
        self._progress.update(self._bar, completed=min(self._ended, self._planned))
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> RenderableType:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("time", "event", "target"):
            table.add_column(name, no_wrap=True)
        table.add_column("status", no_wrap=True)
        table.add_column("ms", justify="right", no_wrap=True)
        for delivery in self._last:
            table.add_row(
                time_of(delivery),
                Text(one_line(delivery.event.type)),
                Text(one_line(delivery.url)),
                Text(status_of(delivery), style=colour_of(delivery)),
                f"{milliseconds_of(delivery):.1f}",
            )
        return Group(table, self._progress) if self._planned > _LONG else table
