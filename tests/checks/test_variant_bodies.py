"""Bodies as other languages write them: what the diagnosis signs must be what such a consumer signs."""

from __future__ import annotations

import pytest

from mockserver.checks.signature_variants import javascript_json, sorted_javascript_json


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1.0, "a": [2.0, {"c": 3.5}]}, '{"b":1,"a":[2,{"c":3.5}]}'),
        ({"b": True, "a": None}, '{"b":true,"a":null}'),
        (["é", -0.5], '["é",-0.5]'),
    ],
)
def test_javascript_has_one_kind_of_numbers(value: object, written: str) -> None:
    """A float that is a whole number is written as one, at any depth."""
    assert javascript_json(value) == written
    assert sorted_javascript_json({"b": value, "a": 1.0}) == f'{{"a":1,"b":{sorted_javascript_json(value)}}}'
