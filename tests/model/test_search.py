"""The search language: what each term matches, what is refused, and why the nearest miss is one."""

from typing import Any

import pytest

from mockserver.errors import UsageError
from mockserver.model.messages import Exchange, ExchangeError, Request, Response
from mockserver.model.records import Attempt, Delivery, Event, Outcome
from mockserver.model.search import KEYS, nearest_misses, read_search
from mockserver.model.targets import Target
from tests.tables import each_row

KNOWN = {"event": ("run.failed", "run.completed", "evaluation.completed"), "fault": ("wrong_secret", "slow_body")}


def delivery(
    number: int,
    event: str = "run.failed",
    statuses: tuple[Any, ...] = (200,),
    faults: tuple[Any, ...] = (),
    body: str = "",
    answer: str = "ok",
    took: float = 5.0,
    source: str = "send",
    **fields: Any,
) -> Delivery:
    """A delivery with an attempt for each status; None is an attempt without an answer."""
    payload = f'{{"event": "{event}", "data": {{"text": "{body}"}}}}'.encode()
    attempts = tuple(
        Attempt(
            index,
            0.0,
            Request(Target.parse("http://127.0.0.1:3000/hooks"), b"", payload),
            Exchange(Response(status, body=answer.encode()), total_ms=took)
            if status
            else Exchange(error=ExchangeError("timeout", "no answer within 5s"), total_ms=took),
        )
        for index, status in enumerate(statuses, 1)
    )
    outcome: Outcome = "delivered" if statuses and statuses[-1] and statuses[-1] < 300 else "failed"
    return Delivery(
        number, Event(event, "2024-12-16T10:00:00Z", payload), f"wh_abc00{number}", "http://127.0.0.1:3000/hooks",
        source, attempts, outcome, faults=faults, **fields,
    )  # fmt: skip


DELIVERIES = (
    delivery(1),
    delivery(2, statuses=(503, 401), faults=("wrong_secret",), source="refund_flow.yaml:4", took=900),
    delivery(3, "run.completed", statuses=(None,), unmet=("expected status 2xx, got no answer",)),
    delivery(4, "evaluation.completed", body="Größe: refund flow", answer="Thanks", source="resend of dlv_000001"),
)


def found(text: str) -> list[int]:
    """The numbers of the deliveries that a search finds."""
    search = read_search(text, KNOWN)
    return [each.number for each in DELIVERIES if search.matches(each)]


@each_row(
    ("text", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("  ", [1, 2, 3, 4]),
        ("event:run.failed", [1, 2]),
        ("event:run.*", [1, 2, 3]),
        ("event:run.completed,evaluation.completed", [3, 4]),
        ("status:401", [2]),
        ("status:2xx,4XX", [1, 2, 4]),
        ("status:>=400", [2]),
        ("status:none", [3]),
        ("is:failed", [2, 3]),
        ("is:unmet,resent", [3, 4]),
        ("-is:failed", [1, 4]),
        ("fault:wrong_secret", [2]),
        ("-fault:*", [1, 3, 4]),
        ("webhook:wh_abc003", [3]),
        ("url:LOCALHOST", []),
        ("url::3000/hooks", [1, 2, 3, 4]),
        ("attempts:>1", [2]),
        ("attempts:1", [1, 3, 4]),
        ("took:>500ms", [2]),
        ("error:timeout", [3]),
        ("source:refund_flow", [2]),
        ("id:dlv_000004", [4]),
        ("REFUND", [4]),
        ('"refund flow"', [4]),
        ('-"refund flow" is:delivered', [1]),
        ("Größe", [4]),
        ("thanks", [4]),
        ('"a \\"quoted\\" word"', []),
        ("event:run.failed is:failed status:4xx", [2]),
    ],
)
def test_what_is_found(text: str, numbers: list[int]) -> None:
    """Every term must match; a minus turns one round."""
    assert found(text) == numbers


@each_row(
    ("text", "message"),
    [
        ("evnt:run.failed", "did you mean 'event'"),
        ("http://x", 'quote it: "http://x"'),
        ("event:run.faild", "did you mean 'run.failed'"),
        ("fault:wrong_secrets", "did you mean 'wrong_secret'"),
        ("is:fialed", "did you mean 'failed'"),
        ("status:600", "a status is 401"),
        ("attempts:>x", "a number of attempts"),
        ("took:>soon", "is not a duration"),
        ('"open', "a quote is not closed"),
        ("-", "nothing after the minus"),
        ("event:,", "name event"),
        ("x" * 3000, "at most 2000 characters"),
        ("x " * 60, "at most 50 terms"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """A typing error is an error, never an empty list."""
    with pytest.raises(UsageError) as refused:
        read_search(text, KNOWN)
    assert message in str(refused.value)


def test_the_nearest_misses() -> None:
    """Those that fail the fewest terms come first, each with what it is instead."""
    search = read_search("event:run.failed status:4xx -fault:wrong_secret", KNOWN)
    nearest = nearest_misses(search, DELIVERIES)
    assert [miss.delivery.number for miss in nearest] == [2, 1, 4]
    assert nearest[0].reasons == ("-fault:wrong_secret: its faults are wrong_secret",)
    assert nearest[1].reasons == ("status:4xx: its status is 200",)
    (nearest_body, *_) = nearest_misses(
        read_search("nowhere -refund event:evaluation.completed", KNOWN), DELIVERIES[3:]
    )
    assert nearest_body.reasons == ("nowhere: no body has it", "-refund: a body has it")


def test_each_documented_key_is_one() -> None:
    """The examples that users are shown can be read."""
    for example, _ in KEYS.values():
        assert read_search(example).terms
