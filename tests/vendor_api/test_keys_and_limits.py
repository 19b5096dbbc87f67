"""API keys, and the rate limit."""

from typing import Any

from mockserver.vendor_api.requests import RateLimit
from tests.control_api.calling import exchange
from tests.tables import each_row
from tests.vendor_api.serving import NOW, REGISTRATION, Mock, Start


@each_row("value", ["Bearer x", "bearer x", "BEARER  x ", "Bearer pk_live_é", "Bearer a b"])
async def test_any_token_will_do_unless_keys_are_configured(mock: Mock, value: str) -> None:
    """The look of a key is not documented, so any that is not empty is accepted."""
    assert (await mock.call("GET", "/v1/webhooks", headers={"Authorization": value})).status == 200


@each_row("value", ["", "Bearer", "Bearer ", "Basic eDp5", "x", "Bearerx y"])
async def test_without_a_token_there_is_no_access(mock: Mock, value: str) -> None:
    """401 names the scheme, and says how to send a key."""
    answer = await mock.call("POST", "/v1/webhooks", json=REGISTRATION, headers={"Authorization": value})
    status, code, text = answer.error
    assert (status, code) == (401, "unauthorized")
    assert "Authorization: Bearer <api key>" in text
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(mock.registry) == 0


@each_row(
    ("token", "status"), [("one", 200), ("zwei-ü", 200), ("three", 401), ("on", 401), ("ONE", 401), ("é" * 50, 401)]
)
async def test_configured_keys_are_the_only_ones(start: Start, token: str, status: int) -> None:
    """Each of the keys is accepted, whatever its characters, and nothing else; an error never shows the token."""
    mock = await start(api_keys=["one", "zwei-ü"])
    answer = await mock.call("GET", "/v1/webhooks", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == status
    if status == 401:
        assert answer.error[1] == "unauthorized"
        assert token not in answer.error[2].split()


async def test_a_token_that_is_no_text(start: Start) -> None:
    """Bytes outside UTF-8 are just another token, never a failure, and no configured key."""
    request = b"GET /v1/webhooks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n"
    for keys, status in (([], b"200"), (["one"], b"401")):
        mock = await start(api_keys=keys)
        assert (await exchange(mock.port, request)).split(b" ")[1] == status


async def test_every_answer_tells_the_rate_limit(mock: Mock) -> None:
    """The three documented headers count down on success and on every kind of error."""
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/webhooks", {"json": REGISTRATION}),
        ("GET", "/nowhere", {}),
        ("PUT", "/v1/webhooks", {}),
        ("POST", "/v1/webhooks", {"data": b"{"}),
        ("OPTIONS", "/v1/webhooks", {}),
        ("GET", "/openapi.json", {}),
        ("DELETE", "/v1/webhooks/none", {}),
    ]
    for used, (method, path, options) in enumerate(calls, start=1):
        headers = (await mock.call(method, path, **options)).headers
        assert headers["X-RateLimit-Limit"] == "100"
        assert headers["X-RateLimit-Remaining"] == str(100 - used)
        assert headers["X-RateLimit-Reset"] == "1702728061"


async def test_the_limit_is_only_told_unless_it_is_enforced(start: Start) -> None:
    """Beyond the limit nothing is left, but requests are served."""
    mock = await start(rate_limit=1)
    answers = [await mock.call("GET", "/v1/webhooks") for _ in range(3)]
    assert [(item.status, item.headers["X-RateLimit-Remaining"]) for item in answers] == [(200, "0")] * 3


async def test_an_enforced_limit_refuses_until_the_next_minute(start: Start) -> None:
    """429 says when to try again; another key is not affected, and a minute later all is well."""
    mock = await start(rate_limit=2, enforce_rate_limit=True)
    assert [(await mock.call("GET", "/v1/webhooks")).status for _ in range(2)] == [200, 200]
    mock.time = NOW + 10
    answer = await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    assert answer.error == (429, "rate_limited", "More than 2 requests in a minute; try again in 50 s")
    assert answer.headers["Retry-After"] == "50"
    assert len(mock.registry) == 0
    assert (await mock.call("GET", "/v1/webhooks", headers={"Authorization": "Bearer other"})).status == 200
    mock.time = NOW + 60
    assert (await mock.call("GET", "/v1/webhooks")).status == 200


async def test_a_reset_begins_the_counts_again(mock: Mock) -> None:
    """After a reset the whole limit is there."""
    await mock.call("GET", "/v1/webhooks")
    mock.api.reset()
    assert (await mock.call("GET", "/v1/webhooks")).headers["X-RateLimit-Remaining"] == "99"


def test_a_window_lasts_a_minute_from_the_first_request() -> None:
    """Counting goes down to nothing, stays there, and starts again after sixty seconds."""
    limit = RateLimit(2)
    counted = [limit.count("k", moment) for moment in (10.5, 11.0, 70.4, 70.5)]
    assert [each.remaining for each in counted] == [1, 0, 0, 1]
    assert [each.reset for each in counted] == [71, 71, 71, 131]
    assert [each.allowed for each in counted] == [True, True, False, True]
    assert [each.wait for each in counted] == [60, 60, 1, 60]


def test_a_clock_set_back_begins_a_new_window() -> None:
    """A clock that jumps cannot lock a key out."""
    limit = RateLimit(1)
    limit.count("k", 1_000_000.0)
    assert limit.count("k", 0.0).allowed


def test_many_keys_take_bounded_memory() -> None:
    """The oldest key is forgotten for one more than is remembered; the others keep their counts."""
    limit = RateLimit(1, max_keys=3)
    for key in ("a", "b", "c", "d"):
        limit.count(key, 0.0)
    assert len(limit) == 3
    assert not limit.count("d", 1.0).allowed
    assert limit.count("a", 1.0).allowed
    limit.clear()
    assert len(limit) == 0
