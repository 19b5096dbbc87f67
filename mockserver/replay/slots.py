"""How many attempts may be in flight at once."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """Slots, first come, first served: a semaphore whose free slots are taken without a coroutine.

    ``asyncio.Semaphore`` takes a tenth of all the time that a delivery costs us.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_free(self) -> bool:
        """Take a slot, if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a slot when one is given back."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the slot came at that very moment: the next one gets it
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a slot back: to the first waiter, if any."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():  # done: cancelled
                waiter.set_result(None)
                return
        self._free += 1
