"""What deliveries do to the consumer, read by a probe: a number that grows with each event that was handled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from mockserver.delivery.event_loop import monotonic
from mockserver.model.wording import shown

#: Real seconds between two looks: at first, and after this many seconds.
_INTERVAL, _EAGER, _LONG_INTERVAL = 0.005, 0.2, 0.02
#: How long the first effect may take to show, in seconds.
_LONGEST = 3.0
#: A count that still changes this many seconds after the last delivery is changed by something else.
_RESTLESS = 8.0
#: The shortest wait to see that there is no effect, or no further one, in seconds.
_SHORTEST_SETTLING = 0.03
#: How long a count must rest before it counts as settled, in seconds.
_QUIET = 0.3
#: A queue that pauses for this many seconds does not double that any more.
_BACKED_OFF = 0.6
#: The most event types that are distinguished by their numbers.
_MOST_AT_ONCE = 4

#: Delivers one event of each of the types that it is given.
Deliver = Callable[[Sequence[str]], Awaitable[Any]]


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


def _pause_after(took: float) -> float:
    """How long a count must rest after a change that took this long: a queue that backs off doubles its pauses."""
    return max(2.5 * took if took < _BACKED_OFF else 1.5 * took, _QUIET)


class Mark(msgspec.Struct, frozen=True):
    """A reading of the count, from which a change is measured.

    Args:
        count: The count.
        aside: The effects so far of events that were delivered beside what is measured.
    """

    count: float
    aside: float


class Effects:
    """Reads the effects of deliveries, and knows how long to wait for them.

    Attributes:
        units: By how much the count grows with one event of each type that has an effect at all.
        patience: Seconds for which an effect is waited for.
        late: Whether effects come some time after the answer.
        stirred: Whether anything was delivered since the count was last seen to rest.
        aside: The effects of events that were delivered beside what is measured, such as controls.
        pace: Seconds that the slowest effect so far took.
    """

    def __init__(self, access: ConsumerAccess, within: float | None = None) -> None:
        self._access = access
        self.patience = _LONGEST if within is None else within
        self._within = within
        self.pace = 0.0
        self.late = False
        self.units: dict[str, float] = {}
        self.stirred = False
        self.aside = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a probe, and it has seen an effect."""
        return bool(self.units)

    @property
    def probed(self) -> bool:
        """Whether there is a probe."""
        return self._access.count is not None

    @property
    def quiet(self) -> float:
        """Seconds for which the count must stand still: longer than the slowest effect took."""
        settling = 1.2 * self.pace + _SHORTEST_SETTLING
        return settling if self._within is None else min(settling, max(self._within, _SHORTEST_SETTLING))

    def unit(self, event: str) -> float:
        """Return the effect of one event of a type; 0 if it has none that is known."""
        return self.units.get(event, 0.0)

    async def count(self) -> float:
        """Read the count; raises AccessError."""
        if self._access.count is None:
            raise AccessError("there is no probe")
        value = await self._access.count()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise AccessError(
                f"the probe must read a number that grows with each event, and read {shown(value)}{_hint(value)}"
            )
        return value

    async def mark(self) -> Mark:
        """Read the count when nothing of what was delivered before can change it any more; raises AccessError."""
        count = await self.count()
        if self.late and self.stirred:
            begun = monotonic()
            count = await self._at_rest(count, begun, begun + self.patience + _RESTLESS)
            self.stirred = False
        return Mark(count, self.aside)

    async def _at_rest(self, count: float, begun: float, deadline: float) -> float:
        """Wait until the count stands still for long enough, or the deadline has passed."""
        last = begun
        while (now := monotonic()) - last < self.quiet and now < deadline:
            await asyncio.sleep(_INTERVAL if now - begun < _EAGER else _LONG_INTERVAL)
            seen = await self.count()
            if seen != count:
                count, last = seen, monotonic()
                self._note_pace(last - begun)
        return count

    def _note_pace(self, took: float) -> None:
        if took > self.pace:
            self.pace = took
            if self._within is None:
                self.patience = max(3 * took, 1.0)

    async def learn_pace(self, before: Mark) -> bool:
        """Find out from the latest deliveries how long effects take to show, and wait for all of them.

        Raises AccessError.
        """
        begun = last_change = monotonic()
        first = count = await self.count()
        took = 0.0
        while (now := monotonic()) - last_change < (self.patience if count == before.count else _pause_after(took)):
            if now - begun >= self.patience + _RESTLESS:
                raise AccessError(
                    f"the count that the probe reads still grows after {_RESTLESS:g} s without a delivery"
                )
            await asyncio.sleep(_INTERVAL if now - begun < _EAGER else _LONG_INTERVAL)
            seen = await self.count()
            if seen != count:
                count, last_change = seen, monotonic()
                took = last_change - begun
        self.late, self.stirred = count != first, False
        if count == before.count:
            return False
        self.pace = took
        if self._within is None:
            self.patience = max(3 * took, 1.0)
        return True

    async def learn_units(self, events: Sequence[str], deliver: Deliver, *, at_once: bool) -> None:
        """Deliver valid events, and note by how much the count grows with one of each type, if it does."""
        self.units.clear()
        await self._learn_unit(events[0], deliver)
        rest = list(events[1:])
        if at_once and len(rest) in range(2, _MOST_AT_ONCE + 1) and await self._learned_at_once(rest, deliver):
            return
        for event in rest:
            await self._learn_unit(event, deliver)

    async def _learn_unit(self, event: str, deliver: Deliver) -> None:
        before = await self.mark()
        await deliver([event])
        change = await self._settled_change(before, lambda change: change != 0)
        if change:
            self.units[event] = change

    async def _learned_at_once(self, events: Sequence[str], deliver: Deliver) -> bool:
        """Deliver the first type once, the second twice, the third four times: the sum shows which have an effect."""
        unit = next(iter(self.units.values()), 0.0)
        if not unit:
            return False
        before = await self.mark()
        await deliver([event for place, event in enumerate(events) for _ in range(2**place)])
        most = (2 ** len(events) - 1) * unit
        times = await self._settled_change(before, lambda change: abs(change) >= abs(most)) / unit
        if times < 0 or times > 2 ** len(events) - 1 or times != int(times):
            return False
        self.units.update({event: unit for place, event in enumerate(events) if int(times) >> place & 1})
        return True

    async def change_since(self, before: Mark, expected: float) -> float:
        """Return by how much the count has grown once it has settled, without deliveries that are not measured."""
        return await self._settled_change(before, lambda change: abs(change) >= abs(expected))

    async def _settled_change(self, before: Mark, there: Callable[[float], bool]) -> float:
        """Wait until a change is there, but no longer than the patience lasts; then until the count stands still."""
        begun = monotonic()
        count = await self.count()
        while not there(self._change(before, count)) and (now := monotonic()) - begun < self.patience:
            await asyncio.sleep(_INTERVAL if now - begun < _EAGER else _LONG_INTERVAL)
            seen = await self.count()
            if seen != count:
                count = seen
                self._note_pace(monotonic() - begun)
        count = await self._at_rest(count, monotonic(), monotonic() + self.patience + _RESTLESS)
        self.stirred = False
        return self._change(before, count)

    def _change(self, before: Mark, count: float) -> float:
        return count - before.count - (self.aside - before.aside)
