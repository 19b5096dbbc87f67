"""Faults as they are written: every form, every parameter with its limits, and errors that help."""

from __future__ import annotations

import contextlib
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mockserver.faults.registry import FAULTS, Faults, read_fault, read_faults, written
from mockserver.model.quantities import parse_size, show_size
from tests.tables import each_row

DAY = 86400.0

#: What may be written, and what it means: names with the values of their parameters.
GOOD = [
    ("wrong_secret", [("wrong_secret", {})]),
    (" wrong_secret ", [("wrong_secret", {})]),
    ({"wrong_secret": None}, [("wrong_secret", {})]),
    ([], []),
    (["lowercase_headers", {"slow_body": "1s"}], [("lowercase_headers", {}), ("slow_body", {"over": 1.0})]),
    ("slow_body", [("slow_body", {"over": 2.0})]),
    ("slow_body( 1m30s )", [("slow_body", {"over": 90.0})]),
    ("slow_body(over=250ms)", [("slow_body", {"over": 0.25})]),
    ({"slow_body": 3}, [("slow_body", {"over": 3.0})]),
    ({"slow_body": {"over": "2s"}}, [("slow_body", {"over": 2.0})]),
    ("slow_headers(1ms)", [("slow_headers", {"over": 0.001})]),
    ("slow_headers(1h)", [("slow_headers", {"over": 3600.0})]),
    ("large_body", [("large_body", {"size": 1_000_000})]),
    ("large_body(2MB)", [("large_body", {"size": 2_000_000})]),
    ("large_body(size = 64 KiB)", [("large_body", {"size": 65536})]),
    ({"large_body": 1}, [("large_body", {"size": 1})]),
    ("deep_nesting(1000000)", [("deep_nesting", {"depth": 1_000_000})]),
    ("missing_field", [("missing_field", {"field": None})]),
    ("missing_field(=)", [("missing_field", {"field": "="})]),
    ("missing_field(summary.turns_failed)", [("missing_field", {"field": "summary.turns_failed"})]),
    ({"null_field": {"field": "run_id"}}, [("null_field", {"field": "run_id"})]),
    ("wrong_content_type", [("wrong_content_type", {"type": "text/plain"})]),
    (
        "wrong_content_type(text/plain; charset=utf-8, x)",
        [("wrong_content_type", {"type": "text/plain; charset=utf-8, x"})],
    ),
    ("truncated_body", [("truncated_body", {"after": None})]),
    ("truncated_body(0)", [("truncated_body", {"after": 0})]),
    ("expect_continue(0)", [("expect_continue", {"within": 0.0})]),
    ("chunked(10)", [("chunked", {"chunks": 10})]),
    ("disconnect", [("disconnect", {"how": "close"})]),
    ({"disconnect": "reset"}, [("disconnect", {"how": "reset"})]),
    ("duplicate(3)", [("duplicate", {"times": 3})]),
    ("concurrent_duplicates(times=1000)", [("concurrent_duplicates", {"times": 1000})]),
    ("stale", [("stale", {"age": 3600.0})]),
    ("stale(400d)", [("stale", {"age": 400 * DAY})]),
]

