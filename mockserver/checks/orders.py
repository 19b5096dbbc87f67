"""Orders of events: which ones are tried, and how one that fails is made as small as it can be."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import factorial
from typing import Any

#: The places of events in the order in which they happened.
Order = tuple[int, ...]


def orders_to_try(length: int, most: int, seed: str) -> list[Order]:
    """Return orders that differ from the one in which things happened: the reverse first, then others by chance.

    Args:
        length: How many events there are.
        most: How many orders to return at most.
        seed: Makes the choice repeatable.
    """
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
    """Give what is simpler than an order that fails: with one event less, or with one pair the right way round.

    Args:
        order: The order. An event that is not in it does not happen at all.

    Yields:
        Orders that still have something the wrong way round, the simplest first.
    """
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
    """Return a state with the values that belong to one run of events replaced by their places.

    Args:
        state: A JSON value.
        values: The ids and timestamps of the run; the same place has the same meaning in every run.
    """
    if isinstance(state, str):
        for place, value in enumerate(values):
            state = state.replace(value, f"<{place}>")
        return state
    if isinstance(state, dict):
        return {without(key, values): without(value, values) for key, value in state.items()}
    return [without(item, values) for item in state] if isinstance(state, list) else state


def differences(left: Any, right: Any, where: str = "$") -> dict[str, tuple[Any, Any]]:
    """Return in which places two states differ, with both values. The order of lists means nothing.

    Args:
        left: A JSON value.
        right: Another one.
        where: How the place is named.
    """
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
