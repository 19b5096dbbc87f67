"""Live tables on a terminal: the deliveries of a replay, and the checks with their verdicts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mockserver.checks.model import Check, Finding, Verdict
from mockserver.cli.output import Row

#: Seconds between two pictures.
_PERIOD = 0.1


class LivePicture:
    """Draws soon after something has changed; drawing costs the same however often that is."""

    def __init__(self, picture: Callable[[], RenderableType]) -> None:
        self._picture = picture
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def width(self) -> int:
        """The width of the terminal, in characters."""
        return self._console.size.width

    @property
    def height(self) -> int:
        """The height of the terminal, in lines."""
        return self._console.size.height

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def draw_soon(self) -> None:
        """Draw, in a moment."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._draw)

    def note(self, text: str, style: str = "") -> None:
        """Show a line above the picture, to stay there."""
        self._live.console.print(Text(text, style=style))

    def stop(self, last: RenderableType) -> None:
        """Draw the last picture, which stays, and give the terminal back."""
        if self._timer is not None:
            self._timer.cancel()
        self._live.update(last, refresh=True)
        self._live.stop()

    def _draw(self) -> None:
        self._timer = None
        self._live.update(self._picture(), refresh=True)


# ---------------------------------------------------------------- a replay

#: How many deliveries are shown, and how many of them may be failures.
_ROWS, _FAILURES = 12, 8
#: From this many planned events on there is a progress bar.
_LONG = 20
#: On a terminal this wide, in characters, there is room for where deliveries went.
_WIDE = 110


class ReplayTable:
    """Shows deliveries as they end."""

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


# ---------------------------------------------------------------- a check

#: Lines of the terminal that are left to others.
_SPARED = 4
#: The widths of the columns, in characters.
_VERDICT, _ID, _SEVERITY = 12, 5, 6
#: What was seen is shown where there is at least this much room for it, in characters.
_LEAST = 20
_SAYS_NOTHING = ("inconclusive", "not tested")


class LiveChecks:
    """Shows the checks around the one that is being made; in the end all that came to something."""

    def __init__(self, checks: Sequence[Check], colours: Mapping[Verdict, str]) -> None:
        self._checks = checks
        self._colours = colours
        self._title_width = max(len(check.title) for check in checks)
        self._found: dict[str, tuple[Finding, str]] = {}
        self._running = ""
        self._live = LivePicture(self._picture)

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()
        self._live.draw_soon()

    def begin(self, check: Check) -> None:
        """Show, soon, that a check is being made."""
        self._running = check.id
        self._live.draw_soon()

    def add(self, finding: Finding, summary: str) -> None:
        """Show a finding, soon."""
        self._found[finding.check.id] = (finding, summary)
        self._live.draw_soon()

    def note(self, text: str) -> None:
        """Show a line above the table, to stay there."""
        self._live.note(text, "bold red")

    def stop(self) -> None:
        """Draw the last picture, which stays, and give the terminal back."""
        self._live.stop(self._last_picture())

    def _picture(self) -> RenderableType:
        table = self._table()
        for check in self._visible():
            self._add_row(table, check, cut=True)
        done = f"{len(self._found)} of {len(self._checks)} checks made"
        return Group(table, Text(done, style="bold", no_wrap=True, overflow="ellipsis"))

    def _last_picture(self) -> RenderableType:
        table = self._table()
        for check in self._checks:
            if check.id in self._found and self._found[check.id][0].verdict not in _SAYS_NOTHING:
                self._add_row(table, check, cut=False)
        return table

    def _visible(self) -> Sequence[Check]:
        """As many checks as fit, the one that is being made in the lower half."""
        rows = max(self._live.height - _SPARED, 1)
        ids = [check.id for check in self._checks]
        running = ids.index(self._running) if self._running else 0
        first = max(min(running - rows * 2 // 3, len(ids) - rows), 0)
        return self._checks[first : first + rows]

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for width in (_VERDICT, _ID):
            table.add_column(no_wrap=True, min_width=width)
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=self._title_width if self._room else 0)
        if self._room:
            table.add_column(no_wrap=True, min_width=_SEVERITY)
            table.add_column(overflow="fold")
        return table

    def _add_row(self, table: Table, check: Check, *, cut: bool) -> None:
        finding, summary = self._found.get(check.id, (None, ""))
        running = finding is None and check.id == self._running
        if finding is not None:
            verdict = Text(finding.verdict, style=self._colours[finding.verdict])
        else:
            verdict = Text("... running" if running else "...", style="bold" if running else "dim")
        title = Text(check.title, style="bold" if running else "")
        seen = Text(summary)
        if cut:
            seen.truncate(self._room, overflow="ellipsis")
        table.add_row(verdict, check.id, title, *((check.severity, seen) if self._room else ()))

    @property
    def _room(self) -> int:
        """How many characters are left on a line for what was seen; 0 if it is not worth a column."""
        left = self._live.width - (_VERDICT + _ID + self._title_width + _SEVERITY + 5 * 2)
        return left if left >= _LEAST else 0
