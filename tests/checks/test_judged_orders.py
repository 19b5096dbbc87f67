"""What is made of orders: which one is named, and what differs between two ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks.context import status_of
from tests.checks.consumer import Consumer
from tests.checks.judged import Hooks, Judged, Key, instead, weighing

RUNS = ("run.failed", "run.completed")


async def test_an_order_is_not_made_smaller_than_what_fails_in_order_too(judged: Judged) -> None:
    """An optimization without its run is refused in any order: so the run is part of the smallest order."""
    consumer = Hooks()

    def answer(_: Key) -> web.Response | None:
        run = consumer.payloads[-1]["data"].get("validation_run_id", "run_abc789")  # the sample's, known from before
        known = run == "run_abc789" or ("run.completed", run) in consumer.seen
        return None if known else web.Response(status=409)

    finding = await judged.finding(instead(consumer, answer), "PG078", probed=True)
    assert finding.verdict == "fail"
    assert finding.summary == "optimization.completed before run.completed: optimization.completed answered 409"
    assert finding.evidence[0].event.type == "optimization.completed"
    assert status_of(finding.evidence[0]) == 409


class ForgetsFailures(Hooks):
    """A run that has completed does not fail any more."""

    @override
    def effect(self, event: str) -> None:
        last = next(seen for name, seen in self.order if name == event)
        self.count += not (event == "run.failed" and ("run.completed", last) in self.seen)

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        self.order.insert(0, key)
        return await super().take(key)

    def __init__(self) -> None:
        super().__init__()
        self.order: list[tuple[str, str]] = []


async def test_an_effect_that_order_takes_away_is_reported(judged: Judged) -> None:
    finding = await judged.finding(ForgetsFailures(), "PG078", probed=True)
    assert finding.summary == "run.completed before run.failed: the effect is 1, in order it is 2"
    assert [delivery.event.type for delivery in finding.evidence] == ["run.completed", "run.failed"]


def remembering(what: Callable[[dict[str, Any]], Any]) -> tuple[Hooks, dict[str, Any]]:
    """A consumer that keeps a state of each run: what this function makes of a payload, the last one wins."""
    states: dict[str, Any] = {}
    consumer = Hooks()
    webhook = consumer.webhook

    async def remember(request: web.Request) -> web.Response:
        answer = await webhook(request)
        payload = consumer.payloads[-1]
        states[payload["data"].get("run_id")] = what(payload)
        return answer

    consumer.change(webhook=remember)
    return consumer, states


@pytest.mark.parametrize(
    ("what", "difference"),
    [
        (lambda payload: {"latest": payload["event"]}, "$.latest is 'run.failed', in order it is 'run.completed'"),
        (lambda payload: {"at": payload["timestamp"]}, "$.at is '<1>', in order it is '<2>'"),
        (lambda payload: payload["event"], "$ is 'run.failed', in order it is 'run.completed'"),
    ],
    ids=["event", "timestamp", "scalar"],
)
async def test_a_state_that_the_last_event_wins_is_found_out(
    what: Callable[..., Any], difference: str, judged: Judged
) -> None:
    """The counts are the same in every order, the states are not; timestamps are known by their place in the run."""
    consumer, states = remembering(what)
    finding = await judged.finding(consumer, "PG079", probed=True, events=RUNS, state=states.get)
    assert finding.verdict == "fail"
    assert finding.summary == f"run.completed before run.failed: the state {difference}"


async def test_what_differs_from_one_run_to_the_next_says_nothing_of_orders(judged: Judged) -> None:
    """A number of the consumer's own is another one each time, and so no difference."""
    consumer, numbers = Hooks(), itertools.count()

    def state(object_id: str) -> dict[str, Any]:
        return {"id": object_id, "read": next(numbers), "events": [each[0] for each in consumer.seen]}

    def sound(object_id: str) -> dict[str, Any]:
        return {**state(object_id), "events": sorted(event for event, seen in consumer.seen if seen == object_id)}

    finding = await judged.finding(consumer, "PG079", probed=True, state=sound)
    assert (finding.verdict, finding.summary) == (
        "pass",
        "4 events in 9 orders come to the same state",
    )


async def test_without_a_state_it_is_said_that_the_effects_alone_were_compared(judged: Judged) -> None:
    """And with two events there is but one other order."""
    report = await judged.report(Consumer(), "PG078", "PG079", probed=True, events=RUNS)
    assert report.finding("PG078").summary == "2 events in 2 orders are handled alike"
    assert report.finding("PG079").summary == "needs --state, to see what became of an object"


async def test_who_does_not_come_to_the_same_end_twice_is_not_judged_by_orders(judged: Judged) -> None:
    """Its effects alternate, whatever comes."""
    consumer = Consumer()
    weighing(lambda _: 1 + len(consumer.seen) % 2, consumer)
    finding = await judged.finding(
        consumer, "PG078", probed=True, events=("run.failed", "run.completed", "evaluation.completed")
    )
    assert (finding.verdict, finding.summary) == (
        "inconclusive",
        "the events in order do not come to the same end twice",
    )


async def test_who_refuses_events_in_order_is_not_judged_by_orders(judged: Judged) -> None:
    """What is refused anyway says nothing of the order."""
    consumer = Consumer()

    def answer(key: Key) -> web.Response | None:
        known = key not in consumer.seen and key[1] in {seen for _, seen in consumer.seen}
        return web.Response(status=409) if known else None

    finding = await judged.finding(instead(consumer, answer), "PG078", probed=True)
    assert finding.verdict == "inconclusive"
    assert status_of(finding.evidence[0]) == 409


async def test_all_that_the_events_of_one_run_mention_is_that_run(judged: Judged) -> None:
    """An optimization names the run that validated it: the same as the others are about."""
    consumer = Hooks()
    await judged.finding(consumer, "PG078", probed=True)
    mentioned = [each["data"]["validation_run_id"] for each in consumer.payloads if "optimization" in each["event"]]
    runs = {each["data"]["run_id"] for each in consumer.payloads if each["event"].startswith("run.")}
    assert len(runs & set(mentioned)) == 10
