"""The record of calls, and bad answers to order."""

import asyncio
from typing import Any

import pytest

from mockserver.errors import UsageError
from mockserver.model.memory_budget import MemoryBudget
from mockserver.vendor_api.calls import AnswerPlan, CallLog, PlannedAnswer, VendorCall
from tests.presence import present
from tests.tables import each_row
from tests.vendor_api.serving import AUTH, NOW, REGISTRATION, Mock


def record(log: CallLog, body: bytes = b"", status: int = 200, headers: tuple[Any, ...] = ()) -> VendorCall:
    """Keep one call, most of which does not matter."""
    return log.record(NOW, "POST", "/v1/webhooks", "", headers, body, status)


async def test_a_call_is_recorded_as_it_came(mock: Mock) -> None:
    """Method, path, query, headers, body, time and status are all there."""
    await mock.call("POST", "/v1/webhooks", json=REGISTRATION, params={"a": "b"}, headers={"X-Trace": "7"})
    (call,) = mock.calls.calls
    assert (call.number, call.received_at, call.method, call.status) == (1, NOW, "POST", 201)
    assert (call.path, call.query) == ("/v1/webhooks", "a=b")
    assert call.json() == REGISTRATION
    assert call.header("x-trace") == "7"
    assert call.header("authorization") == AUTH["Authorization"]
    assert call.header("x-none") is None


async def test_a_call_that_was_refused_says_why(mock: Mock) -> None:
    """The code and the message that the application was answered with; nothing, where nothing was wrong."""
    await mock.call("GET", "/v1/webhooks")
    await mock.call("GET", "/nowhere")
    await mock.call("PUT", "/v1/webhooks")
    await mock.call("POST", "/v1/webhooks", data=b"{", headers={"Content-Type": "application/json"})
    await mock.call("GET", "/v1/webhooks", headers={"Authorization": ""})
    mock.plan.fail_next(502, body="<html>")
    await mock.call("GET", "/v1/webhooks")
    calls = mock.calls.calls
    assert [(call.number, call.status) for call in calls] == [*enumerate((200, 404, 405, 400, 401, 502), 1)]
    codes = [call.problem.partition(": ")[0] for call in calls]
    assert codes == ["", "not_found", "method_not_allowed", "invalid_request", "unauthorized", ""]
    assert calls[4].problem == "unauthorized: Missing API key: send it as 'Authorization: Bearer <api key>'"


async def test_the_text_of_a_call_tells_no_secret(mock: Mock) -> None:
    """Neither the API key nor the webhook's secret is in a call's text, nor in that of a record of calls."""
    await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    text = repr(mock.calls.calls)
    assert "#1 POST /v1/webhooks -> 201" in text
    assert "private" not in text


def test_a_body_that_is_no_json_says_so() -> None:
    """The convenience raises an ordinary ValueError."""
    with pytest.raises(ValueError, match="malformed"):
        record(CallLog(1), b"x").json()


def test_the_oldest_calls_go_first() -> None:
    """At the limit the oldest call goes, and a counter shows how many went."""
    log = CallLog(2)
    for status in (201, 202, 203):
        record(log, status=status)
    assert [call.status for call in log.calls] == [202, 203]
    assert (len(log), log.dropped) == (2, 1)
    log.clear()
    assert (log.calls, log.dropped) == ((), 0)
    assert record(log).number == 4


def test_calls_take_bounded_memory() -> None:
    """Large bodies push out older calls; the newest stays, whatever its size."""
    log = CallLog(100, MemoryBudget(1_000))
    record(log, b"a" * 500)
    record(log, b"b" * 900, headers=(("Name", "value"),))
    assert [call.body[:1] for call in log.calls] == [b"b"]
    record(log, b"c" * 5_000)
    assert [call.body[:1] for call in log.calls] == [b"c"]
    record(log)
    record(log)
    assert [call.body for call in log.calls] == [b"", b""]
    assert log.dropped == 3


def test_each_call_keeps_its_own_headers() -> None:
    """Also where a call before it had others; their bytes count for each."""
    budget = MemoryBudget()
    log = CallLog(10, budget)
    sent = [(("Host", value),) for value in ("a", "a", "bb", "a")]
    sizes = []
    for headers in sent:
        record(log, headers=headers)
        sizes.append(budget.used)
    assert [call.headers for call in log.calls] == sent
    assert sizes[1] == 2 * sizes[0]
    assert sizes[2] - sizes[1] == sizes[0] + 1
    assert sizes[3] - sizes[2] == sizes[0]


def test_listeners_hear_each_call_until_they_leave() -> None:
    """A subscription ends when its function is called, once or twice."""
    log = CallLog(5)
    heard: list[VendorCall] = []
    other: list[VendorCall] = []
    leave = log.subscribe(heard.append)
    log.subscribe(other.append)
    first = record(log)
    leave()
    leave()
    second = record(log)
    assert heard == [first]
    assert other == [first, second]


async def test_the_next_calls_fail_as_planned(mock: Mock) -> None:
    """As many calls as planned fail in the vendor's envelope, before anything else is looked at; then all is well."""
    mock.plan.fail_next(status=503, times=2, headers={"Retry-After": "1"})
    for headers in ({"Authorization": ""}, {}):
        answer = await mock.call("POST", "/v1/webhooks", json=REGISTRATION, headers=headers)
        assert answer.error == (503, "service_unavailable", "This answer was planned by the test")
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["X-RateLimit-Limit"] == "100"
        assert answer.headers["Content-Type"] == "application/json"
    assert len(mock.registry) == 0
    assert (await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).status == 201
    assert [call.status for call in mock.calls.calls] == [503, 503, 201]
    assert mock.calls.calls[0].json() == REGISTRATION


