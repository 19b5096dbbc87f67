"""Faults, retries, expectations and effects in a replay, seen by a real consumer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from mockserver.errors import DeliveryError, ScriptError, UsageError
from mockserver.model.settings import read_settings
from mockserver.script.model import EventStep
from mockserver.server.mock import Mock
from tests.presence import present
from tests.receiving import SECRET, Consumer, Received, eventually
from tests.replay.playing import Start, play, script
from tests.tables import each_row

HOUR = 3600.0


@pytest.fixture
async def service(consumer: Consumer) -> AsyncIterator[Mock]:
    made = Mock(read_settings(speed="max", timeout=60))
    made.register(consumer.url + "/hooks", None, SECRET)
    yield made
    await made.stop()


def step_of(text: str) -> EventStep:
    """The one step of a script."""
    (step,) = script(f"steps:\n- {text}\n").steps
    assert isinstance(step, EventStep)
    return step


def verifying(consumer: Consumer) -> None:
    """Make the consumer refuse what is not signed as the vendor's page says."""
    consumer.answers(lambda received: web.Response(status=200 if received.is_signed_with(SECRET) else 401))


def failing(consumer: Consumer, *statuses: int, headers: Any = None) -> None:
    """Make the consumer answer these statuses one after another, then 200."""
    left = list(statuses)

    consumer.answers(lambda _: web.Response(status=left.pop(0) if left else 200, headers=headers))


def times(service: Mock) -> list[float]:
    """When each attempt was made, in seconds after the start of the script."""
    return [attempt.at - 1734343200 for delivery in service.records.all() for attempt in delivery.attempts]


async def test_a_consumer_that_refuses_forgeries_passes(service: Mock, consumer: Consumer) -> None:
    """Without an expectation, a signature fault must be refused, and an ordinary event must not."""
    verifying(consumer)
    report = await play(
        service, "steps:\n- event: run.failed\n- {event: run.failed, fault: wrong_secret}\n- event: run.completed\n"
    )
    assert report.ok
    report.raise_for_failures()
    assert (report.delivered, report.failed, report.unmet) == (2, 1, 0)
    assert [delivery.faults for delivery in report.deliveries] == [(), ("wrong_secret",), ()]


async def test_a_consumer_that_accepts_forgeries_is_told_by_line(service: Mock) -> None:
    """The report names script, line, step, event, what was expected and what came."""
    report = await play(service, "steps:\n- event: run.failed\n- {event: run.failed, fault: tampered_body}\n")
    assert not report.ok
    with pytest.raises(DeliveryError) as caught:
        report.raise_for_failures()
    assert (
        "test.yaml:5: step 2 (run.failed [tampered_body]): expected status 4xx, got 200 (dlv_000002 run.failed to"
        in str(caught.value)
    )
    assert report.as_dict()["unmet"] == 1


async def test_an_expectation_of_the_step_wins(service: Mock, consumer: Consumer) -> None:
    """A step can say that a fault is to be accepted, or an event refused."""
    verifying(consumer)
    text = (
        "steps:\n- {event: run.failed, fault: trailing_newline, expect: {status: 2xx}}\n"
        "- {event: run.failed, fault: wrong_secret, expect: {status: [400, 401]}}\n"
        "- {event: run.failed, fault: {slow_headers: 20ms}}\n"
        "- {event: run.failed, expect: {status: 500}}\n"
    )
    report = await play(service, text)
    assert [step.unmet for step in report.steps] == [0, 0, 0, 1]
    assert report.explanations()[0].startswith("test.yaml:7: step 4 (run.failed): expected status 500, got 200 (dlv_")


async def test_expectations_as_defaults(service: Mock, consumer: Consumer) -> None:
    """What is in the defaults is expected of every event step that does not say otherwise."""
    failing(consumer, 202, 202, 202)
    text = (
        "defaults: {expect: {status: 202, within: 4s}}\nsteps:\n- event: run.failed\n"
        "- together: [{event: run.failed}]\n- {event: run.failed, expect: {status: 200}}\n"
    )
    report = await play(service, text)
    assert [step.unmet for step in report.steps] == [0, 0, 1]


