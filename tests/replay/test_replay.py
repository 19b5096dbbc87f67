"""The replay: order, pacing, fan-out, and an account of every planned event."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from mockserver.errors import DeliveryError
from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock
from tests.presence import present
from tests.receiving import SECRET, Consumer, Received, eventually
from tests.replay.playing import Start, play, script


@pytest.fixture
async def service() -> AsyncIterator[Mock]:
    made = Mock(read_settings(speed="max", timeout=60))
    yield made
    await made.stop()


async def test_events_arrive_signed_in_order_with_the_times_of_the_script(service: Mock, consumer: Consumer) -> None:
    """Each event is posted with the documented body and signature; the timestamps are the script's, at no waiting."""
    service.register(consumer.url + "/hooks", None, SECRET)
    report = await play(
        service,
        "steps:\n- event: run.failed\n- event: run.completed\n  after: 2h\n- {pause: 1d}\n"
        "- event: evaluation.completed\n",
    )
    assert report.ok
    assert consumer.events == ["run.failed", "run.completed", "evaluation.completed"]
    assert [received.payload["timestamp"] for received in consumer.received] == [
        "2024-12-16T10:00:00Z",
        "2024-12-16T12:00:00Z",
        "2024-12-17T12:00:00Z",
    ]
    assert all(received.is_signed_with(SECRET) for received in consumer.received)
    assert consumer.received[0].body == (
        b'{"event":"run.failed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_def456",'
        b'"test_case_id":"tc_xyz789","test_case_name":"Refund Request Flow",'
        b'"failure_summary":"Turn 2 failed: Faithfulness score 0.45 below threshold 0.70"}}'
    )
    assert report.scripted_seconds == 26 * 3600


async def test_an_event_goes_to_every_active_subscriber_with_its_own_secret(service: Mock, consumer: Consumer) -> None:
    """Fan-out: subscribed and active webhooks get it, each signed with its own secret; others do not."""
    service.register(consumer.url + "/a", ["run.failed"], "whsec_a")
    service.register(consumer.url + "/b", ["run.failed", "run.completed"], "whsec_b")
    service.register(consumer.url + "/other", ["run.completed"], "whsec_c")
    inactive = service.register(consumer.url + "/inactive", ["run.failed"], "whsec_d")
    service.webhooks.change(inactive.webhook_id, {"active": False})
    report = await play(service, "steps:\n- event: run.failed\n")
    got = {received.path: received for received in consumer.received}
    assert sorted(got) == ["/a", "/b"]
    assert got["/a"].is_signed_with("whsec_a")
    assert got["/b"].is_signed_with("whsec_b")
    assert (report.planned, report.delivered, len(report.deliveries)) == (1, 1, 2)


