"""Orders of events: which ones are tried, how they are made smaller, and how two states are compared."""

from __future__ import annotations

import random
from itertools import combinations
from math import factorial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.checks.order import Order, differences, orders_to_try, simpler, without
from tests.tables import each_row

LENGTHS = st.integers(min_value=0, max_value=6)
MOST = st.integers(min_value=1, max_value=12)
ORDERS = st.lists(st.integers(0, 9), unique=True, max_size=7).map(tuple)


def wrong_pairs(order: Order) -> int:
    """How many pairs are the wrong way round."""
    return sum(first > second for first, second in combinations(order, 2))


# ---------------------------------------------------------------- orders to try


@given(LENGTHS, MOST, st.text())
def test_orders_are_permutations_but_never_the_one_in_which_things_happened(length: int, most: int, seed: str) -> None:
    """All are different, as many as were asked for if there are; the reverse comes first; a seed repeats them."""
    orders = orders_to_try(length, most, seed)
    in_order = tuple(range(length))
    assert all(sorted(order) == list(in_order) and order != in_order for order in orders)
    assert len(set(orders)) == len(orders) == min(most, factorial(length) - 1)
    assert orders[:1] == [in_order[::-1]][: len(orders)]
    assert orders == orders_to_try(length, most, seed)


def test_many_events_have_a_few_orders_all_the_same() -> None:
    """Twelve events have half a billion orders: they are not all looked at, and another seed gives others."""
    orders = orders_to_try(12, 8, "seed")
    assert len(set(orders)) == 8
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert orders != orders_to_try(12, 8, "another")


# ---------------------------------------------------------------- simpler orders


@given(ORDERS)
def test_what_is_simpler_has_less_that_is_wrong_and_is_still_wrong(order: Order) -> None:
    """One event less, which come first, or one pair less the wrong way round; never an order that is right."""
    lengths = [len(candidate) for candidate in simpler(order)]
    assert lengths == sorted(lengths)
    for candidate in simpler(order):
        fewer = len(candidate) == len(order) - 1 and set(candidate) < set(order)
        righter = sorted(candidate) == sorted(order) and wrong_pairs(candidate) == wrong_pairs(order) - 1
        assert fewer or righter
        assert wrong_pairs(candidate) > 0


@given(ORDERS, st.data())
def test_to_go_on_with_what_is_simpler_comes_to_an_end(order: Order, data: st.DataObject) -> None:
    """Whichever is taken each time, in the end two events are left, the wrong way round."""
    steps = 0
    while candidates := list(simpler(order)):
        order = data.draw(st.sampled_from(candidates))
        steps += 1
        assert steps <= 7 + 7 * 6 // 2
    assert wrong_pairs(order) == 0 or (len(order) == 2 and wrong_pairs(order) == 1)


@each_row("order", [(), (0,), (0, 1, 2), (1, 0)])
def test_nothing_is_simpler_than_two_events_the_wrong_way_round(order: tuple[int, ...]) -> None:
    assert list(simpler(order)) == []


@pytest.mark.parametrize("pair", [(1, 0), (3, 0), (3, 2)])
def test_the_pair_that_matters_is_found(pair: tuple[int, ...]) -> None:
    """Where it is one pair the wrong way round that fails, the search ends with those two events and no other."""
    order: Order = (3, 2, 1, 0)

    def fails(tried: Order) -> bool:
        return set(pair) <= set(tried) and tried.index(pair[0]) < tried.index(pair[1])

    while found := next(filter(fails, simpler(order)), None):
        order = found
    assert order == pair


# ---------------------------------------------------------------- states

IDS = ("run_0001", "2026-01-02T03:04:05Z")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(VALUES, VALUES)
def test_to_compare_the_other_way_round_finds_the_same_places(left: Any, right: Any) -> None:
    there, back = differences(left, right), differences(right, left)
    assert there.keys() == back.keys()


def shuffled(state: Any, chance: random.Random) -> Any:
    """The same state with every list and every object in another order, at any depth."""
    if isinstance(state, dict):
        items = [(key, shuffled(value, chance)) for key, value in state.items()]
        return dict(chance.sample(items, len(items)))
    return chance.sample([shuffled(item, chance) for item in state], len(state)) if isinstance(state, list) else state


@given(VALUES, st.randoms(use_true_random=False))
def test_no_order_means_anything_at_any_depth(state: Any, chance: random.Random) -> None:
    """Rows that hold rows, and keys in the order in which they were set; what is not of a run stays as it is."""
    assert differences(state, shuffled(state, chance)) == {}
    assert without(state, IDS) == state


@each_row(
    ("left", "right", "found"),
    [
        (1, 2, {"$": (1, 2)}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {}),
        ({"a": 1}, {"a": 2, "b": 3}, {"$.a": (1, 2), "$.b": (None, 3)}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"$.a.b.c": (1, 2)}),
        ({"a": 1}, {}, {"$.a": (1, None)}),
        ({"a": None}, {}, {}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {}),
        ([1, 1, 2], [1, 2, 2], {"$": ([1, 1, 2], [1, 2, 2])}),
        ({"a": [1]}, {"a": {"b": 1}}, {"$.a": ([1], {"b": 1})}),
        ({"a": 1}, None, {"$": ({"a": 1}, None)}),
        (1, 1.0, {}),
    ],
)
def test_differences_are_reported_with_their_place(left: Any, right: Any, found: dict[str, Any]) -> None:
    assert differences(left, right) == found


@each_row(
    ("state", "expected"),
    [
        ("run_0001", "<0>"),
        ("run run_0001 at 2026-01-02T03:04:05Z, run_0001", "run <0> at <1>, <0>"),
        ({"run_0001": {"at": "2026-01-02T03:04:05Z"}}, {"<0>": {"at": "<1>"}}),
        ([["run_0001"], 7, None, True, "run_0002"], [["<0>"], 7, None, True, "run_0002"]),
    ],
)
def test_the_values_of_a_run_are_replaced_by_their_places(state: Any, expected: Any) -> None:
    """In texts, in keys, and however deep."""
    assert without(state, IDS) == expected


def test_two_runs_that_come_to_the_same_look_alike() -> None:
    def state(run: str, at: str) -> Any:
        return {"runs": [{"id": run, "history": [f"{at} failed"]}], "latest": at}

    other = ("run_9999", "2027-01-02T03:04:05Z")
    assert differences(without(state(*IDS), IDS), without(state(*other), other)) == {}
    assert differences(without(state(*IDS), IDS), without(state(*other), IDS)).keys() == {"$.runs", "$.latest"}
