"""What answers alone come to: pure judgements of deliveries that were made."""

from __future__ import annotations

from mockserver.checks.context import Made, Variant
from mockserver.checks.experiments import judge_accepted, judge_endured, named
from mockserver.model.messages import Exchange, ExchangeError, Response
from mockserver.model.records import Attempt, Delivery, Event, Outcome
from tests.tables import each_row


def made(label: str, status: int) -> Made:
    """A delivery that got this answer; none if the status is 0."""
    exchange = Exchange(Response(status)) if status else Exchange(error=ExchangeError("closed", "it hung up"))
    outcome: Outcome = "delivered" if 200 <= status < 300 else "failed"
    event = Event("run.failed", "2026-01-02T03:04:05Z", b"{}")
    attempts = (Attempt(1, 0.0, None, exchange),)
    return Variant(label), Delivery(1, event, "check", "http://127.0.0.1:1/", "PG001", attempts, outcome)


def many(*statuses: int) -> list[Made]:
    return [made("abcdefgh"[number], status) for number, status in enumerate(statuses)]


@each_row(
    ("deliveries", "summary"),
    [
        (many(401), "answered 401: a"),
        (many(401, 401, 500, 0), "answered 401: a, b; answered 500: c; gave no answer (it hung up): d"),
        (many(401, 401, 401, 401), "answered 401: a, b, c, d"),
        (many(401, 401, 401, 401, 401, 401), "answered 401: a, b, c, d and 2 more"),
        ([made("a", 401), made("a", 401)], "answered 401: a"),
    ],
)
def test_answers_are_named_once_each_with_at_most_four_deliveries(deliveries: list[Made], summary: str) -> None:
    """In the order in which they came; the rest is counted."""
    assert named(deliveries) == summary


@each_row(
    ("deliveries", "verdict", "summary", "evidence"),
    [
        (many(200, 204), "pass", "accepted: a, b", [0]),
        ([made("a", 200), made("a", 200)], "pass", "accepted: a", [0]),
        (many(401), "fail", "answered 401: a", [0]),
        (many(200, 401, 204), "fail", "answered 401: b; accepted: a, c", [1]),
        ([made("a", 200), made("a", 500)], "fail", "answered 500: a", [1]),
        (many(*[400] * 6), "fail", "answered 400: a, b, c, d and 2 more", [0, 1, 2, 3]),
    ],
)
def test_what_must_be_accepted(deliveries: list[Made], verdict: str, summary: str, evidence: list[int]) -> None:
    """All of it; what was refused even once does not count as accepted."""
    judgement = judge_accepted(deliveries)
    assert (judgement.verdict, judgement.summary) == (verdict, summary)
    assert judgement.evidence == tuple(deliveries[each][1] for each in evidence)


@each_row(
    ("groups", "verdict", "summary", "evidence"),
    [
        ([many(400), [made("b", 200)]], "pass", "a 400, b 200", [(0, 0)]),
        ([many(199)], "fail", "answered 199: a: senders retry a 5xx, and it never gets better", [(0, 0)]),
        (
            [many(499), [made("b", 500)]],
            "fail",
            "answered 500: b: senders retry a 5xx, and it never gets better",
            [(1, 0)],
        ),
        ([many(0)], "fail", "gave no answer (it hung up): a", [(0, 0)]),
        (
            [[made("a", 400), made("a", 503), made("a", 500)], [made("b", 500)]],
            "fail",
            "answered 503: a; answered 500: b: senders retry a 5xx, and it never gets better",
            [(0, 1), (1, 0)],
        ),
        (
            [[made("a", 400), made("a", 400)], [made("b", 400), made("b", 200)]],
            "fail",
            "b: answered 400, 200 to the same thing",
            [(1, 0), (1, 1)],
        ),
    ],
)
def test_what_may_be_refused_but_must_not_break_the_consumer(
    groups: list[list[Made]], verdict: str, summary: str, evidence: list[tuple[int, ...]]
) -> None:
    """No 5xx, no missing answer, and the same answer each time; the first delivery of each kind is the evidence."""
    judgement = judge_endured(groups)
    assert (judgement.verdict, judgement.summary) == (verdict, summary)
    assert judgement.evidence == tuple(groups[group][at][1] for group, at in evidence)
