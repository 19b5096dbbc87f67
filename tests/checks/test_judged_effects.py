"""What is made of effects: of duplicates, of several events at once, and of a probe's readings."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks.effects import AccessError, ConsumerAccess, Effects
from mockserver.errors import UsageError
from tests.checks.checked import checked
from tests.checks.consumer import Consumer
from tests.checks.judged import Hooks, Judged, Key, by_hand, instead, late, weighing

RUNS = ("run.failed", "run.completed")


def again(consumer: Consumer, then: Callable[[Key], web.Response]) -> Consumer:
    """Whatever comes a second time is met with ``then``."""
    return instead(consumer, lambda key: then(key) if key in consumer.seen else None)


# ---------------------------------------------------------------- duplicates


@pytest.mark.parametrize(
    ("unit", "change", "effects"),
    [(1, 1, "2 effects"), (2, 2, "2 effects"), (2, 1, "1.5 effects"), (1, -1, "no effect"), (-1, -1, "2 effects")],
)
async def test_a_second_effect_is_reported_in_effects_and_not_in_counts(
    unit: int, change: int, effects: str, judged: Judged
) -> None:
    """Whatever one event counts for; and an effect that is taken back is none."""
    consumer = weighing(lambda _: unit)

    def more(_: object) -> web.Response:
        consumer.count += change
        return web.Response()

    finding = await judged.finding(again(consumer, more), "PG072", probed=True)
    assert (finding.verdict, finding.summary) == ("fail", f"two deliveries of one event had {effects}")
    assert len(finding.evidence) == 2


async def test_a_duplicate_that_breaks_the_consumer_is_a_failure_though_it_has_one_effect(judged: Judged) -> None:
    """It would be sent again and again."""
    consumer = again(Consumer(), lambda _: web.Response(status=500))
    finding = await judged.finding(consumer, "PG072", probed=True)
    assert finding.verdict == "fail"
    assert finding.summary.startswith("two deliveries of one event: one effect, but 1 answered 500")


async def test_whether_a_duplicate_is_accepted_is_unknown_where_the_first_is_not(judged: Judged) -> None:
    """There is no duplicate then."""
    consumer = Consumer()
    instead(consumer, lambda _: None if len(consumer.seen) < 3 else web.Response(status=410))
    finding = await judged.finding(consumer, "PG071", events=("run.failed",))
    assert (finding.verdict, finding.summary) == ("inconclusive", "the first delivery answered 410")


class ChecksThenActs(Consumer):
    """Looks first, and writes later."""

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        new = key not in self.seen
        await asyncio.sleep(0.05)
        if new:
            self.seen.add(key)
            self.effect(key[0])
        return self.answer(new=new)


@pytest.mark.usefixtures("quick_time")
async def test_a_lost_answer_is_not_the_same_as_copies_at_once() -> None:
    """The retry comes when the first is over: a consumer that fails at copies at the same time may accept it."""
    consumer = ChecksThenActs()

    async def answer(_: bytes, body: bytes, whole: bool) -> int:
        if whole:
            payload = json.loads(body)
            await consumer.take((payload["event"], json.dumps(payload["data"])))
        return 200

    async with by_hand(answer) as url:
        report = await checked(url, only=("PG073", "PG077"), probe=consumer.read, events=RUNS)
    assert report.finding("PG073").summary == "10 copies at the same time had 10 effects"
    assert report.finding("PG077").summary == "a delivery whose answer was lost, and the next had one effect"
    assert report.finding("PG077").evidence[0].faults == ("disconnect",)


async def test_ten_copies_are_released_together(judged: Judged) -> None:
    """And no more than one of them has an effect."""
    consumer = Hooks()
    finding = await judged.finding(consumer, "PG073", probed=True, events=RUNS)
    assert finding.verdict == "pass"
    ids = [payload["data"]["run_id"] for payload in consumer.payloads]
    assert max(map(ids.count, ids)) == 10


# ---------------------------------------------------------------- several events


async def test_two_events_about_one_object_need_two_types_about_the_same_kind(judged: Judged) -> None:
    """A run and an evaluation have nothing in common."""
    finding = await judged.finding(Consumer(), "PG074", probed=True, events=("run.failed", "evaluation.completed"))
    assert (finding.verdict, finding.summary) == (
        "not tested",
        "needs two event types about the same kind of object that have an effect",
    )


def has_a_pair(consumer: Consumer) -> bool:
    """Whether two events about one object have come."""
    ids = [seen for _, seen in consumer.seen]
    return len(set(ids)) < len(ids)


async def test_the_second_event_about_an_object_must_be_accepted_too(judged: Judged) -> None:
    """It had its effect, and the sender hears the contrary."""
    consumer = Consumer()

    def answer(**_: bool) -> web.Response:
        return web.Response(status=409 if consumer.handled[-1] == "run.completed" and has_a_pair(consumer) else 200)

    consumer.change(answer=answer)
    finding = await judged.finding(consumer, "PG074", probed=True)
    assert finding.verdict == "fail"
    assert finding.summary == "run.failed and run.completed about one run_id: handled, but one answered 409"


async def test_an_effect_too_many_is_as_wrong_as_one_too_few(judged: Judged) -> None:
    """The first event about an object is counted once more when the second comes."""
    consumer = Consumer()
    weighing(lambda _: 1 + has_a_pair(consumer), consumer)
    finding = await judged.finding(consumer, "PG074", probed=True)
    assert finding.verdict == "fail"
    assert finding.summary.endswith(", not 2")


async def test_two_objects_of_one_moment_have_the_same_timestamp(judged: Judged) -> None:
    """A consumer that takes timestamps for ids loses one of them."""
    consumer = Hooks()
    finding = await judged.finding(consumer, "PG075", probed=True, events=RUNS)
    assert finding.verdict == "pass"
    moments: dict[tuple[str, str], set[str]] = {}
    for payload in consumer.payloads:
        moments.setdefault((payload["event"], payload["timestamp"]), set()).add(payload["data"]["run_id"])
    assert max(map(len, moments.values())) >= 2


async def test_events_at_once_that_are_refused_say_nothing_of_lost_updates(judged: Judged) -> None:
    """A consumer with few seats turns the others away, and loses nothing."""
    consumer = Consumer()
    here: list[tuple[str, str]] = []
    taken = consumer.take

    async def take(key: tuple[str, str]) -> web.Response:
        if len(here) >= 5:
            return web.Response(status=429)
        here.append(key)
        await asyncio.sleep(0.05)
        here.remove(key)
        return await taken(key)

    consumer.change(take=take)
    finding = await judged.finding(consumer, "PG076", probed=True)
    assert finding.verdict == "inconclusive"
    assert re.fullmatch("[0-9]+ of 20 answered 429", finding.summary)  # 15, where all of them come within 50 ms
    assert len(finding.evidence) == 3


# ---------------------------------------------------------------- the probe


@pytest.mark.parametrize(
    ("value", "shown"), [(True, "read True"), (None, "read None"), ("many " * 100, r"read 'many .{50,}\.\.\.$")]
)
async def test_a_probe_must_read_a_number(value: object, shown: str) -> None:
    """The message shows what it read, in short."""
    with pytest.raises(UsageError, match=f"the probe must read a number.*{shown}"):
        await checked("http://127.0.0.1:9/hooks", probe=lambda: value)


async def test_effects_that_come_late_are_awaited_as_long_as_was_said(judged: Judged) -> None:
    """With a limit that was given, nothing needs to be learned."""
    consumer = late(1, lambda _: 0.1)
    report = await judged.report(consumer, "PG072", "PG010", "PG074", probed=True, effect_within=0.4, events=RUNS)
    assert {finding.verdict for finding in report.findings} == {"pass"}


async def test_a_second_effect_that_comes_later_than_the_first_is_seen(judged: Judged) -> None:
    """When there is one effect, it is looked a moment longer whether it stays with that."""
    consumer = late(1, lambda number: 0.05 if number < 8 else 0.12)  # the last one is that of the duplicate

    def more(key: tuple[str, str]) -> web.Response:
        consumer.effect(key[0])
        return web.Response()

    finding = await judged.finding(
        again(consumer, more), "PG072", probed=True, effect_within=None, events=("run.failed",)
    )
    assert finding.summary == "two deliveries of one event had 2 effects"


@pytest.mark.parametrize("step", [1, -1])
async def test_an_effect_may_once_take_longer_than_it_did_at_first(step: int, judged: Judged) -> None:
    """It is waited for, whether the count grows or shrinks."""
    consumer = late(step, lambda number: 0.01 if number < 7 else 0.3)
    finding = await judged.finding(consumer, "PG074", probed=True, effect_within=None, events=RUNS)
    assert finding.verdict == "pass"


async def test_a_type_whose_second_event_takes_longer_has_an_effect_all_the_same(judged: Judged) -> None:
    consumer = late(1, lambda number: 0.01 if number == 1 else 0.2)
    finding = await judged.finding(consumer, "PG070", probed=True, effect_within=None, events=("run.failed",))
    assert finding.summary == "the probe sees it: run.failed +1"


async def test_an_effect_of_two_steps_is_one_effect(judged: Judged) -> None:
    consumer = late(1, lambda _: 0.02)
    second = consumer.effect

    def effect(event: str) -> None:
        consumer.count += 1
        second(event)

    consumer.change(effect=effect)
    finding = await judged.finding(consumer, "PG070", probed=True, effect_within=None, events=("run.failed",))
    assert finding.summary == "the probe sees it: run.failed +2"


def reading(*counts: float) -> Effects:
    """Effects whose count was read so, one after another; the last again and again."""
    left = list(counts)

    async def count() -> float:
        return left.pop(0) if len(left) > 1 else left[0]

    effects = Effects(ConsumerAccess(count=count), within=0.001)
    effects.late = effects.stirred = True
    return effects


@pytest.mark.usefixtures("quick_time")
async def test_a_count_that_does_not_rest_is_taken_as_it_is_after_a_while() -> None:
    """Whether it is right then shows in what comes of it."""
    effects = reading(*range(10_000))
    assert 0 < (await effects.mark()).count < 10_000


async def test_without_a_probe_there_is_nothing_to_read() -> None:
    """If it is asked for all the same, the report says so."""
    effects = Effects(ConsumerAccess())
    assert not effects.probed
    with pytest.raises(AccessError, match="there is no probe"):
        await effects.count()
