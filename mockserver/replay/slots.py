"""Slots: so many attempts may be in flight at once, the others wait in line."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A counting limit that costs next to nothing while there is room, which is nearly always.

    Take a slot with ``slots.take() or await slots.turn()`` and give it back with :meth:`give_back`.

    Args:
        count: How many slots there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._line: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free and nobody waits for it; tell whether it was."""
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def turn(self) -> None:
        """Wait in line for a slot, and take it."""
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # the slot was handed over in the very moment of being cancelled
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a slot back: to the first in line, if there is one."""
        while self._line:
            first = self._line.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
