"""Webhooks, the calls that the vendor API received, and bad answers to order."""

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.control_api.calling import AUTH, Answer, Control, Start, exchange
from tests.receiving import Consumer, Received
from tests.tables import each_row

JSON = {**AUTH, "Content-Type": "application/json"}
BODY: dict[str, Any] = {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": "whsec_private"}


async def register(control: Control, body: Any = BODY, **options: str) -> Answer:
    """Call the vendor API as an application does."""
    return await control.call("POST", options.pop("path", "/v1/webhooks"), body, headers=JSON, **options)


async def test_webhooks_are_shown_without_their_secrets(control: Control) -> None:
    """All of them, or one by its id: the documented fields, and nothing else."""
    shown = (await register(control)).json
    other = (await register(control, {**BODY, "url": "https://other.example"})).json
    assert await control.get("/webhooks") == {"webhooks": [shown, other]}
    assert await control.get(f"/webhooks/{shown['webhook_id']}") == shown
    assert set(shown) == {"webhook_id", "url", "events", "active"}


async def test_a_webhook_is_forgotten(control: Control) -> None:
    """One by its id; the other stays."""
    first, second = [(await register(control)).json["webhook_id"] for _ in range(2)]
    answer = await control.call("DELETE", f"/webhooks/{first}")
    assert (answer.status, answer.body) == (204, b"")
    assert [webhook["webhook_id"] for webhook in (await control.get("/webhooks"))["webhooks"]] == [second]
    assert (await control.call("DELETE", f"/webhooks/{first}")).fails(404) == f"there is no webhook {first!r}"
    for _ in range(2):  # all of them; doing so once more does no harm
        assert (await control.call("DELETE", "/webhooks")).status == 204
        assert await control.get("/webhooks") == {"webhooks": []}


@each_row("name", ["wh_none000", "%FF", "a%2Fb", "x" * 4000])
async def test_no_such_webhook(control: Control, name: str) -> None:
    """An id that is not known is not found."""
    assert "there is no webhook" in (await control.call("GET", f"/webhooks/{name}")).fails(404)


# --- requests


async def test_calls_beyond_the_limit_are_counted(start: Start) -> None:
    """The oldest go, and the answer says how many went."""
    control = await start(max_requests=2)
    for _ in range(3):
        await register(control)
    listed = await control.get("/requests")
    assert ([request["number"] for request in listed["requests"]], listed["dropped"]) == ([2, 3], 1)


async def test_a_test_sees_what_the_application_sent(control: Control) -> None:
    """Method, path, query, headers, the JSON of the body, and the status; not the key, not the secret."""
    await register(control, path="/v1/webhooks?from=setup")
    listed = await control.get("/requests")
    (request,) = listed["requests"]
    assert (request["number"], request["method"], request["path"], request["query"], request["status"]) == (
        1, "POST", "/v1/webhooks", "from=setup", 201,
    )  # fmt: skip
    assert request["body"] == {**BODY, "secret": "***"}
    assert request["body_size"] == len(json.dumps(BODY))
    assert ["Authorization", "***"] in request["headers"]
    assert ["Content-Type", "application/json"] in request["headers"]
    assert listed["dropped"] == 0
    assert "private" not in json.dumps(listed)


@each_row(
    ("body", "shown"),
    [
        ({"Secret": ["whsec_private"]}, {"Secret": "***"}),
        ({"a": [{"secret": {"of": "whsec_private"}}]}, {"a": [{"secret": "***"}]}),
        ([{"token": "whsec_private"}, 1, None], [{"token": "***"}, 1, None]),
        (
            {"secret": "whsec_private", "url": "https://x/?s=whsec_private"},
            {"secret": "***", "url": "https://x/?s=***"},
        ),
        ({"api_key": "pk_live_private"}, {"api_key": "***"}),
        ({"note": "my key is pk_live_private"}, {"note": "my key is ***"}),
        ({"secrte": "a_private", "signingSecret": "b_private"}, {"secrte": "***", "signingSecret": "***"}),
        ({"my-scret": "a_private", "passwrod": "b_private"}, {"my-scret": "***", "passwrod": "***"}),
        ({"key": "whsec_private"}, {"key": "***"}),
        ({"secret_leaks": {"pass": True}, "sector": "x"}, {"secret_leaks": {"pass": True}, "sector": "x"}),
        ('"text"', "text"),
        ('{"secret": "whsec_private",}', None),
        ("secret=whsec_private", None),
        (b'\xff{"secret": "whsec_private"}', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
async def test_no_secret_in_any_form_of_body(control: Control, body: Any, shown: Any) -> None:
    """Secrets are hidden wherever they are; what cannot be read is not shown at all."""
    await register(control, body)
    listed = await control.get("/requests")
    assert listed["requests"][-1]["body"] == shown
    assert "private" not in json.dumps(listed)


async def test_a_body_as_deep_as_json_can_be(control: Control) -> None:
    """It is cut off, for no reader could follow."""
    await register(control, '{"a":' * 150 + '{"secret":"whsec_private"}' + "}" * 150)
    text = json.dumps(await control.get("/requests"))
    assert '"..."' in text
    assert "private" not in text


async def test_keys_in_odd_places(control: Control) -> None:
    """A key in the query, in the path or under another header's name is hidden as well."""
    path = "/v1/webhooks/pk_live_private?api_key=pk_live_private&TOKEN=abc&a=b"
    headers = {**AUTH, "X-Api-Key": "other_private", "X-Debug": "Bearer pk_live_private", "Cookie": ""}
    await control.call("GET", path, headers=headers)
    listed = await control.get("/requests")
    assert listed["requests"][0]["query"] == "api_key=***&TOKEN=***&a=b"
    assert "private" not in json.dumps(listed)


async def test_bytes_that_are_no_text(control: Control) -> None:
    """A header with bytes that are no text neither breaks the call nor the list of calls."""
    head = b"GET /v1/%FF?q=%FF HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Odd: \xff\xfe\r\nConnection: close\r\n\r\n"
    assert (await exchange(control.port, head)).startswith(b"HTTP/1.1 404 ")
    (request,) = (await control.get("/requests"))["requests"]
    assert request["status"] == 404
    assert "X-Odd" in dict(map(tuple, request["headers"]))


# --- bad answers to order


async def test_the_next_calls_fail(control: Control) -> None:
    """Without a body it is a 503, once. First planned, first given, as often as was said, in the vendor's envelope."""
    await control.post("/faults", status=204)
    await control.post("/faults", {"status": 429, "times": 2, "headers": {"Retry-After": "7"}}, 204)
    await control.post("/faults", '{"status": 500.0, "times": 1.0}', 204)
    answers = [await register(control) for _ in range(5)]
    assert [answer.status for answer in answers] == [503, 429, 429, 500, 201]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json["error"]["code"] == "rate_limited"
    assert [call["status"] for call in (await control.get("/requests"))["requests"]] == [503, 429, 429, 500, 201]


@each_row(
    ("planned", "sent"),
    [
        ({"status": 502, "body": "<html>é"}, "<html>é".encode()),
        ({"status": 200, "body": {"webhook_id": "wh_x"}}, b'{"webhook_id":"wh_x"}'),
        ({"status": 204}, b""),
        ({"status": 304, "headers": {"ETag": '"x"'}}, b""),
        ({"status": 500, "body": None}, b"This answer was planned by the test"),  # the vendor's own envelope
    ],
)
async def test_a_body_of_ones_own(control: Control, planned: dict[str, Any], sent: bytes) -> None:
    """Text is sent as it is, anything else as JSON."""
    await control.post("/faults", planned, 204)
    answer = await register(control)
    assert answer.status == planned["status"]
    assert sent in answer.body if planned["status"] == 500 else answer.body == sent


@each_row(
    ("body", "message"),
    [
        ({"status": 99}, "status: expected a whole number from 200 to 599, not 99"),
        ({"headers": {"A": "b\r\nc: d"}}, "headers.A: expected text on one line"),
        ({"delay": -1}, "delay: expected a duration such as 250ms or 2s, 0ms to 1h, not -1"),
        ({"stauts": 500}, "did you mean 'status'"),
        ("[1]", "must be a JSON object"),
        ("nope", "not JSON"),
    ],
)
async def test_plans_that_are_refused(control: Control, body: dict[str, Any] | str, message: str) -> None:
    """Each with a sentence, and nothing is planned."""
    assert message in (await control.call("POST", "/faults", body)).fails()
    assert (await register(control)).status == 201


async def test_what_a_consumer_echoes_is_hidden_in_every_answer(start: Start, consumer: Consumer) -> None:
    """Its secret, and what the user adds to requests: in deliveries, explanations, reports and the stream."""
    added = "Bearer gateway-key-private"

    async def echo(received: Received) -> web.Response:
        text = f"{dict(received.headers)} gateway-key-private {BODY['secret']}"
        return web.Response(status=400, text=text)

    consumer.answer = echo
    control = await start(headers={"X-Gateway": added})
    await control.register(f"{consumer.url}?key=gateway-key-private", secret=BODY["secret"])
    reader = control.session.get(f"{control.url}/_mock/stream")
    async with reader as stream:
        shown = [await control.post("/events", {"event": "run.failed", "expect": {"body": {"contains": "x" * 9}}})]
        shown.append(await control.post("/replays?wait=true", "version: 1\nsteps: [event: run.failed]"))
        paths = ("/deliveries", "/deliveries/latest", "/deliveries/brief", "/webhooks", "/replays/rpl_000001")
        shown += [await control.get(path) for path in paths]
        streamed = ""
        while "dlv_000002" not in streamed:
            streamed += (await asyncio.wait_for(stream.content.readline(), 60)).decode()
    text = json.dumps(shown) + streamed
    assert "private" not in text
    assert "***" in text
