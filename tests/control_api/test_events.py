"""``POST /_mock/events``: an event step of the script format, let happen now."""

import base64
from typing import Any

from aiohttp import web

from tests.control_api.calling import Control, Start
from tests.receiving import SECRET, Consumer
from tests.tables import each_row


async def test_an_event_with_changed_data(control: Control, consumer: Consumer) -> None:
    """The answer holds the delivery: what was sent, what came back, and that it arrived."""
    webhook_id = await control.register(f"{consumer.url}/hooks")
    answer = await control.post(
        "/events", {"event": "run.failed", "override": {"run_id": "r1"}, "remove": ["test_case_id"]}
    )
    (delivery,) = answer["deliveries"]
    (attempt,) = delivery["attempts"]
    assert answer["delivered"] is True
    assert (delivery["delivery_id"], delivery["webhook_id"], delivery["url"]) == (
        "dlv_000001", webhook_id, f"{consumer.url}/hooks",
    )  # fmt: skip
    assert (delivery["event"], delivery["outcome"], delivery["source"]) == ("run.failed", "delivered", "send")
    assert (delivery["faults"], delivery["unmet"]) == ([], [])
    assert delivery["payload"]["data"]["run_id"] == "r1"
    assert "test_case_id" not in delivery["payload"]["data"]
    assert delivery["payload"]["timestamp"] == delivery["timestamp"]
    (received,) = consumer.received
    assert received.is_signed_with(SECRET)
    assert attempt["request"]["body"].encode() == received.body
    assert ["X-Playgent-Signature", received.header("X-Playgent-Signature")] in attempt["request"]["headers"]
    assert (attempt["response"]["status"], attempt["response"]["body"]) == (200, '{"ok": true}')
    assert (attempt["number"], attempt["delivered"], attempt["error"]) == (1, True, None)


async def test_templates(control: Control, consumer: Consumer) -> None:
    """Templates are filled in, and generated values differ from event to event."""
    await control.register(consumer.url)
    for _ in range(2):
        await control.event(override={"run_id": '{{ new_id("run") }}', "failure_summary": "{{ index }} at {{ now }}"})
    first, second = (received.payload for received in consumer.received)
    assert first["data"]["run_id"] != second["data"]["run_id"]
    assert first["data"]["failure_summary"] == f"0 at {first['timestamp']}"


async def test_a_template_that_fails_when_it_is_filled_in(control: Control, consumer: Consumer) -> None:
    """It is the caller's mistake, and nothing is sent."""
    await control.register(consumer.url)
    answer = await control.call("POST", "/events", {"event": "run.failed", "override": {"run_id": "{{ 1 / 0 }}"}})
    assert "division" in answer.fails()
    assert consumer.received == []


async def test_data_is_sent_exactly(control: Control, consumer: Consumer) -> None:
    """What is given as data is all that is in it; the step may be YAML, as it would be in a script."""
    await control.register(consumer.url)
    await control.post("/events", "event: run.completed\ndata:\n  é: [1, null, {a: 1.5}]\n")
    assert consumer.received[0].payload["data"] == {"é": [1, None, {"a": 1.5}]}


async def test_a_fault_and_what_is_expected(control: Control, consumer: Consumer) -> None:
    """A forged signature must be refused: the consumer that takes it does not meet what is expected."""
    await control.register(consumer.url)
    taken = await control.event(fault="wrong_secret")
    assert taken["faults"] == ["wrong_secret"]
    assert taken["unmet"] == ["expected status 4xx, got 200"]
    assert not consumer.received[0].is_signed_with(SECRET)

    consumer.answers(lambda _: web.Response(status=401))
    refused = await control.event(fault="wrong_secret", expect={"status": [401, 403]})
    assert (refused["outcome"], refused["unmet"]) == ("failed", [])


async def test_bytes_that_are_no_text_are_shown_as_they_were_sent(control: Control, consumer: Consumer) -> None:
    """Checking a signature in another language needs the bytes: they are beside the text, in base64."""
    await control.register(consumer.url)
    delivery = await control.event(fault="not_utf8")
    request = delivery["attempts"][0]["request"]
    assert base64.b64decode(request["body_base64"]) == consumer.received[0].body
    assert "\ufffd" in request["body"]


async def test_retries(control: Control, consumer: Consumer) -> None:
    """A failed attempt is made again as the step says, with the very same bytes."""
    left = [500, 503]

    consumer.answers(lambda _: web.Response(status=left.pop(0) if left else 200))
    await control.register(consumer.url)
    delivery = await control.event(retry=["0s", "1s", "1m"], expect={"attempts": 3})
    assert [attempt["response"]["status"] for attempt in delivery["attempts"]] == [500, 503, 200]
    assert (delivery["outcome"], delivery["unmet"]) == ("delivered", [])
    assert len({received.body for received in consumer.received}) == 1