async def test_the_record_holds_the_bytes_the_answer_and_the_time(service: Mock, consumer: Consumer) -> None:
    """An attempt shows what went over the wire and what came back."""
    consumer.answers(lambda _: web.Response(status=202, text="taken", headers={"X-Job": "7"}))
    service.register(consumer.url + "/hooks?x=1", None, SECRET)
    await play(service, "steps:\n- event: run.completed\n")
    (delivery,) = service.records.all()
    (attempt,) = delivery.attempts
    assert present(attempt.request).head.startswith(b"POST /hooks?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert present(attempt.request).body == consumer.received[0].body
    assert list(present(attempt.request).headers) == consumer.received[0].headers
    assert (present(attempt.response).status, present(attempt.response).text) == (202, "taken")
    assert ("x-job", "7") in present(attempt.response).headers
    assert attempt.exchange.total_ms > 0
    assert delivery.source == "test.yaml:4"
    assert str(delivery).startswith(f"dlv_000001 run.completed to {consumer.url}/hooks?x=1: delivered, 202 in ")


async def test_settled_steps_wait_for_the_outcome_of_the_one_before(service: Mock, consumer: Consumer) -> None:
    """By default an event is not sent before the answer to the one before it."""

    async def answer(_: Received) -> web.Response:
        await asyncio.sleep(0.01)
        return web.Response()

    consumer.answer = answer
    service.register(consumer.url, None, SECRET)
    await play(service, "steps:\n- event: run.completed\n  repeat: 5\n- event: run.failed\n")
    assert consumer.most_in_flight == 1
    assert consumer.events == ["run.completed"] * 5 + ["run.failed"]


async def test_concurrency_bounds_the_repeats_in_flight(service: Mock, consumer: Consumer) -> None:
    """As many repeats are in flight at once as the step allows, and the next step waits for all."""
    gate = asyncio.Event()

    async def answer(received: Received) -> web.Response:
        if received.event == "run.completed":
            await gate.wait()
        return web.Response()

    consumer.answer = answer
    service.register(consumer.url, None, SECRET)
    running = asyncio.create_task(
        play(service, "steps:\n- event: run.completed\n  repeat: 12\n  concurrency: 4\n- event: run.failed\n")
    )
    await eventually(lambda: consumer.in_flight == 4)
    await asyncio.sleep(0.02)
    assert consumer.in_flight == 4
    gate.set()
    report = await running
    assert report.delivered == 13
    assert consumer.most_in_flight == 4
    assert consumer.events[-1] == "run.failed"


async def test_repeats_follow_their_interval(service: Mock, consumer: Consumer) -> None:
    """Every repeat has the time of its turn, and its own index."""
    service.register(consumer.url, None, SECRET)
    await play(
        service,
        "steps:\n- event: run.failed\n  repeat: 3\n  every: 90s\n  override: {run_id: 'run_{{ index }}'}\n"
        "- event: run.failed\n",
    )
    assert [(each.payload["timestamp"][11:19], each.payload["data"]["run_id"]) for each in consumer.received] == [
        ("10:00:00", "run_0"),
        ("10:01:30", "run_1"),
        ("10:03:00", "run_2"),
        ("10:03:00", "run_def456"),
    ]


async def test_together_sends_at_the_same_time(service: Mock, consumer: Consumer) -> None:
    """Events of a together are in flight at once and have one timestamp."""
    consumer.hold(until=2)
    service.register(consumer.url, None, SECRET)
    report = await play(service, "steps:\n- after: 5s\n  together:\n  - event: run.failed\n  - event: run.completed\n")
    assert report.delivered == 2
    assert {each.payload["timestamp"] for each in consumer.received} == {"2024-12-16T10:00:05Z"}


async def test_timed_pacing_does_not_wait_for_the_consumer(consumer: Consumer) -> None:
    """With pacing timed, events start at their own times while earlier ones are still unanswered."""
    service = Mock(read_settings(speed=100.0))
    gate = asyncio.Event()

    async def answer(received: Received) -> web.Response:
        if received.event == "run.failed":
            gate.set()
        await gate.wait()
        return web.Response()

    consumer.answer = answer
    service.register(consumer.url, None, SECRET)
    report = await play(
        service,
        "pacing: timed\nsteps:\n- event: run.completed\n  repeat: 3\n  every: 1s\n- event: run.failed\n  after: 1s\n",
    )
    assert report.ok
    assert consumer.most_in_flight == 4
    assert consumer.events == ["run.completed"] * 3 + ["run.failed"]


async def test_timed_pacing_at_speed_max_keeps_order_and_times(service: Mock, consumer: Consumer) -> None:
    """A timed script at speed max gives the timestamps of real time: repeats, together, pause and concurrency."""
    service.register(consumer.url, None, SECRET)
    report = await play(
        service,
        "pacing: timed\nsteps:\n- event: run.completed\n  repeat: 2\n  every: 10s\n- pause: 5s\n"
        "- together:\n  - {event: run.failed, repeat: 2, every: 3s}\n  - event: evaluation.completed\n"
        "- {event: run.completed, repeat: 4, concurrency: 2, every: 1s}\n",
    )
    assert report.ok
    times = [(each.event, each.payload["timestamp"][14:19]) for each in consumer.received]
    assert sorted(times, key=lambda item: item[1])[:3] == [
        ("run.completed", "00:00"),
        ("run.completed", "00:10"),
        *[item for item in times if item[1] == "00:15"][:1],
    ]
    assert {item for item in times if item[0] != "run.completed"} == {
        ("run.failed", "00:15"),
        ("run.failed", "00:18"),
        ("evaluation.completed", "00:15"),
    }
    assert [when for event, when in times if event == "run.completed"][2:] == ["00:18", "00:19", "00:20", "00:21"]


async def test_a_refused_event_has_failed_and_says_why(service: Mock, consumer: Consumer) -> None:
    """Statuses that are not 2xx are failures; a redirect is not followed."""
    moved = {"Location": consumer.url + "/elsewhere"}
    consumer.answers(lambda _: web.Response(status=302, headers=moved, text="moved"))
    service.register(consumer.url + "/hooks", None, SECRET)
    report = await play(service, "steps:\n- event: run.failed\n  repeat: 30\n")
    assert (report.planned, report.delivered, report.failed, report.not_sent) == (30, 0, 30, 0)
    assert [received.path for received in consumer.received] == ["/hooks"] * 30
    with pytest.raises(DeliveryError) as caught:
        report.raise_for_failures()
    text = str(caught.value)
    assert "30 planned = 0 delivered + 30 failed + 0 not sent; 30 expectations not met" in text
    assert "test.yaml:4: step 1 (run.failed): expected status 2xx, got 302 (dlv_000001 run.failed to" in text
    assert f"302 (Location: {consumer.url}/elsewhere)" in text
    assert "10 more expectations not met" in text


async def test_an_event_without_a_subscriber_is_not_sent_and_counted(service: Mock, consumer: Consumer) -> None:
    """Planned = delivered + failed + not sent, each with its reason."""
    service.register(consumer.url, ["run.failed"], SECRET)
    report = await play(service, "steps:\n- event: run.failed\n- event: run.completed\n  repeat: 4\n")
    assert (report.planned, report.delivered, report.failed, report.not_sent) == (5, 1, 0, 4)
    assert report.reasons == {"no active webhook is subscribed to run.completed": 4}
    assert not report.ok
    assert report.as_dict()["not_sent"] == 4


async def test_the_scripts_own_webhook_serves_while_nothing_is_registered(service: Mock, consumer: Consumer) -> None:
    """A script brings its own target; a registered webhook takes its place."""
    own = script(f"webhook: {{url: '{consumer.url}/own', secret: whsec_own}}\nsteps:\n- event: run.failed\n")
    assert (await service.replay(own)).ok
    assert consumer.received[0].is_signed_with("whsec_own")
    service.register(consumer.url + "/registered", None, SECRET)
    await service.replay(own)
    assert [received.path for received in consumer.received] == ["/own", "/registered"]


async def test_without_any_target_nothing_is_sent(service: Mock) -> None:
    """The report says that there was nowhere to go."""
    report = await play(service, "steps:\n- event: run.failed\n")
    assert report.reasons == {"no webhook is registered, and the script names none": 1}


async def test_extra_events_are_delivered(service: Mock, consumer: Consumer) -> None:
    """An event type that the script lists itself goes to the script's webhook."""
    own = script(
        f"webhook: {{url: '{consumer.url}', secret: s}}\nextra_events: [agent.created]\n"
        "steps:\n- event: agent.created\n  data: {id: agent_abc123}\n"
    )
    assert (await service.replay(own)).ok
    assert consumer.received[0].payload["data"] == {"id": "agent_abc123"}


@pytest.mark.parametrize("pacing", ["settled", "timed"])
async def test_await_registration_waits_for_the_application(service: Mock, consumer: Consumer, pacing: str) -> None:
    """The script goes on when a webhook for its events is registered, not for another one."""
    running = asyncio.create_task(
        play(
            service,
            f"pacing: {pacing}\nsteps:\n- {{await: registration, events: [run.failed], within: 60s}}\n"
            "- event: run.failed\n",
        )
    )
    await asyncio.sleep(0)
    service.register(consumer.url + "/wrong", ["run.completed"], SECRET)
    await asyncio.sleep(0.01)
    assert not running.done()
    service.register(consumer.url + "/right", ["run.failed"], SECRET)
    report = await running
    assert report.ok
    assert [received.path for received in consumer.received] == ["/right"]


@pytest.mark.parametrize("pacing", ["settled", "timed"])
async def test_a_registration_that_does_not_come_ends_the_script(
    service: Mock, consumer: Consumer, pacing: str
) -> None:
    """What came before was delivered, what comes after is not sent, and the reason names the line."""
    service.register(consumer.url, ["run.completed"], SECRET)
    report = await play(
        service,
        f"pacing: {pacing}\nsteps:\n- event: run.completed\n"
        f"- {{await: registration, events: [run.failed], within: 20ms}}\n"
        "- event: run.failed\n  repeat: 3\n",
    )
    assert (report.delivered, report.not_sent) == (1, 3)
    assert report.halted == (
        "test.yaml:6: no webhook for run.failed was registered within 20ms (registered are webhooks for run.completed)"
    )
    assert report.halted in report.explanations()


async def test_any_registration_will_do_when_no_events_are_named(service: Mock) -> None:
    """Without events, any webhook ends the waiting; without any, the report says that nothing was registered."""
    report = await play(service, "steps:\n- {await: registration, within: 0}\n- event: run.failed\n")
    assert "nothing was registered" in report.halted


async def test_a_stopped_replay_accounts_for_everything(service: Mock, consumer: Consumer) -> None:
    """Cancelled in the middle: delivered, in flight and not yet sent add up."""
    hang = asyncio.Event()

    async def answer(received: Received) -> web.Response:
        if received.payload["data"]["run_id"] == "run_2":
            await hang.wait()
        return web.Response()

    consumer.answer = answer
    service.register(consumer.url, None, SECRET)
    replay = service.replaying(
        script(
            "steps:\n- event: run.failed\n  repeat: 10\n  override: {run_id: 'run_{{ index }}'}\n"
            "- event: run.completed\n"
        )
    )
    running = asyncio.create_task(replay.run())
    await eventually(lambda: len(consumer.received) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    hang.set()
    report = replay.report
    assert (report.planned, report.delivered, report.failed, report.not_sent) == (11, 2, 0, 9)
    assert report.reasons == {"the replay was stopped": 8, "interrupted, outcome unknown": 1}
    assert not report.unmet


async def test_a_template_that_fails_counts_its_event_as_not_sent(service: Mock, consumer: Consumer) -> None:
    """An expression that only some values break does not stop the replay, and is not passed over."""
    service.register(consumer.url, None, SECRET)
    report = await play(
        service, "steps:\n- event: run.failed\n  repeat: 3\n  override: {run_id: 'run_{{ 1 // (index - 1) }}'}\n"
    )
    assert (report.delivered, report.not_sent) == (2, 1)
    assert "zero" in next(iter(report.reasons))


async def test_same_script_seed_and_start_give_the_same_bytes(consumer: Consumer) -> None:
    """Repeatable, also with many in flight; another seed gives others."""

    async def bodies(seed: int) -> list[bytes]:
        service = Mock(read_settings(speed="max"))
        service.register(consumer.url, None, SECRET)
        consumer.received.clear()
        text = (
            f"seed: {seed}\nsteps:\n- event: run.failed\n  repeat: 40\n  concurrency: 10\n  every: 1s\n"
            "  override: {run_id: \"{{ new_id('run') }}\", failure_summary: '{{ words(4) }} {{ uuid() }}'}\n"
        )
        try:
            assert (await play(service, text)).ok
        finally:
            await service.stop()
        return sorted(received.body for received in consumer.received)

    first = await bodies(1)
    assert len(set(first)) == 40
    assert await bodies(1) == first
    assert await bodies(2) != first


async def test_the_record_is_bounded_and_the_report_still_adds_up(start: Start) -> None:
    """At the limit the oldest deliveries go, a counter says so, and every event is accounted for."""
    service = start(speed="max", max_deliveries=10)
    report = await play(service, "steps:\n- event: run.failed\n  repeat: 50\n  concurrency: 5\n")
    assert report.delivered == 50
    assert len(report.deliveries) == len(service.records.all()) == 10
    assert service.records.dropped == 40


async def test_recorded_bytes_are_bounded(start: Start, consumer: Consumer) -> None:
    """Large answers push out the oldest deliveries, and the report does not keep them in memory."""
    consumer.answers(lambda _: web.Response(body=b"x" * 50_000))
    service = start(speed="max", max_recorded_bytes=200_000)
    report = await play(service, "steps:\n- event: run.failed\n  repeat: 10\n")
    assert report.delivered == 10
    assert 2 <= len(service.records) <= 4
    assert 2 <= len(report.deliveries) <= 4


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_stopped_twice_it_still_adds_up(service: Mock, consumer: Consumer, turns: int) -> None:
    """A second cancellation, while the first is under way, leaves nothing running and nothing uncounted."""
    hang = consumer.hold()
    service.register(consumer.url, None, SECRET)
    replay = service.replaying(script("steps:\n- event: run.failed\n  repeat: 20\n  concurrency: 6\n"))
    running = asyncio.create_task(replay.run())
    await eventually(lambda: consumer.in_flight == 6)
    running.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    report = replay.report
    assert (report.planned, report.delivered, report.failed, report.interrupted) == (20, 0, 0, 6)
    hang.set()
    await asyncio.sleep(0)
    assert (report.failed, report.not_sent) == (0, 20)


async def test_what_waits_for_its_turn_is_not_sent_when_it_is_stopped(consumer: Consumer) -> None:
    """Two may be in flight: of six webhooks, two are interrupted, four not sent, none stays pending."""
    hang = consumer.hold()
    mock = Mock(read_settings(speed="max", max_concurrency=2))
    for _ in range(6):
        mock.register(consumer.url, None, SECRET)
    running = asyncio.create_task(mock.replay(script("steps:\n- event: run.failed\n")))
    await eventually(lambda: consumer.in_flight == 2)
    running.cancel()
    await asyncio.wait([running])
    assert sorted(delivery.outcome for delivery in mock.records.all()) == ["interrupted"] * 2 + ["not_sent"] * 4
    hang.set()
    await mock.stop()


@pytest.mark.parametrize("body", [b'{"status":"caf\xe9"}', b"[" * 30_000, b"[" * 900 + b"]" * 900, b"\x00", b""])
async def test_whatever_is_answered_the_delivery_counts_as_it_happened(
    service: Mock, consumer: Consumer, body: bytes
) -> None:
    """An answer that cannot be decoded is an unmet expectation, and the replay goes on."""
    consumer.answers(lambda _: web.Response(body=body))
    service.register(consumer.url, None, SECRET)
    report = await play(service, "steps:\n- event: run.failed\n  repeat: 2\n  expect: {body: {json: {status: ok}}}\n")
    assert (report.delivered, report.failed, report.not_sent, report.unmet) == (2, 0, 0, 2)
    assert "expected a JSON body" in report.explanations()[0]