async def test_retries_send_the_same_bytes_on_schedule(service: Mock, consumer: Consumer) -> None:
    """A schedule in the script: three attempts at their times, one body, one timestamp, and then success."""
    failing(consumer, 500, 503)
    report = await play(
        service, "retry: [0s, 1s, 4s]\nsteps:\n- {event: run.failed, expect: {attempts: 3}}\n- event: run.completed\n"
    )
    assert report.ok
    assert times(service) == [0.0, 1.0, 5.0, 5.0]
    assert len({received.body for received in consumer.received[:3]}) == 1
    assert consumer.received[3].payload["timestamp"] == "2024-12-16T10:00:05Z"
    assert [attempt.number for attempt in report.deliveries[0].attempts] == [1, 2, 3]
    assert "after 3 attempts" in str(report.deliveries[0])


async def test_three_days_of_retries_take_no_time(service: Mock, consumer: Consumer) -> None:
    """At speed max a named policy runs through in moments, with the times of real days."""
    failing(consumer, *[500] * 100)
    report = await play(service, "retry: standard_webhooks\nsteps:\n- event: run.failed\n")
    assert report.failed == 1
    assert len(times(service)) == 10
    assert times(service)[-1] > 60 * HOUR
    assert report.scripted_seconds > 60 * HOUR


async def test_retries_that_are_due_in_between_keep_the_order_of_time(service: Mock, consumer: Consumer) -> None:
    """With timed pacing, an event's retries and later events happen in the order of their times."""
    left = {"run.failed": 2}

    async def answer(received: Received) -> web.Response:
        left[received.event] = left.get(received.event, 0) - 1
        return web.Response(status=500 if left[received.event] >= 0 else 200)

    consumer.answer = answer
    await play(
        service,
        "pacing: timed\nretry: [0s, 10s, 10s]\nsteps:\n- event: run.failed\n"
        "- {event: run.completed, after: 5s}\n- {event: run.completed, after: 10s}\n"
        "- {event: run.completed, after: 10s}\n",
    )
    assert consumer.events == [
        "run.failed",
        "run.completed",
        "run.failed",
        "run.completed",
        "run.failed",
        "run.completed",
    ]


async def test_a_policy_of_the_settings_and_one_of_the_step(start: Start, consumer: Consumer) -> None:
    """The step's policy wins over the script's, and that over the settings'."""
    failing(consumer, *[500] * 20)
    service = start(speed="max", retry=(0, 1))
    text = (
        "{}steps:\n- event: run.failed\n- {{event: run.failed, retry: [0, 1, 1, 1]}}\n"
        "- {{event: run.failed, retry: none}}\n"
    )
    await play(service, text.format(""))
    assert [len(each.attempts) for each in service.records.all()] == [2, 4, 1]
    service.records.clear()
    await play(service, text.format("retry: [0, 1, 1]\n"))
    assert [len(each.attempts) for each in service.records.all()] == [3, 4, 1]
    with pytest.raises(UsageError, match="did you mean 'stripe'"):
        Mock(read_settings(retry="stripee"))


async def test_gone_deactivates_the_webhook(service: Mock, consumer: Consumer) -> None:
    """Where the policy says so, 410 ends the delivery and the webhook."""
    failing(consumer, 410)
    report = await play(
        service,
        "retry: {schedule: [0, 1, 1], gone_deactivates: true}\nsteps:\n- event: run.failed\n- event: run.failed\n",
    )
    assert len(consumer.received) == 1
    assert [webhook.active for webhook in service.webhooks.all()] == [False]
    assert report.reasons == {"no active webhook is subscribed to run.failed": 1}


