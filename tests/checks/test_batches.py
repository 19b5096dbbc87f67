"""Batches: what is sent together, what is sent again alone, and what a check is judged by."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from mockserver.checks.context import CheckContext, GoneError, Variant
from mockserver.checks.effects import ConsumerAccess
from mockserver.checks.experiments import Batches, Experiment, Trial, sent
from mockserver.checks.model import Check, Judgement
from mockserver.model.messages import Exchange, Request, Response
from mockserver.model.targets import Target
from mockserver.script.package_files import load_catalog
from tests.checks.checked import SECRET

URL = "http://127.0.0.1:9/hooks"
CONTROL = "control"


def check(name: str, level: Any = 0, procedure: Any = None) -> Check:
    return Check(
        id=name, name=name, severity="must", level=level, sends="", good="", why="", fix="", procedure=procedure
    )


def valid(name: str, level: int = 0, times: int = 1) -> Check:
    """A check whose deliveries must all be accepted."""
    return check(name, level, Experiment(partial(_send, name, times), _shown))


def forgery(name: str) -> Check:
    """A check whose delivery must have no effect."""
    return check(name, 0, Experiment(partial(_send_forged, name), _shown, forged=True))


def _variant(name: str) -> Variant:
    return Variant(name, change=lambda data: data.update(check=name))


async def _send(name: str, times: int, context: CheckContext) -> Trial:
    return await sent(context, [_variant(name)] * times)


async def _send_forged(name: str, context: CheckContext) -> Trial:
    return Trial(await context.deliver_all([_variant(name)]))


async def _shown(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    """Judge nothing: show what there is to judge."""
    seen = "unseen" if change is None else f"{change:g}"
    return Judgement("pass", f"{context.check}: {seen} of {trial.expected:g}", trial.deliveries, "advice")


class Lab:
    """Batches of checks, and a consumer without a network: a test says how it answers, and what it counts.

    Args:
        checks: The checks that the batches know.
        unit: The effect that one event has, as far as is known; 0 for a consumer without a probe.
        late: Whether effects come after the answer.
        answers: For each check, and for the control, statuses and effects one after another; the last again and again.
        events: The event types of the consumer.
    """

    def __init__(
        self,
        *checks: Check,
        unit: float = 1,
        late: bool = False,
        events: tuple[str, ...] = ("run.failed",),
        **answers: list[tuple[int, float]],
    ) -> None:
        self.checks = {each.id: each for each in checks}
        self.answers = answers
        self.count = 0.0
        self.reads = 0
        self.milliseconds = 0.0
        self.begun: list[int] = []
        self.most_at_once = 0
        self._labels: list[str] = []
        self._here = 0
        catalog = load_catalog()
        self.context = CheckContext(
            target=Target.parse(URL),
            url=URL,
            secret=SECRET,
            events=events,
            catalog=catalog,
            transport=self,
            access=ConsumerAccess(count=self.read),
            sender=(("User-Agent", "test"),),
            timeout=1.0,
            seed=1,
            effect_within=0.001,
        )
        self.context.effects.late = late
        if unit:
            self.context.effects.units[events[0]] = unit
        self.batches = Batches(self.context, checks, lambda: self.begun.append(len(self._labels)))

    async def exchange(self, request: Request, timeout: float) -> Exchange:  # noqa: ARG002 - as a Transport takes them
        label = json.loads(request.body)["data"].get("check", CONTROL)
        self._labels.append(label)
        self._here += 1
        self.most_at_once = max(self.most_at_once, self._here)
        await asyncio.sleep(0)
        self._here -= 1
        left = self.answers.get(label, [(200, 1)])
        status, effect = left.pop(0) if len(left) > 1 else left[0]
        self.count += effect
        return Exchange(Response(status), total_ms=self.milliseconds)

    async def close(self) -> None:
        """There is no connection."""

    async def read(self) -> float:
        self.reads += 1
        return self.count

    @property
    def sent(self) -> str:
        """What was sent, in its order; with the check that it is noted for, where that is another."""
        noted = zip(self._labels, self.context.deliveries, strict=True)
        return " ".join(label if label == each.source else f"{label}({each.source})" for label, each in noted)

    async def judgement(self, name: str) -> Judgement:
        check = self.checks[name]
        return await self.batches.judgement(check, check.procedure)

    async def judged(self, *names: str) -> list[str]:
        return [(await self.judgement(name)).summary for name in names]


#: It is refused, as a forgery must be.
REFUSED = [(401, 0.0)]

# ---------------------------------------------------------------- what is sent together


async def test_each_kind_is_sent_once_and_when_it_is_needed() -> None:
    """Each check is judged by its own deliveries, and by the effect that they have in total."""
    lab = Lab(forgery("X"), valid("A"), valid("B", times=3), forgery("Y"), X=REFUSED, Y=REFUSED)
    assert await lab.judged("A") == ["A: 1 of 1"]
    assert lab.sent == "A B B B"
    judgement = await lab.judgement("B")
    assert (judgement.summary, [each.number for each in judgement.evidence]) == ("B: 3 of 3", [2, 3, 4])
    assert await lab.judged("X", "Y") == ["X: 0 of 0", "Y: 0 of 0"]
    assert lab.sent == "A B B B X Y"
    assert lab.begun == [0]


async def test_valid_events_come_before_forgeries() -> None:
    """Forgeries may break something."""
    lab = Lab(forgery("X"), valid("A"), X=REFUSED)
    assert await lab.judged("X", "A") == ["X: 0 of 0", "A: 1 of 1"]
    assert lab.sent == "A X"
    assert lab.begun == [0]


async def test_nothing_begins_where_there_are_forgeries_alone() -> None:
    """What goes on beside the valid events has nothing to be beside of."""
    lab = Lab(forgery("X"), X=REFUSED)
    assert await lab.judged("X") == ["X: 0 of 0"]
    assert lab.begun == []


async def test_without_a_probe_nothing_is_read_and_nothing_sent_again() -> None:
    """Checks that need one are not made."""
    lab = Lab(valid("A"), valid("B", level=1), forgery("X"), unit=0, X=REFUSED)
    assert await lab.judged("A", "X") == ["A: unseen of 0", "X: unseen of 0"]
    assert await lab.judged("B") == ["B: unseen of 0"]  # asked for all the same, it is made alone
    assert (lab.sent, lab.reads) == ("A X B", 0)


async def test_what_is_no_experiment_and_what_needs_a_hook_is_not_in_a_batch() -> None:
    """What needs a probe is, where there is one."""
    lab = Lab(check("P", procedure=print), valid("A"), valid("B", level=1), valid("C", level=2))
    assert await lab.judged("A", "B", "C") == ["A: 1 of 1", "B: 1 of 1", "C: 1 of 1"]
    assert lab.sent == "A B C"
    assert lab.begun == [0]


@pytest.mark.parametrize(("milliseconds", "most"), [(300, 1), (301, 3)])
async def test_a_slow_consumer_gets_a_batch_at_the_same_time(milliseconds: int, most: int) -> None:
    """What belongs to which check is known nevertheless."""
    lab = Lab(valid("A"), valid("B", times=2))
    lab.milliseconds = milliseconds
    await lab.context.control()
    assert await lab.judged("A", "B") == ["A: 1 of 1", "B: 2 of 2"]
    assert lab.sent == "control() A B B"
    assert lab.most_at_once == most


# ---------------------------------------------------------------- what does not add up


@pytest.mark.parametrize(
    ("alone", "summary", "evidence"),
    [
        ([(200, 0)], "B: 0 of 1", 4),
        ([(200, 0), (200, 1)], "B: 1 of 1", 5),
        ([(200, 2), (200, 0)], "B: 2 of 1", 4),
    ],
    ids=["never", "the second time", "another each time"],
)
async def test_what_does_not_add_up_is_made_again_alone_and_must_be_seen_twice(
    alone: list[tuple[int, float]], summary: str, evidence: int
) -> None:
    """What was well alone is not repeated."""
    lab = Lab(valid("A"), valid("B"), B=[(200, 0), *alone])
    assert await lab.judged("A") == ["A: 1 of 1"]
    assert lab.sent == "A B A"
    judgement = await lab.judgement("B")
    assert (judgement.summary, [each.number for each in judgement.evidence]) == (summary, [evidence])
    assert lab.sent == "A B A B B"


@pytest.mark.parametrize(("unit", "together"), [(2, "A B control(B) A B"), (1, "A B control(B) A")])
async def test_where_effects_come_late_the_effect_of_one_event_is_learned_again(unit: int, together: str) -> None:
    """If it was wrong, all are made again together; if not, each alone."""
    lab = Lab(valid("A"), valid("B"), unit=unit, late=True, B=[(200, unit - 1), (200, 1)])
    assert await lab.judged("A") == ["A: 1 of 1"]
    assert lab.sent == together
    assert await lab.judged("B") == ["B: 1 of 1"]
    assert lab.context.effects.units == {"run.failed": 1}


async def test_effects_at_once_are_not_learned_again() -> None:
    """They were right."""
    lab = Lab(valid("A"), unit=2)
    assert await lab.judged("A") == ["A: 1 of 2"]
    assert lab.sent == "A A A"


async def test_effects_are_learned_again_one_type_after_another() -> None:
    """Several types at once are where the mistake may have come from."""
    lab = Lab(
        valid("A"),
        unit=2,
        late=True,
        events=("run.failed", "run.completed", "evaluation.completed"),
    )
    assert await lab.judged("A") == ["A: 1 of 1"]
    assert lab.sent == "A control(A) control(A) control(A) A"


async def test_what_still_does_not_add_up_after_that_is_made_alone() -> None:
    """The same goes for what is left of the batch."""
    lab = Lab(valid("A"), valid("B"), unit=2, late=True, B=[(200, 0)])
    assert await lab.judged("A", "B") == ["A: 1 of 1", "B: 0 of 1"]
    assert lab.sent == "A B control(B) A B A B B"


async def test_where_no_effect_is_left_checks_are_judged_without() -> None:
    """What was seen before was the effect of something else."""
    lab = Lab(valid("A"), late=True, A=[(200, 0)], control=[(200, 0)])
    assert await lab.judged("A") == ["A: unseen of 0"]
    assert lab.sent == "A control(A) A"


async def test_forgeries_that_were_refused_are_cleared_together() -> None:
    """The one that was taken is made alone, and seen twice; nothing is learned, even if effects come late."""
    lab = Lab(forgery("X"), forgery("Y"), forgery("Z"), late=True, X=REFUSED, Y=[(200, 1)], Z=REFUSED)
    assert await lab.judged("X", "Z") == ["X: 0 of 0", "Z: 0 of 0"]
    assert lab.sent == "X Y Z X Z"
    assert await lab.judged("Y") == ["Y: 1 of 0"]
    assert lab.sent == "X Y Z X Z Y Y"


async def test_forgeries_that_were_refused_with_an_effect_are_made_alone() -> None:
    """Together they are not cleared."""
    lab = Lab(forgery("X"), forgery("Y"), forgery("Z"), X=[(401, 1)], Y=[(200, 1)], Z=REFUSED)
    assert await lab.judged("Z", "X") == ["Z: 0 of 0", "X: 1 of 0"]
    assert lab.sent == "X Y Z X Z Z X X"


async def test_forgeries_that_were_all_refused_are_not_repeated_together() -> None:
    """It would be the same as before."""
    lab = Lab(forgery("X"), forgery("Y"), X=[(401, 1)], Y=REFUSED)
    assert await lab.judged("Y", "X") == ["Y: 0 of 0", "X: 1 of 0"]
    assert lab.sent == "X Y Y X X"


# ---------------------------------------------------------------- what breaks the consumer


async def test_after_an_error_a_valid_event_shows_whether_the_consumer_still_works() -> None:
    """If so, nothing is said of it; and its effect is no one's."""
    lab = Lab(valid("A"), valid("B"), forgery("X"), A=[(500, 0)], X=[(500, 0)])
    assert await lab.judged("A", "B", "X") == ["A: 0 of 0", "B: 1 of 1", "X: 0 of 0"]
    assert lab.sent == "A control(A) B X control(X)"


