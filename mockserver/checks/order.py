"""The checks of order: whatever order events come in, the end is the same. A failing order is made small."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import factorial
from typing import Any

import msgspec

from mockserver.checks.context import CheckContext, answer_of
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery, Event
from mockserver.model.wording import shown

# ---------------------------------------------------------------- orders and states

#: The places of events in the order in which they happened.
Order = tuple[int, ...]


def orders_to_try(length: int, most: int, seed: str) -> list[Order]:
    """Return orders that differ from the one in which things happened: the reverse first, then others by chance."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    in_order = tuple(range(length))
    orders = [in_order[::-1]]
    wanted = min(most, factorial(length) - 1)
    while len(orders) < wanted:  # by drawing lots: ten events have millions of orders
        other = tuple(chance.sample(in_order, length))
        if other not in (in_order, *orders):
            orders.append(other)
    return orders[:wanted]


def simpler(order: Order) -> Iterator[Order]:
    """Yield simpler orders than one that fails: with one event less, or with one pair the right way round."""
    for leave_out in range(len(order)):
        shorter = order[:leave_out] + order[leave_out + 1 :]
        if list(shorter) != sorted(shorter):
            yield shorter
    for at in range(len(order) - 1):
        if order[at] > order[at + 1]:
            swapped = (*order[:at], order[at + 1], order[at], *order[at + 2 :])
            if list(swapped) != sorted(swapped):
                yield swapped


def without(state: Any, values: Sequence[str]) -> Any:
    """Return a state with the values that belong to one run of events replaced by their places."""
    if isinstance(state, str):
        for place, value in enumerate(values):
            state = state.replace(value, f"<{place}>")
        return state
    if isinstance(state, dict):
        return {without(key, values): without(value, values) for key, value in state.items()}
    return [without(item, values) for item in state] if isinstance(state, list) else state