async def test_an_event_that_no_one_takes(control: Control) -> None:
    """No deliveries, not delivered, and the reason."""
    answer = await control.post("/events", {"event": "run.failed"})
    assert (answer["delivered"], answer["deliveries"]) == (False, [])
    assert answer["explanation"].startswith("run.failed went nowhere: no webhook is registered: ")
    assert (await control.post("/events", {"event": "run.failed", "fault": "lost"}))["deliveries"] == []


async def test_repeats(control: Control, consumer: Consumer) -> None:
    """A step that happens several times does so here too; at speed max its pauses take no time."""
    await control.register(consumer.url)
    step = {"event": "run.failed", "after": "1h", "repeat": 3, "every": "1m", "override": {"run_id": "r{{ index }}"}}
    answer = await control.post("/events", step)
    assert answer["delivered"] is True
    assert [delivery["payload"]["data"]["run_id"] for delivery in answer["deliveries"]] == ["r0", "r1", "r2"]
    stamps = [delivery["timestamp"][14:16] for delivery in answer["deliveries"]]
    assert len(set(stamps)) == 3
    assert answer["explanation"] == "run.failed: 3 planned = 3 delivered + 0 failed + 0 not sent"


async def test_repeats_that_fail_are_explained(control: Control, consumer: Consumer) -> None:
    """The explanation has what was expected and what came."""
    consumer.answers(lambda _: web.Response(status=418))
    await control.register(consumer.url)
    answer = await control.post("/events", {"event": "run.failed", "repeat": 2, "concurrency": 2})
    assert answer["delivered"] is False
    assert len(answer["deliveries"]) == 2
    assert "expected status 2xx, got 418" in answer["explanation"]


async def test_an_effect_is_proved(control: Control, consumer: Consumer) -> None:
    """A change of the consumer's own state is looked for, as in a script."""
    consumer.answers(lambda _: web.json_response({"events": sum(each.body != b"" for each in consumer.received)}))
    await control.register(f"{consumer.url}/hooks")
    effect = {"url": f"{consumer.url}/state", "json": "$.events"}
    good = await control.post("/events", {"event": "run.failed", "expect": {"effect": {**effect, "change": 1}}})
    assert good["explanation"] == "run.failed: 1 planned = 1 delivered + 0 failed + 0 not sent"
    bad = await control.post("/events", {"event": "run.failed", "expect": {"effect": {**effect, "change": 2}}})
    assert "expected an effect of +2, got +1" in bad["explanation"]


@each_row(
    ("body", "message"),
    [
        ("", "the file is empty"),
        (b"\xff", "is not UTF-8"),
        ("- 1", "expected an event step as an object"),
        ({"event": "run.faild"}, "did you mean 'run.failed'"),
        ({"event": "run.failed", "overide": {}}, "unknown key 'overide'"),
        ({"event": "run.failed", "fault": "swap_with_next"}, "needs a next event"),
        ({"event": "run.failed", "repeat": 1001}, "repeat is at most 1000 here"),
        ({"event": "run.failed", "repeat": 1000, "every": "10d"}, "more than ten years"),
        ({"event": "run.failed", "data": {"a": "\ud800"}}, "half of a character"),
    ],
)
async def test_steps_that_are_refused(
    control: Control, consumer: Consumer, body: bytes | dict[str, Any] | str, message: str
) -> None:
    """A sentence says what is wrong, and nothing is sent."""
    await control.register(consumer.url)
    assert message in (await control.call("POST", "/events", body)).fails()
    assert consumer.received == []


async def test_all_problems_are_reported_with_their_places(control: Control) -> None:
    """Line and column of each, for an editor."""
    answer = await control.call("POST", "/events", "event: run.faild\nafer: 2s\nrepeat: 0\n")
    assert answer.status == 400
    problems = answer.json["error"]["problems"]
    assert [(problem["line"], problem["column"]) for problem in problems] == [(1, 8), (2, 1), (3, 9)]
    assert "<event>:1:8: unknown event 'run.faild'" in answer.problem


async def test_an_event_of_ones_own(start: Start, consumer: Consumer) -> None:
    """An event that the settings list may be sent with its data."""
    control = await start(extra_events=["run.started"])
    await control.register(consumer.url, "run.started")
    delivery = await control.event("run.started", data={"run_id": "r"})
    assert delivery["outcome"] == "delivered"
    assert (await control.get("/deliveries?event=run.started"))["deliveries"] == [delivery]
