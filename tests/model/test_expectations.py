"""Expectations: what a consumer must answer, and sentences on how its answer differs."""

from mockserver.model.expectations import BodyExpectation, Effect, Expectation, default_status, judge, matches_status
from mockserver.model.messages import Exchange, ExchangeError, Response
from mockserver.model.records import Attempt, Delivery, Event, Outcome
from tests.tables import each_row


def delivery(*exchanges: Exchange) -> Delivery:
    """A delivery with these exchanges, as the dispatcher leaves it."""
    attempts = tuple(Attempt(number, 0.0, None, exchange) for number, exchange in enumerate(exchanges, 1))
    outcome: Outcome = "delivered" if attempts and attempts[-1].delivered else "failed"
    return Delivery(1, Event("run.failed", "", b"{}"), "wh_abc123", "http://a/", "x", attempts, outcome)


def answered(
    status: int = 200, body: bytes = b"", headers: list[tuple[str, str]] | tuple[()] = (), ms: float = 10.0
) -> Exchange:
    return Exchange(Response(status, headers=tuple(headers), body=body), total_ms=ms)


REFUSED = Exchange(error=ExchangeError("connect", "nothing listens"))
BROKEN = Exchange(Response(200, body=b"ok"), ExchangeError("closed", "the connection closed"))


@each_row(
    ("expectation", "given", "unmet"),
    [
        (Expectation(("2xx",)), delivery(answered(204)), []),
        (Expectation(("2xx",)), delivery(answered(500)), ["expected status 2xx, got 500"]),
        (Expectation(("401", "403")), delivery(answered(403)), []),
        (Expectation(("401", "403")), delivery(answered(400)), ["expected status 401 or 403, got 400"]),
        (Expectation(("2xx",)), delivery(REFUSED), ["expected status 2xx, got no answer: nothing listens"]),
        (
            Expectation(("401", "403")),
            delivery(REFUSED),
            ["expected status 401 or 403, got no answer: nothing listens"],
        ),
        (Expectation(("2xx",)), delivery(BROKEN), ["expected status 2xx, got no answer: the connection closed"]),
        (Expectation(("any",), body=BodyExpectation(equals="no")), delivery(BROKEN), []),
        (Expectation(("2xx",)), delivery(), ["expected status 2xx, got no answer: no attempt"]),
        (Expectation(("any",)), delivery(REFUSED), []),
        (Expectation(("any",), within=0.01), delivery(answered(ms=10.0)), []),
        (
            Expectation(("any",), within=0.005),
            delivery(answered(ms=10.0)),
            ["expected an answer within 5ms, got it after 0.010s"],
        ),
        (
            Expectation(("any",), within=5),
            delivery(answered(ms=5004.0)),
            ["expected an answer within 5s, got it after 5.004s"],
        ),
        (
            Expectation(("any",), within=19.99),
            delivery(answered(ms=19990.2)),
            ["expected an answer within 19.99s, got it after 19.9902s"],
        ),
        (Expectation(("any",), attempts=2), delivery(answered(500), answered(200)), []),
        (Expectation(("any",), attempts=2), delivery(answered(200)), ["expected success after 2 attempts, got 1"]),
        (
            Expectation(("any",), attempts=2),
            delivery(REFUSED, REFUSED),
            ["expected success after 2 attempts, got 2 without success"],
        ),
        (Expectation(("any",), headers={"X-A": "1"}), delivery(answered(headers=[("x-a", "0"), ("x-a", "1")])), []),
        (
            Expectation(("any",), headers={"X-A": "1"}),
            delivery(answered(headers=[("x-a", "0"), ("x-a", "2")])),
            ["expected the header X-A: 1, got 0, 2"],
        ),
        (Expectation(("any",), headers={"X-A": "1"}), delivery(answered()), ["expected the header X-A: 1, got none"]),
        (Expectation(("any",), body=BodyExpectation(equals="ok")), delivery(answered(body=b"ok")), []),
        (
            Expectation(("any",), body=BodyExpectation(equals="ok")),
            delivery(answered(body=b"no")),
            ["expected the body 'ok', got 'no'"],
        ),
        (Expectation(("any",), body=BodyExpectation(contains="k")), delivery(answered(body=b"ok")), []),
        (
            Expectation(("any",), body=BodyExpectation(contains="x")),
            delivery(answered(body=b"o" * 300)),
            ["expected a body that contains 'x', got '" + "o" * 196 + "..."],
        ),
        (
            Expectation(("any",), body=BodyExpectation(json={"a": {"b": [1]}})),
            delivery(answered(body=b'{"a": {"b": [1.0], "c": 2}, "d": 3}')),
            [],
        ),
        (
            Expectation(("any",), body=BodyExpectation(json={"a": {"b": [1, {"c": 2}]}})),
            delivery(answered(body=b'{"a": {"b": [1, {"c": 3}]}}')),
            ["expected another JSON body: $.a.b[1].c is 3, not 2"],
        ),
        (
            Expectation(("any",), body=BodyExpectation(json={"a": 1})),
            delivery(answered(body=b"{}")),
            ["expected another JSON body: $.a is missing, not 1"],
        ),
        (
            Expectation(("any",), body=BodyExpectation(json=[1])),
            delivery(answered(body=b"[1, 2]")),
            ["expected another JSON body: $ is [1, 2], not [1]"],
        ),
        (
            Expectation(("any",), body=BodyExpectation(json=1)),
            delivery(answered(body=b"true")),
            ["expected another JSON body: $ is True, not 1"],
        ),
        (Expectation(("any",), body=BodyExpectation(json=[1])), delivery(answered(body=b"[1.0]")), []),
        (
            Expectation(("any",), body=BodyExpectation(json={"a": 1})),
            delivery(answered(body=b"[1]")),
            ["expected another JSON body: $ is [1], not {'a': 1}"],
        ),
        (
            Expectation(("any",), body=BodyExpectation(equals="0", contains="2", json=3)),
            delivery(answered(body=b"1")),
            [
                "expected the body '0', got '1'",
                "expected a body that contains '2', got '1'",
                "expected another JSON body: $ is 1, not 3",
            ],
        ),
        (Expectation(("any",), body=BodyExpectation(json=None)), delivery(answered(body=b"null")), []),
        (
            Expectation(("any",), body=BodyExpectation(json=None)),
            delivery(answered(body=b"x")),
            ["expected a JSON body, got 'x' (JSON is malformed: invalid character (byte 0))"],
        ),
    ],
)
def test_judgement(expectation: Expectation, given: Delivery, unmet: list[str]) -> None:
    """Each point that is not met gets a sentence with what was expected and what came."""
    assert judge(expectation, given) == unmet