@each_row(
    ("status", "code", "header"),
    [
        (400, "invalid_request", None),
        (401, "unauthorized", ("WWW-Authenticate", "Bearer")),
        (429, "rate_limited", ("Retry-After", "60")),
        (500, "internal_error", None),
        (502, "bad_gateway", None),
        (599, "error", None),
    ],
)
async def test_a_planned_error_looks_like_a_real_one(
    mock: Mock, status: int, code: str, header: tuple[str, str] | None
) -> None:
    """Code and headers are those that the API itself would answer with."""
    mock.plan.fail_next(status)
    answer = await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    assert answer.error[:2] == (status, code)
    if header:
        assert answer.headers[header[0]] == header[1]


@each_row(
    ("body", "sent"),
    [(b"\xff\x00", b"\xff\x00"), ("<html>é", "<html>é".encode()), ({"a": [1]}, b'{"a":[1]}'), ("", b"")],
)
async def test_a_planned_body_is_sent_as_it_is(mock: Mock, body: bytes | dict[str, Any] | str, sent: bytes) -> None:
    """Bytes and text as they are, anything else as JSON, with the headers that were asked for."""
    mock.plan.fail_next(200, body=body, headers={"content-type": "text/html", "X-RateLimit-Limit": "7"})
    answer = await mock.call("GET", "/v1/webhooks")
    assert (answer.status, answer.body) == (200, sent)
    assert answer.headers.getall("Content-Type") == ["text/html"]
    assert answer.headers.getall("X-RateLimit-Limit") == ["7"]


async def test_plans_are_for_the_vendor_paths_alone(mock: Mock) -> None:
    """A browser that asks for an icon does not use up a plan; any path below /v1 does."""
    mock.plan.fail_next()
    assert (await mock.call("GET", "/favicon.ico")).status == 404
    assert (await mock.call("GET", "/openapi.json")).status == 200
    assert (await mock.call("GET", "/v1")).status == 503
    mock.plan.fail_next()
    assert (await mock.call("GET", "/v1/nowhere")).status == 503


async def test_a_delayed_answer_is_on_record_at_once(mock: Mock) -> None:
    """A client that gives up waiting has called all the same."""
    mock.plan.fail_next(delay=600)
    recorded = asyncio.Event()
    mock.calls.subscribe(lambda _: recorded.set())
    waiting = asyncio.ensure_future(mock.call("POST", "/v1/webhooks", json=REGISTRATION))
    await asyncio.wait_for(recorded.wait(), 60)
    assert mock.calls.calls[0].status == 503
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_short_delay_is_waited_for(mock: Mock) -> None:
    """The answer comes no sooner than planned."""
    mock.plan.fail_next(delay=0.05)
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert (await mock.call("GET", "/v1/webhooks")).status == 503
    assert loop.time() - before >= 0.05


def test_plans_are_taken_in_order() -> None:
    """First planned, first given, each as often as was said."""
    plan = AnswerPlan()
    assert plan.take() is None
    assert plan.fail_next(500, times=2) == PlannedAnswer(500, times=2)
    plan.fail_next(429, headers={"Retry-After": "3"}, delay=1, body="x")
    assert plan.pending == 3
    assert [present(answer).status for answer in (plan.take(), plan.take())] == [500, 500]
    assert plan.take() == PlannedAnswer(429, headers=(("Retry-After", "3"),), delay=1.0, body=b"x")
    assert plan.take() is None
    plan.fail_next()
    plan.clear()
    assert (plan.pending, plan.take()) == (0, None)


@each_row(
    ("chosen", "message"),
    [
        ({"status": 99}, "status: expected a whole number from 200 to 599, not 99"),
        ({"status": 200}, "status 200 is no error, so the answer needs a body of its own: give body as well"),
        ({"status": 204, "body": {}}, "status 204 has no body"),
        ({"times": 0}, "times: expected a whole number from 1, not 0"),
        ({"delay": -1}, "delay: expected a duration such as 250ms or 2s, 0ms to 1h, not -1"),
        ({"refuse": 1}, "refuse: expected true or false, not 1"),
        ({"headers": ["a"]}, "expected headers as an object"),
        ({"headers": {"a b": "c"}}, "'a b' is not the name of a header"),
        ({"headers": {1: "c"}}, "the key 1 is not text"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length cannot be planned: it follows from the body"),
        ({"headers": {"A": "b\r\nC: d"}}, "expected text on one line"),
        ({"headers": {"Retry-After": 1}}, "headers.Retry-After: expected text on one line, not 1"),
        ({"body": object()}, "body cannot be sent"),
        ({"body": "\ud800"}, "body cannot be sent"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(chosen: dict[str, Any], message: str) -> None:
    """The message names what was given and what is allowed, and nothing is planned."""
    plan = AnswerPlan()
    with pytest.raises(UsageError) as caught:
        plan.fail_next(**chosen)
    assert message in str(caught.value)
    assert plan.pending == 0


def test_plans_are_bounded() -> None:
    """More plans than the limit are refused."""
    plan = AnswerPlan(limit=1)
    plan.fail_next()
    with pytest.raises(UsageError, match="1 planned answers are waiting"):
        plan.fail_next()