async def test_failures_in_a_row_deactivate_the_webhook(service: Mock, consumer: Consumer) -> None:
    """After a number of failed deliveries in a row; a success in between starts the count again."""
    failing(consumer, 500, 500, 200, 500, 500, 500)
    await play(service, "retry: {schedule: [0], deactivate_after: 3}\nsteps:\n- {event: run.failed, repeat: 8}\n")
    assert len(consumer.received) == 6
    assert not service.webhooks.all()[0].active


async def test_a_replay_that_is_stopped_between_attempts_keeps_the_attempt(start: Start, consumer: Consumer) -> None:
    """What was sent is on record, and its last result is that of the attempt."""
    failing(consumer, *[500] * 5)
    service = start(retry=(0, 3600))
    replay = service.replaying(script("steps:\n- event: run.failed\n"))
    running = asyncio.create_task(replay.run())
    await eventually(lambda: any(each.attempts for each in service.records.all()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (delivery,) = service.records.all()
    assert (delivery.outcome, delivery.attempts[-1].result) == ("failed", "500")
    assert replay.report.failed == 1


async def test_duplicates(service: Mock, consumer: Consumer) -> None:
    """The same bytes several times, one after another or all together; one event, accepted only if all are."""

    async def answer(_: Received) -> web.Response:
        for _turn in range(3):
            await asyncio.sleep(0)
        return web.Response()

    consumer.answer = answer
    report = await play(service, "steps:\n- {event: run.failed, fault: {duplicate: 3}}\n")
    assert (report.planned, report.delivered, len(consumer.received)) == (1, 1, 3)
    assert len({received.body for received in consumer.received}) == 1
    assert consumer.most_in_flight == 1


async def test_concurrent_duplicates_are_released_together(service: Mock, consumer: Consumer) -> None:
    """All copies are in flight at once."""
    consumer.hold(until=5)
    report = await play(service, "steps:\n- {event: run.failed, fault: {concurrent_duplicates: 5}}\n")
    assert report.delivered == 1
    assert consumer.most_in_flight == 5


async def test_lost_events_are_accounted_for_and_no_failure(service: Mock, consumer: Consumer) -> None:
    """Lost on purpose: not sent, with its reason, and the report is well."""
    report = await play(service, "steps:\n- {event: run.failed, fault: lost, repeat: 2}\n- event: run.failed\n")
    assert report.ok
    assert report.reasons == {"lost on purpose": 2}
    assert len(consumer.received) == 1
    assert report.explanations() == []


async def test_stale_events_have_an_old_timestamp_and_a_good_signature(service: Mock, consumer: Consumer) -> None:
    """The payload says that it happened an hour ago."""
    await play(service, "steps:\n- {event: run.failed, fault: {stale: 1h}}\n")
    assert consumer.received[0].payload["timestamp"] == "2024-12-16T09:00:00Z"
    assert consumer.received[0].is_signed_with(SECRET)


@pytest.mark.parametrize("pacing", ["settled", "timed"])
async def test_swapped_events_arrive_after_the_next_one(service: Mock, consumer: Consumer, pacing: str) -> None:
    """The later event arrives first, each with its own time; one that has no next is sent at the end."""
    report = await play(
        service,
        f"pacing: {pacing}\nsteps:\n- {{event: run.failed, fault: swap_with_next}}\n"
        f"- {{event: run.completed, after: 5s}}\n"
        "- {event: evaluation.completed, after: 1s}\n- {event: run.failed, after: 1s, fault: swap_with_next}\n",
    )
    assert report.delivered == 4
    assert [(each.event, each.payload["timestamp"][17:19]) for each in consumer.received] == [
        ("run.completed", "05"),
        ("run.failed", "00"),
        ("evaluation.completed", "06"),
        ("run.failed", "07"),
    ]


async def test_the_effect_of_a_step_is_proved(service: Mock, consumer: Consumer) -> None:
    """A probe before and after: refused means no effect, a duplicate has one effect."""
    handled: set[str] = set()
    effects = 0

    async def answer(received: Received) -> web.Response:
        nonlocal effects
        if received.path == "/count":
            return web.json_response({"count": effects})
        if not received.is_signed_with(SECRET):
            effects += 1  # the mistake: it acts, then refuses
            return web.Response(status=401)
        if received.payload["data"]["run_id"] not in handled:
            handled.add(received.payload["data"]["run_id"])
            effects += 1
        return web.Response()

    consumer.answer = answer
    effect = f"effect: {{url: '{consumer.url}/count', json: $.count, change: 1}}"
    none = effect.replace("change: 1", "change: 0")
    report = await play(
        service,
        f"steps:\n- {{event: run.failed, fault: {{duplicate: 2}}, expect: {{status: 2xx, {effect}}}}}\n"
        f"- {{event: run.failed, expect: {{{none}}}}}\n"
        f"- {{event: run.failed, fault: wrong_secret, expect: {{{none}}}}}\n"
        f"- together: [{{event: run.completed, override: {{run_id: run_2}}, expect: {{{effect}}}}}]\n",
    )
    assert [step.unmet for step in report.steps] == [0, 0, 1, 0]
    assert report.explanations() == [
        "test.yaml:6: step 3 (run.failed [wrong_secret]): expected an effect of +0, got +1 (from 1 to 2)"
    ]


async def test_an_effect_may_come_later(service: Mock, consumer: Consumer) -> None:
    """A consumer that answers first and works later has the time that within gives it."""
    count = 0

    async def answer(received: Received) -> web.Response:
        nonlocal count
        if received.path == "/state":
            count += 1
            return web.json_response({"state": "done" if count > 3 else "new"})
        return web.Response()

    consumer.answer = answer
    text = "steps:\n- event: run.failed\n  expect: {effect: {url: '%s/state', json: $.state, to: done, within: %s}}\n"
    assert (await play(service, text % (consumer.url, "10s"))).ok
    count = 0
    report = await play(service, text % (consumer.url, "0"))
    assert "expected the effect 'done', got 'new'" in report.explanations()[0]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"status": 500}], "answered 500"),
        ([{"text": '{"count": 1}'}, {"status": 500}], "answered 500"),
        ([{"text": "x"}], "did not answer JSON"),
        ([{"text": "[" * 30_000}], "nested more than 200 levels deep"),
        ([{"text": "{}"}], r"finds 0 values in the answer"),
        ([{"text": '{"count": [1, 2]}'}] * 2, "expected a number before and after"),
    ],
)
async def test_a_probe_that_cannot_be_read_is_told(
    service: Mock, consumer: Consumer, answers: list[dict[str, Any]], message: str
) -> None:
    """The event of a step whose effect cannot be measured is not sent, unless the probe breaks only afterwards."""
    left = iter(answers)
    consumer.answers(lambda received: web.Response(**next(left)) if received.path == "/count" else web.Response())
    report = await play(
        service,
        "steps:\n"
        f"- event: run.failed\n  expect: {{effect: {{url: '{consumer.url}/count', json: $.count, change: 1}}}}\n",
    )
    assert not report.ok
    assert message in report.explanations()[0]
    assert [received.path for received in consumer.received].count("/hooks") == len(answers) - 1