def test_classes_of_statuses() -> None:
    """A code, a class, or any."""
    assert matches_status(["4xx"], 404)
    assert matches_status(["any"], 599)
    assert not matches_status(["4xx", "200"], 201)


def test_defaults() -> None:
    """An ordinary event is delivered, a forged one refused, other faults are not judged."""
    assert default_status(signature_fault=False, other_fault=False) == ("2xx",)
    assert default_status(signature_fault=True, other_fault=True) == ("4xx",)
    assert default_status(signature_fault=False, other_fault=True) == ("any",)


@each_row(
    ("effect", "before", "after", "unmet"),
    [
        (Effect(change=1), 3, 4, None),
        (Effect(change=0), 3, 3.0, None),
        (Effect(change=0), 3, 4, "expected an effect of +0, got +1 (from 3 to 4)"),
        (Effect(change=-1), 3, 5, "expected an effect of -1, got +2 (from 3 to 5)"),
        (Effect(change=1), 12345678, 12345680, "expected an effect of +1, got +2 (from 12345678 to 12345680)"),
        (Effect(change=0.2), 0.1, 0.3, None),
        (Effect(change=0.2), 0.1, 0.30001, "expected an effect of +0.2, got +0.20001 (from 0.1 to 0.30001)"),
        (Effect(change=1), None, 4, "expected a number before and after, got None and 4"),
        (Effect(change=1), 3, True, "expected a number before and after, got 3 and True"),
        (Effect(to="done"), "new", "done", None),
        (Effect(to=None), 1, None, None),
        (Effect(to=1), 0, True, "expected the effect 1, got True"),
    ],
)
def test_effects(effect: Effect, before: int | str | None, after: bool | float | str | None, unmet: str | None) -> None:
    """A change is proved by a number before and after, or by the value afterwards."""
    assert effect.why_not(before, after) == unmet
