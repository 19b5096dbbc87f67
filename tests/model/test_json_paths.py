"""JSONPath: what is found, and what is refused because it might never end."""

import contextlib

import pytest

from mockserver.model.json_values import check_path, find_all
from tests.tables import each_row

DOCUMENT = {"orders": [{"id": 1, "state": "paid"}, {"id": 2, "state": "open"}], "count": 2}


@each_row(
    ("path", "found"),
    [
        ("$", [DOCUMENT]),
        ("$.count", [2]),
        ("$.orders[?@.state == 'paid'].id", [1]),
        ("$..id", [1, 2]),
        ("$.orders[?(@.state != '$..a..b')].id", [1, 2]),
        ("$.nothing", []),
    ],
)
def test_values_are_found(path, found):
    """By key, by filter, at any depth."""
    assert find_all(path, DOCUMENT) == found


@each_row(
    ("path", "why"),
    [
        ("$.a[?match(@.b, '(a+)+$')]", r"\w"),
        ("$.a[?search(@.b, '(a+)+$')]", r"\w"),
        ("$.a[?@.b =~ /(a+)+$/]", "regular expressions are not allowed"),
        ("$..a..b", "only one"),
        ("$..[?@..a]", "only one"),
        ("$[*][?$[*].a]", "at the beginning only"),
        ("$." + "a." * 600, "at most 1000 characters"),
        ("$[?" + "(" * 900, r"\w"),
        ("$[", r"\w"),
    ],
)
def test_what_might_never_end_is_refused(path, why):
    """Before anything is sent."""
    with pytest.raises(ValueError, match=why):
        check_path(path)


def test_a_deep_answer_is_no_crash():
    """The answer is the consumer's: however deep, it is searched or refused."""
    deep = []
    for _ in range(900):
        deep = [deep]
    with contextlib.suppress(ValueError):
        assert find_all("$..x", deep) == []