async def test_an_unreachable_probe_is_told(service: Mock) -> None:
    """Nothing listens at the probe's address."""
    report = await play(
        service, "steps:\n- event: run.failed\n  expect: {effect: {url: 'http://127.0.0.1:9/', change: 0}}\n"
    )
    assert "got no answer" in report.explanations()[0]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_probe_can_be_a_function(service: Mock, consumer: Consumer, kind: str) -> None:
    """The Python API registers functions by name."""

    def count() -> int:
        return sum(received.path == "/hooks" for received in consumer.received)

    async def acount() -> int:
        return count()

    service.prober.functions["count"] = count if kind == "sync" else acount
    report = await play(
        service, "steps:\n- {event: run.failed, repeat: 3, expect: {effect: {probe: count, change: 3}}}\n"
    )
    assert report.ok


async def test_probe_functions_that_are_missing_or_fail(service: Mock) -> None:
    """Both are in the report."""

    def broken() -> None:
        raise KeyError("table")

    text = "steps:\n- {event: run.failed, expect: {effect: {probe: count, change: 3}}}\n"
    report = await play(service, text)
    assert "no probe 'count' is registered (none is): register it with mock.probe('count', ...)" in str(
        report.explanations()
    )
    service.prober.functions["count"] = broken
    report = await play(service, text)
    assert "the probe 'count' fails: KeyError: 'table'" in report.explanations()[0]


