"""``POST /v1/webhooks``: what the vendor documents, and what is refused."""

import io
import json
from typing import Any

import pytest

from mockserver.model.webhooks import Webhook
from tests.tables import each_row
from tests.vendor_api.serving import EVENTS, REGISTRATION, Mock, Start


async def test_a_registration_is_answered_with_the_documented_fields_in_order(mock: Mock) -> None:
    """The answer holds webhook_id, url, events and active, and nothing else."""
    answer = await mock.call("POST", "/v1/webhooks", json={**REGISTRATION, "events": list(reversed(EVENTS))})
    assert answer.status == 201
    assert list(answer.json) == ["webhook_id", "url", "events", "active"]
    assert answer.json == {
        "webhook_id": mock.registry.all()[0].webhook_id,
        "url": REGISTRATION["url"],
        "events": list(reversed(EVENTS)),
        "active": True,
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert mock.registry.all()[0].secret == REGISTRATION["secret"]


async def test_the_status_of_success_can_be_chosen(start: Start) -> None:
    """The vendor states no status, so the user may."""
    mock = await start(created_status=200)
    assert (await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).status == 200


@each_row(
    ("changed", "message"),
    [
        ({"url": None}, "url must be a string, not null"),
        ({"url": "http://your-app.com/hook"}, "url must be HTTPS, not 'http://your-app.com/hook'"),
        ({"url": "https://user:pw@your-app.com"}, "without user name"),
        ({"url": "https://a/" + "a" * 3000}, "at most 2048"),
        ({"events": []}, "events must not be empty; supported events are run.completed, run.failed"),
        ({"events": "run.failed"}, "events must be an array of strings, not 'run.failed'"),
        ({"events": ["run.fialed"]}, "events[0] is 'run.fialed', which is not supported"),
        ({"events": ["run.fialed"]}, "did you mean 'run.failed'?"),
        ({"events": ["run.failed", 7]}, "events[1] must be a string, not a number"),
        ({"events": ["x" * 100_000]}, "which is not supported"),
        ({"secret": ""}, "secret must not be empty"),
        ({"secret": 12345}, "secret must be a string, not a number"),
        ({"secret": "s" * 1025}, "at most 1024"),
    ],
)
async def test_a_refusal_names_the_field_and_what_is_allowed(mock: Mock, changed: dict[str, Any], message: str) -> None:
    """A field that is not allowed is a 400 in the documented envelope, and nothing is registered."""
    status, code, text = (await mock.call("POST", "/v1/webhooks", json={**REGISTRATION, **changed})).error
    assert (status, code) == (400, "invalid_request")
    assert message in text
    assert len(text) < 600
    assert len(mock.registry) == 0


@each_row(
    ("field", "more", "hint"),
    [
        ("url", {}, ""),
        ("events", {}, ""),
        ("secret", {}, ""),
        ("url", {"urll": "https://a.b"}, " (there is 'urll': was that meant?)"),
    ],
)
async def test_a_missing_field_has_the_documented_message(
    mock: Mock, field: str, more: dict[str, str], hint: str
) -> None:
    """The message is the one of the vendor's own example; a likely typing error is named beside it."""
    given = {name: value for name, value in REGISTRATION.items() if name != field} | more
    answer = await mock.call("POST", "/v1/webhooks", json=given)
    assert answer.error == (400, "invalid_request", f"Missing required field: {field}{hint}")


@pytest.mark.parametrize("strict", [False, True])
async def test_loopback_urls_need_no_https_unless_strict(start: Start, strict: bool) -> None:
    """Local tests can register http URLs; strict mode is as the vendor documents."""
    mock = await start(strict=strict)
    answer = await mock.call("POST", "/v1/webhooks", json={**REGISTRATION, "url": "http://127.0.0.1:5000/hook"})
    assert answer.status == (400 if strict else 201)


async def test_at_the_limit_of_webhooks_there_is_a_clear_error(start: Start) -> None:
    """One webhook more than the limit is refused, and the message says what to do."""
    mock = await start(max_webhooks=1)
    await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    status, code, text = (await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).error
    assert (status, code) == (400, "invalid_request")
    assert "1 webhooks are registered, which is the limit" in text


async def test_each_registration_is_announced(start: Start) -> None:
    """The callback hears of a webhook once it is registered."""
    mock = Mock.of()
    heard: list[Webhook] = []
    mock.on_registered = heard.append
    await start(mock)
    await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    await mock.call("POST", "/v1/webhooks", json={})
    assert heard == list(mock.registry.all())


async def test_a_failure_while_registering_leaves_nothing_registered(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is a 500 without traceback or secret; the log has the traceback, and no webhook is kept."""

    def fail(_: Webhook) -> None:
        raise RuntimeError("something broke")

    mock = Mock.of()
    mock.on_registered = fail
    await start(mock)
    answer = await mock.call("POST", "/v1/webhooks", json=REGISTRATION)
    assert answer.error[:2] == (500, "internal_error")
    assert b"Traceback" not in answer.body
    assert b"broke" not in answer.body
    assert "RuntimeError: something broke" in caplog.text
    assert str(REGISTRATION["secret"]) not in caplog.text
    assert "pk_live_private" not in caplog.text
    assert len(mock.registry) == 0
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert mock.calls.calls[0].status == 500


@pytest.mark.parametrize("given", [{f"k{n}": 0 for n in range(80_000)}, {"x" * 1_000_000: 1}])
async def test_a_body_made_to_be_slow_is_refused_at_once(mock: Mock, given: dict[str, int]) -> None:
    """Guessing what was meant stops early, so that one request cannot hold up the others."""
    body = io.BytesIO(json.dumps(given).encode())
    answer = await mock.call("POST", "/v1/webhooks", data=body, headers={"Content-Type": "application/json"})
    assert answer.error == (400, "invalid_request", "Missing required field: url")
