"""Durations and timestamps as people and the vendor write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.quantities import format_duration, format_timestamp, parse_duration, parse_timestamp
from tests.tables import each_row


@each_row(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2),
        ("1m30s", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        (3, 3),
        (0.5, 0.5),
        ("3", 3),
        (" 2s ", 2),
        (0, 0),
    ],
)
def test_durations(text: float | str, seconds: float) -> None:
    """Each form of the design gives its seconds."""
    assert parse_duration(text) == seconds


@each_row(
    "text",
    [
        "",
        "s",
        "2x",
        "-2s",
        "2 s",
        "1s2",
        -1,
        True,
        None,
        [],
        "1e3s",
        float("nan"),
        float("inf"),
        10**400,
        "9" * 70,
        "11000d",
        "٣s",
    ],
)
def test_what_is_not_a_duration(text: Any) -> None:
    """Anything else is refused with a message."""
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@each_row(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0004, "0.4ms"),
        (0.25, "250ms"),
        (1.5, "1.5s"),
        (2, "2s"),
        (59.9995, "59.9995s"),
        (60.5, "1m0.5s"),
        (90, "1m30s"),
        (7200, "2h"),
        (90061, "1d1h1m1s"),
    ],
)
def test_durations_are_shown_as_they_are_written(seconds: float, text: str) -> None:
    """A reader sees the forms that the script uses."""
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@each_row(
    ("text", "seconds"),
    [
        ("2024-12-16T10:00:00Z", 1734343200),
        ("2024-12-16t10:00:00z", 1734343200),
        ("2024-12-16T11:00:00+01:00", 1734343200),
        ("2024-12-16T10:00:00", 1734343200),
        ("2024-12-16 10:00:00", 1734343200),
        ("2024-12-16", 1734307200),
        ("2024-12-16T10:00:00.5Z", 1734343200.5),
        ("2024-12-16T10:00:00.123456789Z", 1734343200.123456),
    ],
)
def test_timestamps(text: str, seconds: float) -> None:
    """ISO 8601 in its usual forms; without an offset it is UTC."""
    assert parse_timestamp(text) == pytest.approx(seconds, abs=1e-6)


@each_row(
    "text",
    [
        "",
        "now",
        "2024-13-01",
        "2024-02-30T00:00:00Z",
        "16.12.2024",
        5,
        None,
        "2024-12-16T25:00:00Z",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_what_is_not_a_timestamp(text: int | str | None) -> None:
    """Anything else is refused with an example of what is right."""
    with pytest.raises(ValueError, match="2024-12-16T10:00:00Z"):
        parse_timestamp(text)


@given(st.integers(0, 4_000_000_000))
def test_a_timestamp_is_read_as_it_was_written(second: int) -> None:
    """Writing and reading a whole second is exact, in the vendor's form."""
    text = format_timestamp(second)
    assert len(text) == 20
    assert text.endswith("Z")
    assert parse_timestamp(text) == second


def test_a_hair_below_a_second_is_that_second() -> None:
    """Adding up many steps must not show the second before."""
    assert format_timestamp(1734343199.9999998) == "2024-12-16T10:00:00Z"
    assert format_timestamp(1734343199.9) == "2024-12-16T09:59:59Z"