@each_row(
    ("step", "problem"),
    [
        ("fault: wrong_secrt", "did you mean 'wrong_secret'"),
        ("fault: [wrong_secret, missing_signature]", "test.yaml:4:"),
        ("fault: {missing_field: data.nope}", "nope"),
        ("fault: {null_field: data.nope}, repeat: 2", "nope"),
        ("retry: stripee", "did you mean 'stripe'"),
        ("retry: [1s]", "test.yaml:4:"),
        (
            "expect: {status: 20x}",
            "expected a status such as 401, a class such as 2xx, any, or a list of these, not '20x'",
        ),
        ("expect: {status: []}", "not an empty list"),
        ("expect: {status: [600]}", "not 600"),
        ("expect: {staus: 200}", "did you mean 'status'"),
        ("expect: [200]", "expected expect as an object"),
        ("expect: {within: soon}", "expected a duration"),
        ("expect: {body: 5}", "expected the expected body as an object"),
        ("expect: {body: {jsn: 5}}", "did you mean 'json'"),
        ("expect: {headers: [a]}", "expected headers as an object"),
        ("expect: {headers: {a: 5}}", "expected text, not 5"),
        ("expect: {attempts: 0}", "whole number from 1 to 100"),
        ("expect: {effect: {url: 'http://a/'}}", "an effect has either change or to"),
        ("expect: {effect: {url: 'http://a/', probe: x, change: 1}}", "an effect has either url or probe"),
        ("expect: {effect: {url: 'http://a/', json: '$..[', change: 1}}", "not a JSONPath such as $.count"),
        ("expect: {effect: {url: 'http://a/', json: 5, change: 1}}", "expected text"),
        ("expect: {effect: {url: 'http://a/', change: x}}", "expected a number, not 'x'"),
        ("expect: {effect: 5}", "expected an effect as an object"),
    ],
)
def test_problems_of_these_keys(step: str, problem: str) -> None:
    """Mistakes in fault, retry and expect are reported with their place before anything is sent."""
    with pytest.raises(ScriptError) as caught:
        script(f"steps:\n- {{event: run.failed, {step}}}\n")
    assert problem in str(caught.value)


def test_all_that_can_be_expected_can_be_written() -> None:
    """Every form of expect is read."""
    step = step_of(
        "event: run.failed\n  retry: stripe\n  fault: [{slow_body: 2s}, lowercase_headers]\n"
        "  expect:\n    status: [2XX, 404, any]\n    within: 3s\n    body: {contains: a, equals: b, json: null}\n"
        "    headers: {Content-Type: text/plain}\n    attempts: 2\n"
        "    effect: {probe: count, json: $.a, to: null, within: 1s}"
    )
    assert step.expect.status == ("2xx", "404", "any")
    assert present(step.expect.body).json is None
    assert present(step.expect.effect).to is None
    assert present(step.retry).name == "stripe"
    step = step_of("{event: run.failed, expect: {body: ok}}")
    assert present(step.expect.body).equals == "ok"
    assert step.expect.status == ("2xx",)


async def test_send_with_a_fault(service: Mock, consumer: Consumer) -> None:
    """One event outside of a script, with a defect: judged by the same defaults."""
    verifying(consumer)
    step = step_of("{event: run.failed, fault: empty_signature}")
    sent = await service.send(step)
    assert (sent.delivered, sent.deliveries[0].unmet) == (False, ())
    step = step_of("{event: run.failed, fault: lost}")
    assert str(await service.send(step)) == "run.failed was lost on purpose"
    step = step_of("{event: run.failed, fault: swap_with_next}")
    with pytest.raises(UsageError, match="needs a next event"):
        await service.send(step)