def differences(left: Any, right: Any, where: str = "$") -> dict[str, tuple[Any, Any]]:
    """Return in which places two states differ, with both values. The order of lists means nothing."""
    if isinstance(left, dict) and isinstance(right, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in {**left, **right}:
            found |= differences(left.get(key), right.get(key), f"{where}.{key}")
        return found
    return {} if _orderless(left) == _orderless(right) else {where: (left, right)}


def _orderless(value: Any) -> str:
    """A state as text in which neither the order of a list matters, nor that of keys, at any depth."""
    if isinstance(value, dict):
        pairs = (f"{key!r}:{_orderless(item)}" for key, item in value.items() if item is not None)
        return f"{{{','.join(sorted(pairs))}}}"
    if isinstance(value, list):
        return f"[{','.join(sorted(map(_orderless, value)))}]"
    whole = isinstance(value, float) and value.is_integer()
    return repr(int(value) if whole else value)


# ---------------------------------------------------------------- the checks

#: How many orders are tried, and where effects come late, so that each takes its time.
_TRIED, _TRIED_LATE = 8, 3

_ReadState = Callable[[str], Awaitable[Any]]


class _End(msgspec.Struct, frozen=True):
    """What became of a run of events.

    Args:
        deliveries: The deliveries, in the order in which they were made.
        change: By how much the count grew.
        state: The state of the object without what is its own; None where it is not read.
    """

    deliveries: tuple[Delivery, ...]
    change: float
    state: Any

    @property
    def refused(self) -> tuple[Delivery, ...]:
        return tuple(each for each in self.deliveries if not each.delivered)


class _Stories:
    """Runs of events about one object, each run about a new one."""

    def __init__(self, context: CheckContext, types: Sequence[str], read: _ReadState | None) -> None:
        self._read = read
        self._context = context
        self._types = types
        self.volatile: frozenset[str] = frozenset()

    async def deliver_all(self, orders: Sequence[Order]) -> list[_End] | None:
        """Deliver runs of events, each about an object of its own, and wait for the effects of all of them once."""
        context = self._context
        before = await context.effects.mark()
        if context.slow:
            runs = list(await asyncio.gather(*map(self._run, orders)))
        else:
            runs = [await self._run(order) for order in orders]
        each = sum(context.effects.unit(event) for event in self._types)
        change = await context.effects.change_since(before, each * len(orders))
        return [await self._end(*run, each) for run in runs] if change == each * len(orders) else None

    async def _run(self, order: Order) -> tuple[str, list[Event], list[Delivery]]:
        object_id, events = self._events()
        return object_id, events, [await self._context.deliver(events[place]) for place in order]

    async def _end(self, object_id: str, events: list[Event], deliveries: list[Delivery], change: float) -> _End:
        state = None if self._read is None else await self._read(object_id)
        own = [object_id, *(event.timestamp for event in events), *self._ids(events)]
        return _End(tuple(deliveries), change, without(state, own))

    async def deliver(self, order: Order, expected: float | None = None) -> _End:
        """Deliver a run of events in an order, and see what becomes of it."""
        context = self._context
        before = await context.effects.mark()
        object_id, events, deliveries = await self._run(order)
        wanted = sum(context.effects.units[self._types[at]] for at in order) if expected is None else expected
        change = await context.effects.change_since(before, wanted)
        return await self._end(object_id, events, deliveries, change)

    def _events(self) -> tuple[str, list[Event]]:
        context = self._context
        object_id = context.new_id(self._types[0])
        field = context.object_field(self._types[0])

        def mentions(data: dict[str, Any]) -> None:
            """Whatever else an event says of a run, it says of this one."""
            for key in data:
                if key.endswith(field):
                    data[key] = object_id

        events = []
        for event, moment in zip(self._types, context.moments(*self._types), strict=True):
            events.append(context.event(event, at=moment, change=mentions))
        return object_id, events

    def _ids(self, events: Sequence[Event]) -> list[str]:
        payloads = [msgspec.json.decode(event.payload) for event in events]
        return [payload["data"][self._context.object_field(payload["event"])] for payload in payloads]

    def difference(self, end: _End, ordered: _End) -> str:
        """Describe how an end differs from that of the same events in order; empty if it does not."""
        if end.refused and not ordered.refused:
            return f"{end.refused[0].event.type} {answer_of(end.refused[0])}"
        if end.change != ordered.change:
            return f"the effect is {end.change:g}, in order it is {ordered.change:g}"
        found = {
            where: values
            for where, values in differences(ordered.state, end.state).items()
            if where not in self.volatile
        }
        where, (left, right) = next(iter(found.items()), ("", (None, None)))
        return f"the state {where} is {shown(right)}, in order it is {shown(left)}" if found else ""


async def _order(context: CheckContext) -> Judgement:
    return await _compare_orders(context, None, "are handled alike")


async def _state_after_any_order(context: CheckContext) -> Judgement:
    if context.access.state is None:
        return Judgement("not tested", "needs --state, to see what became of an object")
    return await _compare_orders(context, context.access.state, "come to the same state")


async def _compare_orders(context: CheckContext, read: _ReadState | None, alike: str) -> Judgement:
    types = context.story()
    if len(types) < 2:
        return Judgement("not tested", "needs at least two event types that have an effect")
    stories = _Stories(context, types, read)
    in_order = tuple(range(len(types)))
    few = context.effects.late or context.slow
    orders = orders_to_try(len(types), _TRIED_LATE if few else _TRIED, f"order/{context.seed}")
    runs = await stories.deliver_all([in_order, in_order, *orders])
    if runs is None:
        return await _one_by_one(stories, types, orders, alike)
    ordered, again, *ends = runs
    if any(stories.difference(end, ordered) for end in (again, *ends)) or ordered.refused or again.refused:
        return await _one_by_one(stories, types, orders, alike)
    stories.volatile = frozenset(differences(ordered.state, again.state))
    return Judgement("pass", f"{len(types)} events in {len(orders) + 1} orders {alike}")


async def _one_by_one(stories: _Stories, types: Sequence[str], orders: Sequence[Order], alike: str) -> Judgement:
    """Deliver the stories again, each alone: its effect is its own."""
    in_order = tuple(range(len(types)))
    ordered, again = await stories.deliver(in_order), await stories.deliver(in_order)
    if ordered.refused or again.refused or ordered.change != again.change:
        refused = [*ordered.refused, *again.refused]
        why = f" ({refused[0].event.type} {answer_of(refused[0])})" if refused else ""
        return Judgement(
            "inconclusive", f"the events in order do not come to the same end twice{why}", tuple(refused[:3])
        )
    stories.volatile = frozenset(differences(ordered.state, again.state))
    for order in orders:
        end = await stories.deliver(order, ordered.change)
        difference = stories.difference(end, ordered)
        if difference:
            return await _smallest(stories, types, order, end, difference)
    return Judgement("pass", f"{len(types)} events in {len(orders) + 1} orders {alike}")


async def _smallest(stories: _Stories, types: Sequence[str], order: Order, end: _End, difference: str) -> Judgement:
    """Make a failing order simpler, as long as it still fails."""
    simpler_fails = True
    while simpler_fails:
        simpler_fails = False
        for candidate in simpler(order):
            ordered = await stories.deliver(tuple(sorted(candidate)))
            tried = await stories.deliver(candidate, ordered.change)
            why = stories.difference(tried, ordered)
            if why:
                order, end, difference, simpler_fails = candidate, tried, why, True
                break
    names = " before ".join(types[place] for place in order)
    return Judgement("fail", f"{names}: {difference}", end.refused[:1] + end.deliveries[:3])


_SENDS = "Events about one object in order, and in up to 8 other orders, each time about a new object."

ORDER_CHECKS = (
    Check(
        id="PG078",
        name="order",
        severity="must",
        level=1,
        sends=_SENDS,
        good="the same effect, and no event refused",
        why="No order is promised, and a retry arrives after everything else. A consumer that refuses an event"
        " because it does not know the object yet, or considers it finished, loses the event.",
        fix="accept events in any order: create what is not known yet, and allow for what is late",
        procedure=_order,
    ),
    Check(
        id="PG079",
        name="state_after_any_order",
        severity="must",
        level=1,
        sends=f"{_SENDS} The state of the object is read after each (--state).",
        good="the same state",
        why="A consumer that takes the last event to arrive for the latest one is wrong after the first retry, and"
        " stays wrong.",
        fix="compare timestamps before you overwrite a state",
        procedure=_state_after_any_order,
    ),
)
