"""What JSON in UTF-8 cannot hold is refused before anything is sent."""

import pytest

from mockserver.errors import UsageError
from mockserver.model.events import LARGEST_DATA, check_json
from tests.tables import each_row

ITSELF = []
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
def test_what_cannot_be_sent_is_refused(data, message):
    """By the place where it is."""
    with pytest.raises(UsageError, match=message):
        check_json(data)


def test_json_is_accepted():
    """Every kind of value, at the limits."""
    check_json({"a": [None, True, 2**64 - 1, -(2**63), 1.5, "é😀", {"é": ()}]})
