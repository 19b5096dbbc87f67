"""List, read, change and delete: ours, and gone in strict mode."""

from typing import Any

import pytest
from yarl import URL

from tests.tables import each_row
from tests.vendor_api.serving import AUTH, REGISTRATION, Mock, Start


@pytest.fixture
async def webhook(mock: Mock) -> Any:
    """A registered webhook, as the API shows it."""
    return (await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).json


async def test_webhooks_are_listed_in_order_of_registration(mock: Mock) -> None:
    """The list is an object with one key, and its items look like the answer of the registration."""
    assert (await mock.call("GET", "/v1/webhooks")).json == {"webhooks": []}
    shown = [(await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).json for _ in range(3)]
    assert (await mock.call("GET", "/v1/webhooks")).json == {"webhooks": shown}


async def test_an_id_may_come_percent_encoded(mock: Mock, webhook: dict[str, Any]) -> None:
    """Clients that encode more than they must find the webhook all the same."""
    path = f"/v1/webhooks/{webhook['webhook_id'].replace('_', '%5F')}"
    async with mock.session.get(URL(mock.url + path, encoded=True), headers=AUTH) as response:
        assert response.status == 200
    assert mock.calls.calls[-1].path == path


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"url": "https://b.c/d"}, {"events": ["run.completed"]}, {"secret": "new"}, {}]
)
async def test_fields_of_a_webhook_can_be_changed(mock: Mock, webhook: dict[str, Any], changes: dict[str, Any]) -> None:
    """What is given is changed, the rest stays, and the answer shows it."""
    before = mock.registry.all()[0]
    answer = await mock.call("PATCH", f"/v1/webhooks/{webhook['webhook_id']}", json=changes)
    shown = {name: value for name, value in changes.items() if name != "secret"}
    assert (answer.status, answer.json) == (200, {**webhook, **shown})
    assert mock.registry.all()[0].secret == changes.get("secret", before.secret)


@each_row(
    ("changes", "message"),
    [
        ({"active": "no"}, "active must be true or false, not 'no'"),
        ({"aktive": True}, "Unknown field: aktive; allowed are url, events, secret or active; did you mean 'active'?"),
        ({"webhook_id": "wh_abc123"}, "Unknown field: webhook_id"),
        ({"x" * 10_000: 1}, "Unknown field: xxx"),
        ({"url": "ftp://a"}, "url must be an absolute https:// URL"),
        ([], "The request body must be a JSON object, not an array"),
    ],
)
async def test_a_change_that_is_not_allowed_changes_nothing(
    mock: Mock, webhook: dict[str, Any], changes: dict[str, Any] | list[Any], message: str
) -> None:
    """The error names the field, and the webhook is as it was."""
    status, code, text = (await mock.call("PATCH", f"/v1/webhooks/{webhook['webhook_id']}", json=changes)).error
    assert (status, code) == (400, "invalid_request")
    assert message in text
    assert len(text) < 500
    assert (await mock.call("GET", f"/v1/webhooks/{webhook['webhook_id']}")).json == webhook


async def test_a_deleted_webhook_is_gone(mock: Mock, webhook: dict[str, Any]) -> None:
    """Deleting answers 204 without a body; afterwards the id is unknown to every operation."""
    path = f"/v1/webhooks/{webhook['webhook_id']}"
    gone = await mock.call("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    assert "Content-Type" not in gone.headers
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"active": True})):
        assert (await mock.call(method, path, json=body)).error[:2] == (404, "not_found")


@each_row(
    ("method", "path", "status"),
    [
        ("GET", "/v1/webhooks", 405),
        ("HEAD", "/v1/webhooks", 405),
        ("GET", "/v1/webhooks/{id}", 404),
        ("PATCH", "/v1/webhooks/{id}", 404),
        ("DELETE", "/v1/webhooks/{id}", 404),
        ("OPTIONS", "/v1/webhooks/{id}", 404),
    ],
)
async def test_strict_mode_knows_only_what_is_documented(start: Start, method: str, path: str, status: int) -> None:
    """Routes of ours answer as unknown ones do, even for a webhook that exists."""
    mock = await start(strict=True)
    webhook = (await mock.call("POST", "/v1/webhooks", json=REGISTRATION)).json
    assert (await mock.call(method, path.format(id=webhook["webhook_id"]))).status == status


@each_row(
    ("path", "hint"),
    [(path, "") for path in ("/", "/foo", "/v1", "/v1/foo", "/v1/webhooks/", "/v1/webhooks/a/b", "/v2/webhooks")]
    + [("/v1/webhook", "did you mean '/v1/webhooks'?"), ("/V1/webhooks", "")],
)
async def test_an_unknown_path_is_not_found(mock: Mock, path: str, hint: str) -> None:
    """The envelope names the path and those that there are; a typing error is pointed out."""
    status, code, text = (await mock.call("GET", path)).error
    assert (status, code) == (404, "not_found")
    assert f"No such path: {path}; there is /v1/webhooks" in text
    assert hint in text


@each_row(
    ("strict", "method", "path", "allow"),
    [
        (False, "PUT", "/v1/webhooks", "GET, HEAD, OPTIONS, POST"),
        (False, "POST", "/v1/webhooks/wh_abc123", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (True, "GET", "/v1/webhooks", "OPTIONS, POST"),
        (False, "POST", "/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_tells_the_right_ones(
    start: Start, strict: bool, method: str, path: str, allow: str
) -> None:
    """405 carries Allow and says the same in words; OPTIONS gives the same list, without a key."""
    mock = await start(strict=strict)
    answer = await mock.call(method, path)
    assert answer.error == (405, "method_not_allowed", f"{method} is not allowed here; allowed are {allow}")
    assert answer.headers["Allow"] == allow
    options = await mock.call("OPTIONS", path, headers={"Authorization": ""})
    assert (options.status, options.headers["Allow"], options.body) == (204, allow, b"")


async def test_head_answers_as_get_without_the_body(mock: Mock, webhook: dict[str, Any]) -> None:
    """Status and headers are those of GET."""
    for path in ("/v1/webhooks", f"/v1/webhooks/{webhook['webhook_id']}", "/nowhere"):
        head, get = await mock.call("HEAD", path), await mock.call("GET", path)
        assert head.body == b""
        assert (head.status, head.headers["Content-Length"]) == (get.status, get.headers["Content-Length"])
