"""Events: what JSON cannot hold is refused before anything is sent; a wrong place in override or remove is an error."""

from typing import Any

import pytest

from mockserver.errors import UsageError
from mockserver.model.events import LARGEST_DATA, PathError, change_sample, check_json
from tests.tables import each_row

ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@each_row(
    ("data", "message"),
    [
        ({"\udfaa": 1}, r"data has the key '\\udfaa', which holds half of a surrogate pair"),
        ({"a": ["\ud800"]}, r"data\.a\[0\] holds half of a surrogate pair"),
        ({1: 1}, "data has the key 1: keys of JSON objects are strings"),
        ({"a": float("nan")}, r"data\.a is nan"),
        ({"a": 10**5000}, r"data\.a does not fit in 64 bits"),
        ({"a": {1}}, r"data\.a is a set, which is not JSON"),
        ({"a": ITSELF}, "nested more than 200 levels deep, or holds itself"),
        ({"a": ["x" * (LARGEST_DATA // 4)] * 5}, "too large: an event has at most 16 MiB"),
    ],
)
def test_what_cannot_be_sent_is_refused(data: dict[Any, Any], message: str) -> None:
    """By the place where it is."""
    with pytest.raises(UsageError, match=message):
        check_json(data)


def test_json_is_accepted() -> None:
    """Every kind of value, at the limits."""
    check_json({"a": [None, True, 2**64 - 1, -(2**63), 1.5, "é😀", {"é": ()}]})


SAMPLE = {"run_id": "run_1", "summary": {"passed": 3, "failed": 0}, "turns": [{"ok": True}, {"ok": False}], "a.b": 1}


@each_row(
    ("override", "remove", "changed"),
    [
        ({"run_id": "run_2"}, [], {"run_id": "run_2"}),
        ({"summary.failed": 1}, [], {"summary": {"passed": 3, "failed": 1}}),
        ({"summary": {"failed": 1}}, [], {"summary": {"passed": 3, "failed": 1}}),
        ({"summary": None}, [], {"summary": None}),
        ({"summary": [1]}, [], {"summary": [1]}),
        ({"turns.1.ok": True}, [], {"turns": [{"ok": True}, {"ok": True}]}),
        ({"turns.1": "x"}, [], {"turns": [{"ok": True}, "x"]}),
        ({"a.b": 2}, [], {"a.b": 2}),
        ({"run_id": {"new": "object"}}, [], {"run_id": {"new": "object"}}),
        ({}, ["summary.failed"], {"summary": {"passed": 3}}),
        ({}, ["turns.0"], {"turns": [{"ok": False}]}),
    ],
)
def test_places_are_changed(override: dict[str, Any], remove: list[str], changed: dict[str, Any]) -> None:
    """Only the named places differ; objects are merged, anything else is replaced; the sample stays as it is."""
    before = repr(SAMPLE)
    assert change_sample(SAMPLE, override, remove) == {**SAMPLE, **changed}
    assert repr(SAMPLE) == before


def test_removing_a_key() -> None:
    """A key can be taken away."""
    assert "run_id" not in change_sample(SAMPLE, {}, ["run_id"])


@each_row(
    ("override", "remove", "message"),
    [
        (
            {"run_di": 1},
            [],
            "no 'run_di' in the sample data; there are run_id, summary, turns, a.b; did you mean 'run_id'?",
        ),
        ({"summary.fialed": 1}, [], "no 'fialed' in 'summary'; there are passed, failed; did you mean 'failed'?"),
        ({"summary": {"x": 1}}, [], "no 'x' in 'summary'; there are passed, failed"),
        ({"turns.2.ok": 1}, [], "no '2' in 'turns'; there are 0, 1"),
        ({"turns.-1": 1}, [], "no '-1' in 'turns'"),
        ({"run_id.x": 1}, [], "no 'run_id.x' in the sample data: 'run_id' is a single value or empty"),
        ({}, ["nothing"], "no 'nothing' in the sample data"),
    ],
)
def test_a_place_that_does_not_exist(override: dict[str, Any], remove: list[str], message: str) -> None:
    """The error says what there is and what was probably meant."""
    with pytest.raises(PathError) as caught:
        change_sample(SAMPLE, override, remove)
    assert message in str(caught.value)
