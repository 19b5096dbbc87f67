"""A picture on the terminal that is drawn anew now and then: the table of a replay, and that of a check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

#: Seconds between two pictures.
_PERIOD = 0.1


class LivePicture:
    """Draws soon after something has changed; drawing costs the same however often that is.

    Args:
        picture: Makes the picture.
    """

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