#: What may not, and how the message goes on.
BAD = [
    (None, "a fault is the name of a fault such as wrong_secret, .*, not nothing"),
    (3, ".*, not 3"),
    ("", ".*, not ''"),
    ("x(", r".*, not 'x\('"),
    ("two words", ".*, not 'two words'"),
    ("x" * 100 + ")", r".*, not 'x{56}\.\.\."),
    ({}, ".*, not an empty object"),
    ({"lost": None, "stale": None}, ".*, not an object with the keys lost, stale"),
    ([["lost"]], ".*, not a list"),
    ("wrong_secrt", "unknown fault 'wrong_secrt'; known are missing_signature, .*; did you mean 'wrong_secret'"),
    ({"slow-body": 1}, "unknown fault 'slow-body'; .*; did you mean 'slow_body'"),
    ({4: 1}, "the key 4 is not text"),
    (["lost", "nothing"], "unknown fault 'nothing'"),
    ({"wrong_secret": 3}, "fault 'wrong_secret' has no parameters, so it takes no 3"),
    ("wrong_secret(x)", "fault 'wrong_secret' has no parameters, so it takes no 'x'"),
    ({"wrong_secret": {"times": 3}}, "fault 'wrong_secret' has no parameter 'times'; it takes none"),
    ({"slow_body": {"ovr": 3}}, "fault 'slow_body' has no parameter 'ovr'; it takes over; did you mean 'over'"),
    ("slow_body(after=1)", "fault 'slow_body' has no parameter 'after'; it takes over"),
    ("slow_body(soon)", "fault 'slow_body': over must be a duration such as 250ms or 2s, 1ms to 1h, not 'soon'"),
    ("slow_body(0)", ".* not 0$"),
    ("slow_body(61m)", ".* not '61m'"),
    ({"slow_body": {"over": None}}, ".* not nothing"),
    ({"slow_body": float("nan")}, ".* not nan"),
    ("large_body(0)", "fault 'large_body': size must be a size from 1 to 67108864 bytes, such as 2MB, .*, not 0"),
    ("large_body(65MiB)", ".* not '65MiB'"),
    ("large_body(1.5B)", r".* not '1\.5B'"),
    ({"large_body": 2.5}, ".* not 2.5"),
    ("deep_nesting(0)", "fault 'deep_nesting': depth must be a whole number from 1 to 1000000, not 0"),
    ("deep_nesting(99999999999999999999)", ".* not '99999999999999999999'"),
    ("duplicate(1)", "fault 'duplicate': times must be a whole number from 2 to 1000, not 1"),
    ("duplicate(2, 3)", ".* not '2, 3'"),
    (
        {"missing_field": " "},
        "fault 'missing_field': field must be a key or dotted path, such as run_id or .*, not ' '",
    ),
    ({"missing_field": 3}, ".* not 3"),
    ({"wrong_content_type": "a\r\nX: y"}, r"fault 'wrong_content_type': type must be printable ASCII .*, not 'a\\r"),
    ({"wrong_content_type": ""}, ".* not ''"),
    ("disconnect(rudely)", "fault 'disconnect': how must be close or reset, not 'rudely'"),
    ("stale(0)", "fault 'stale': age must be a duration such as 250ms or 2s, 1ms to .*, not 0"),
]


SCHEMA = jsonschema.Draft202012Validator(Faults().schema())


def test_every_form_is_read() -> None:
    """Names, calls, objects and lists of them mean the fault with a value for each parameter; the schema agrees."""
    for value, meaning in GOOD:
        assert [(chosen.name, dict(chosen.values)) for chosen in read_faults(value)] == meaning, value
        assert SCHEMA.is_valid(value), value


def test_what_is_wrong_is_said() -> None:
    """The message says what is wrong, what is allowed and what was probably meant."""
    for value, message in BAD:
        with pytest.raises(ValueError, match=message) as caught:
            read_faults(value)
        assert len(str(caught.value)) < 1200


def test_a_fault_is_written_as_it_can_be_read() -> None:
    """What reports show of a fault can be pasted into a script."""
    for name in FAULTS:
        chosen = read_fault(name)
        assert read_fault(written(chosen)) == chosen
        assert written(chosen).startswith(name)


def test_a_fault_is_written_with_its_parameter() -> None:
    """A reader of a report sees which value a parameter had."""
    assert written(read_fault("large_body(2MB)")) == "large_body(size=2MB)"
    assert written(read_fault("slow_body(1m30s)")) == "slow_body(over=1m30s)"
    assert written(read_fault("disconnect")) == "disconnect(how=close)"
    assert written(read_fault("missing_field")) == "missing_field"
    assert written(read_fault("missing_field(run_id)")) == "missing_field(field=run_id)"


@each_row(
    ("size", "text"),
    [(0, "0"), (1, "1"), (1000, "1kB"), (1024, "1KiB"), (2_000_000, "2MB"), (1 << 30, "1GiB"), (1500, "1500")],
)
def test_a_size_is_shown_in_its_unit(size: int, text: str) -> None:
    """The largest unit without a fraction; and it is read back as the same number."""
    assert show_size(size) == text
    assert parse_size(text) == size


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.sampled_from(list(FAULTS)),
        lambda inner: (
            some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(list(FAULTS)), inner, max_size=2)
        ),
    )
)
def test_anything_is_read_or_refused(value: Any) -> None:
    """No JSON value leads to anything but faults or a ValueError."""
    with contextlib.suppress(ValueError):
        faults = read_faults(value)
        assert read_faults([written(chosen) for chosen in faults]) == faults


def test_the_schema_refuses_what_an_editor_can_see() -> None:
    """Editors mark what the reader would refuse."""
    jsonschema.Draft202012Validator.check_schema(Faults().schema())
    for value in [3, None, "wrong secret", {"wrong_secret": 3}, {"slow_body": {"ovr": 1}}, {}, [["lost"]]]:
        assert not SCHEMA.is_valid(value), value
