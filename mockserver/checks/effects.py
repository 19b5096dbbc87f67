"""What deliveries do to the consumer, read by a probe: a number that grows with each event that was handled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mockserver.delivery.real_time import monotonic
from mockserver.model.plain_text import shown

#: Real seconds between two looks.
_INTERVAL = 0.005
#: How long the first effect may take to show, in seconds.
_LONGEST = 3.0
#: A count that still changes this many seconds after the last delivery is changed by something else.
_RESTLESS = 8.0
#: How long is waited at least to see that there is no effect, or no further one, in seconds.
_SHORTEST_SETTLING = 0.03
#: How long a count must rest at least, in seconds, until it is taken to have settled.
_QUIET = 0.1


class AccessError(Exception):
    """The consumer's state cannot be read, or it cannot be made to fail; the message says why."""


class ConsumerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a consumer beside its URL. Each may be missing.

    Args:
        count: Reads a number that grows with each event that is handled.
        state: Reads the state of one object, given its id: any JSON value.
        fail_once: Makes the consumer fail at the next event that it handles.

    All of them raise AccessError when they do not work.
    """

    count: Callable[[], Awaitable[Any]] | None = None
    state: Callable[[str], Awaitable[Any]] | None = None
    fail_once: Callable[[], Awaitable[None]] | None = None


def in_words(change: float, unit: float) -> str:
    """Say how many effects a change of the count is: ``no effect``, ``2 effects``."""
    return "no effect" if change == 0 else f"{change / unit:g} effects"


def _hint(value: Any) -> str:
    """How to read a number, where there is one in an answer."""
    fields = value.items() if isinstance(value, dict) else ()
    names = [name for name, field in fields if isinstance(field, (int, float)) and not isinstance(field, bool)]
    return f"; --probe-json '$.{names[0]}' reads a number in it" if names and str(names[0]).isidentifier() else ""


class Effects:
    """Reads the effects of deliveries, and knows how long to wait for them.

    Args:
        access: How the consumer is read.
        within: Seconds that an effect may take to show; None to learn it from the first one.

    Attributes:
        units: By how much the count grows with one event of each type that has an effect at all.
        patience: Seconds for which an effect is waited for.
        late: Whether effects come some time after the answer.
        stirred: Whether anything was delivered since the count was last seen to rest.
    """

    def __init__(self, access: ConsumerAccess, within: float | None = None) -> None:
        self._access = access
        self.patience = _LONGEST if within is None else within
        self._settling = _LONGEST if within is None else within
        self._within = within
        self.late = False
        self.units: dict[str, float] = {}
        self.stirred = False

    @property
    def known(self) -> bool:
        """Whether there is a probe, and it has seen an effect."""
        return bool(self.units)

    @property
    def probed(self) -> bool:
        """Whether there is a probe."""
        return self._access.count is not None

    async def count(self) -> float:
        """Read the count.

        Raises:
            AccessError: It cannot be read, or is not a number.
        """
        if self._access.count is None:
            raise AccessError("there is no probe")
        value = await self._access.count()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise AccessError(
                f"the probe must read a number that grows with each event, and read {shown(value)}{_hint(value)}"
            )
        return value

    async def settled_count(self) -> float:
        """Read the count when nothing of what was delivered before can change it any more.

        Raises:
            AccessError: It cannot be read.
        """
        count = await self.count()
        if not (self.late and self.stirred):
            return count
        deadline = monotonic() + self.patience + _RESTLESS
        while monotonic() < deadline:
            await asyncio.sleep(self._settling)
            before, count = count, await self.count()
            if count == before:
                break
        self.stirred = False
        return count

    async def learn_pace(self, before: float) -> bool:
        """Find out how long effects take to show, from deliveries that were made just now, and wait for all of them.

        Args:
            before: The count before those deliveries.

        Returns:
            Whether there was any effect.

        Raises:
            AccessError: The count does not come to rest.
        """
        begun = last_change = monotonic()
        first = count = await self.count()
        took = 0.0
        while (now := monotonic()) - last_change < (self.patience if count == before else max(took, _QUIET)):
            if now - begun >= self.patience + _RESTLESS:
                raise AccessError(
                    f"the count that the probe reads still grows after {_RESTLESS:g} s without a delivery"
                )
            await asyncio.sleep(_INTERVAL)
            seen = await self.count()
            if seen != count:
                count, last_change = seen, monotonic()
                took = last_change - begun
        self.late, self.stirred = count != first, False
        if count == before:
            return False
        settling = 2 * took + _SHORTEST_SETTLING
        if self._within is None:
            self.patience, self._settling = max(3 * took, 1.0), settling
        else:
            self._settling = min(settling, self._within)
        return True

    async def learn_unit(self, event: str, deliver: Callable[[], Awaitable[Any]]) -> None:
        """Deliver one valid event, and note by how much the count grows; nothing is noted if it does not.

        Args:
            event: Its type.
            deliver: Makes the delivery.
        """
        before = await self.settled_count()
        await deliver()
        change = await self._settled_change(before, lambda change: change != 0)
        if change:
            self.units[event] = change

    async def change_since(self, before: float, expected: float) -> float:
        """Return by how much the count has grown when it has settled.

        Args:
            before: The count before.
            expected: The growth that is right: it is waited for, and then a moment longer, for any more.
        """
        return await self._settled_change(before, lambda change: abs(change) >= abs(expected))

    async def _settled_change(self, before: float, there: Callable[[float], bool]) -> float:
        """Wait until a change is there, but no longer than the patience lasts; then a moment longer, for any more."""
        deadline = monotonic() + self.patience
        # The consumer's state can only be asked for, again and again.
        while not there(await self.count() - before) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_INTERVAL)
        await asyncio.sleep(self._settling)
        self.stirred = False
        return await self.count() - before