async def test_a_refusal_is_no_error() -> None:
    """No event is sent to see what became of the consumer."""
    lab = Lab(valid("A"), A=[(499, 0)])
    assert await lab.judged("A") == ["A: 0 of 0"]
    assert lab.sent == "A"


@pytest.mark.usefixtures("quick_time")
async def test_a_check_that_breaks_the_consumer_for_a_while_has_failed() -> None:
    """Whatever else it came to; the others are judged as ever, once the consumer works again."""
    lab = Lab(valid("A", times=4), valid("B"), A=[(200, 1), (500, 0), (200, 1)], control=[(500, 0), (200, 1)])
    judgement = await lab.judgement("A")
    assert judgement.verdict == "fail"
    assert judgement.summary == "A: 3 of 3; after that a valid event answered 500"
    assert judgement.fix == "advice"
    assert [each.number for each in judgement.evidence] == [1, 2, 3, 5]
    assert (await lab.judgement("B")) == Judgement("pass", "B: 1 of 1", (lab.context.deliveries[-1],), "advice")
    assert lab.sent == "A A A A control(A) control(A) B"


@pytest.mark.usefixtures("quick_time")
async def test_after_a_check_that_ended_the_consumer_nothing_is_sent() -> None:
    """That check has failed, and the others cannot be made; those before it are judged by their answers."""
    lab = Lab(valid("A"), valid("B"), valid("C"), forgery("X"), A=[(200, 0)], B=[(500, 0)], control=[(500, 0)])
    assert await lab.judged("A") == ["A: unseen of 1"]
    assert (await lab.judgement("B")).summary == "B: unseen of 0; after that a valid event answered 500"
    controls = lab.sent
    assert set(controls.split()) == {"A", "B", "control(B)"}
    for name in ("C", "X"):
        with pytest.raises(GoneError, match=r"^the consumer has accepted no valid event since B$"):
            await lab.judgement(name)
    assert lab.sent == controls
