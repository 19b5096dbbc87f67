"""What is compared of a consumer's answers: the status and the body, without what differs by nature."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.checks.context import Answer, ResponseBaseline, comparable
from mockserver.model.messages import Exchange, ExchangeError, Response
from mockserver.model.records import Attempt, Delivery, Event
from tests.tables import each_row


def answered(body: bytes, *, status: int = 200, data: Mapping[str, object] | None = None) -> Answer | None:
    """What is compared of an answer to an event with this data."""
    return comparable(delivery(Exchange(Response(status, body=body)), data))


def delivery(exchange: Exchange | None, data: Mapping[str, object] | None = None) -> Delivery:
    payload = {"event": "run.failed", "timestamp": "2026-01-02T03:04:05Z", "data": data or {}}
    event = Event("run.failed", "2026-01-02T03:04:05Z", msgspec.json.encode(payload))
    attempts = () if exchange is None else (Attempt(1, 0.0, None, exchange),)
    return Delivery(1, event, "check", "http://127.0.0.1:1/", "PG001", attempts)


# ---------------------------------------------------------------- what is not compared


@each_row(
    ("one", "other"),
    [
        ("", ""),
        ("ok", "ok"),
        ("number 7", "number 12345"),
        ("it took 3.25 ms", "it took 11.7 ms"),
        ("at 2026-01-02T03:04:05Z", "at 2027-11-12T13:14:15.678Z"),
        ("id 1b4e28ba-2fa1-11d2-883f-0016d3cca427", "id 9c5b94b1-35ad-49bb-b118-8e8fc24abf80"),
        ("trace deadbeefcafe", "trace 0123456789ab"),
        ("DEADBEEF", "CAFEBABE"),
    ],
)
def test_what_changes_from_answer_to_answer_is_left_out(one: str, other: str) -> None:
    """Numbers, moments, and ids in hex are others each time, and say nothing of what the consumer did."""
    assert answered(one.encode()) == answered(other.encode())


@pytest.mark.parametrize("value", ["run_zz1y", "Case 7, as written", "x" * 70 + "1"])
def test_what_an_answer_repeats_of_the_event_is_left_out(value: str) -> None:
    """An id need not be in hex: what is in the event is known to be its own."""
    known = answered(f"took {value} now".encode(), data={"run_id": value})
    assert known == answered(b"took run_other9 now", data={"run_id": "run_other9"})


def test_a_value_that_another_one_begins_with_does_not_cut_that_one() -> None:
    """The longest are left out first; whichever comes first in the event."""
    for data in ({"a": "rx_7", "b": "rx_7y_zz"}, {"a": "rx_7y_zz", "b": "rx_7"}):
        assert answered(b"rx_7y_zz and rx_7", data=data) == Answer(200, b"# and #")


@given(st.lists(st.integers(min_value=0), min_size=2, max_size=2))
def test_any_two_numbers_look_alike(numbers: list[int]) -> None:
    """However long they are: a counter goes from one digit to two."""
    one, other = ({"number": number, "ok": True} for number in numbers)
    assert answered(msgspec.json.encode(one)) == answered(msgspec.json.encode(other))


# ---------------------------------------------------------------- what is


@each_row(
    ("one", "other"),
    [
        ("handled", "duplicate"),
        ("ok", "OK"),
        ("ok", ""),
        ("a number 7", "a number"),
        ('{"ok":true}', '{"ok":false}'),
        ("faded", "added"),  # words of few letters can be in hex by chance
        ("accepted run_abc", "ignored run_abc"),
    ],
)
def test_words_are_compared(one: str, other: str) -> None:
    """They say what the consumer did."""
    assert answered(one.encode()) != answered(other.encode())


@each_row(
    ("body", "value", "compared"),
    [(b"failed", "failed", b"failed"), (b"ok v1x", "v1x", b"ok v#x")],
)
def test_values_of_the_event_without_a_digit_and_short_ones_are_compared(
    body: bytes, value: str, compared: bytes
) -> None:
    """An answer ``failed`` says something; what is a letter or two is in every text by chance."""
    assert answered(body, data={"status": value}) == Answer(200, compared)


def test_the_status_is_compared() -> None:
    assert answered(b"ok") != answered(b"ok", status=202)


@each_row(
    "exchange",
    [
        None,
        Exchange(),
        Exchange(error=ExchangeError("closed", "the connection ended")),
        Exchange(Response(200, body=b"half"), ExchangeError("closed", "within the answer")),
    ],
)
def test_without_a_whole_answer_there_is_nothing_to_compare(exchange: Exchange | None) -> None:
    """Half an answer is none: how much of it came is chance."""
    assert comparable(delivery(exchange)) is None


# ---------------------------------------------------------------- baseline

NEW, OLD = Answer(200, b"handled"), Answer(200, b"duplicate")


@each_row(
    ("baseline", "told"),
    [
        (ResponseBaseline(NEW, OLD), True),
        (ResponseBaseline(Answer(200, b""), Answer(208, b"")), True),
        (ResponseBaseline(NEW, NEW), False),
        (ResponseBaseline(NEW, None), False),
        (ResponseBaseline(None, OLD), False),
        (ResponseBaseline(), False),
    ],
)
def test_duplicates_are_reported_where_both_answers_are_known_and_differ(
    baseline: ResponseBaseline, told: bool
) -> None:
    """Answers that differ each time show nothing."""
    assert baseline.reveals_duplicates is told