async def test_resend(service: Mock, consumer: Consumer) -> None:
    """The same bytes once more, or with a new timestamp and signature."""
    step = step_of("event: run.failed")
    (first,) = (await service.send(step)).deliveries
    again = await service.resend(first)
    fresh = await service.resend(first, fresh=True)
    bodies = [received.body for received in consumer.received]
    assert bodies[0] == bodies[1]
    assert consumer.received[0].headers == consumer.received[1].headers
    assert fresh.data == first.data
    assert (again.delivered, fresh.delivered, again.source) == (True, True, "resend of dlv_000001")
    assert all(received.is_signed_with(SECRET) for received in consumer.received)
    service.webhooks.clear()
    with pytest.raises(UsageError, match="is gone"):
        await service.resend(first)


async def test_stepped_time(start: Start, consumer: Consumer) -> None:
    """Advanced by hand, exactly what became due has happened; an event with retries waits for its time."""
    failing(consumer, 500, 500)
    service = start(speed="stepped", retry=(0, 60, 60))
    step = step_of("event: run.failed")
    (delivery,) = (await service.send(step)).deliveries
    assert (delivery.outcome, len(delivery.attempts)) == ("pending", 1)
    await service.advance(59)
    assert len(delivery.attempts) == 1
    await service.advance(1)
    assert (delivery.outcome, len(delivery.attempts)) == ("pending", 2)
    running = service.start_replay(script("steps:\n- {event: run.completed, after: 30s, repeat: 2, every: 1h}\n"))
    await service.advance(60)
    assert (delivery.outcome, len(delivery.attempts)) == ("delivered", 3)
    assert (running.done, running.report.delivered) == (False, 1)
    await service.advance(HOUR)
    assert (await running.wait()).ok
    running = service.start_replay(script("steps:\n- pause: 1h\n- event: run.failed\n"))
    report = await running.stop()
    assert report.reasons == {"the replay was stopped": 1}
    with pytest.raises(UsageError, match="speed='stepped'"):
        await Mock(read_settings()).advance(1)


async def test_ended_replays_are_forgotten_at_some_time(service: Mock) -> None:
    """Only the last hundred that are over can be asked for."""
    for _ in range(103):
        await service.start_replay(script("steps:\n- pause: 1s\n")).wait()
    assert len(service.replays) <= 101
    assert "rpl_000103" in service.replays


async def test_swapping_repeats_swaps_each_with_the_next(service: Mock, consumer: Consumer) -> None:
    """Repeats with the fault change places in pairs, and none of them is held for long."""
    step = "{event: run.failed, fault: swap_with_next, repeat: 6, override: {run_id: 'run_{{ index }}'}}"
    await play(service, f"steps:\n- {step}\n")
    assert [each.payload["data"]["run_id"] for each in consumer.received] == [
        "run_1",
        "run_0",
        "run_3",
        "run_2",
        "run_5",
        "run_4",
    ]


async def test_many_different_reasons_are_put_together(service: Mock) -> None:
    """An account of what was not sent stays short, and complete."""
    run_id = "{{ words(1 if index == 0 else 20000 + index) }}"
    text = f"steps:\n- {{event: run.failed, repeat: 50, override: {{run_id: '{run_id}'}}}}\n"
    report = await play(service, text)
    assert (report.not_sent, len(report.reasons)) == (49, 21)
    assert report.reasons["other reasons"] == 29


async def test_a_refusal_that_is_expected_is_not_retried(service: Mock, consumer: Consumer) -> None:
    """A forged event that was refused needs no second attempt, whatever the policy."""
    verifying(consumer)
    report = await play(
        service,
        "retry: svix\nsteps:\n- {event: run.failed, fault: wrong_secret}\n- {event: run.failed, fault: stale}\n",
    )
    assert report.ok
    assert len(consumer.received) == 2
    assert report.scripted_seconds == 0
