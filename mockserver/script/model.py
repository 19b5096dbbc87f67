"""A script as values: what the format describes, checked and ready to be replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mockserver.faults.fault import ChosenFault
from mockserver.faults.registry import is_signature_fault
from mockserver.model.expectations import DELIVERED, Expectation, default_status
from mockserver.model.retry_policies import RetryPolicy
from mockserver.script.flow_routes import FLOW_ROUTES, FlowRoute
from mockserver.script.templates import DataTemplate

Pacing = Literal["settled", "timed"]
Advance = Literal["time", "reads", "manual"]
FlowOutcome = Literal["completed", "failed", "never"]
Deliver = Literal["after_answer", "before_answer"]

_NOTHING_SAID = Expectation()


def expectation_for(faults: tuple[ChosenFault, ...], given: Expectation = _NOTHING_SAID) -> Expectation:
    """Return what is expected of a step, with the status that its faults lead to when it does not say.

    Args:
        faults: The faults of the step.
        given: What the step itself says.
    """
    if given.status:
        return given
    if not faults and given == _NOTHING_SAID:
        return DELIVERED
    forged = is_signature_fault(faults)
    status = default_status(signature_fault=forged, other_fault=bool(faults) and not forged)
    return msgspec.structs.replace(given, status=status)


class EventStep(msgspec.Struct, frozen=True, kw_only=True):
    """An event that happens, once or several times.

    Args:
        line: Line of the step in its file, from 1.
        number: Its number in the script: ``3``, or ``3.1`` inside a ``together``.
        event: The event type.
        data: The data of its payload, with templates still to be rendered.
        after: Seconds to wait before the step.
        repeat: How many times the event happens.
        every: Seconds from one repeat to the next.
        concurrency: How many repeats may be in flight at once; 1 makes them follow one another.
        faults: The deliberate defects of its deliveries.
        expect: What the consumer must answer; its status is given.
        retry: When failed attempts are made again; None for the policy of the script or the settings.
        sample_id: The key in the data that holds the object's id, where it is the sample's own; else empty.
    """

    line: int
    number: str
    event: str
    data: DataTemplate
    after: float = 0.0
    repeat: int = 1
    every: float = 0.0
    concurrency: int = 1
    faults: tuple[ChosenFault, ...] = ()
    expect: Expectation = DELIVERED
    retry: RetryPolicy | None = None
    sample_id: str = ""

    @property
    def planned(self) -> int:
        """How many events this step makes happen."""
        return self.repeat

    @property
    def seconds(self) -> float:
        """How long it takes by the script's clock."""
        return self.after + (self.repeat - 1) * self.every


class TogetherStep(msgspec.Struct, frozen=True, kw_only=True):
    """Events that happen at the same time.

    Args:
        line: Line of the step in its file, from 1.
        number: Its number in the script.
        steps: The event steps.
        after: Seconds to wait before the step.
    """

    line: int
    number: str
    steps: tuple[EventStep, ...]
    after: float = 0.0

    @property
    def planned(self) -> int:
        """How many events this step makes happen."""
        return sum(step.planned for step in self.steps)

    @property
    def seconds(self) -> float:
        """How long it takes by the script's clock."""
        return self.after + max((step.seconds for step in self.steps), default=0.0)


class PauseStep(msgspec.Struct, frozen=True, kw_only=True):
    """Time in which nothing happens.

    Args:
        line: Line of the step in its file, from 1.
        number: Its number in the script.
        seconds: How long.
    """

    line: int
    number: str
    seconds: float

    @property
    def planned(self) -> int:
        """How many events this step makes happen: none."""
        return 0


class AwaitStep(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting until the application has registered a webhook.

    Args:
        line: Line of the step in its file, from 1.
        number: Its number in the script.
        events: The event types that need an active webhook; none means any webhook at all.
        within: Seconds of real time to wait, whatever the speed: the application does not run faster.
    """

    line: int
    number: str
    events: tuple[str, ...] = ()
    within: float = 30.0

    @property
    def planned(self) -> int:
        """How many events this step makes happen: none."""
        return 0

    @property
    def seconds(self) -> float:
        """How long it takes by the script's clock, when the application has registered already."""
        return 0.0


Step = EventStep | TogetherStep | PauseStep | AwaitStep


class WebhookSpec(msgspec.Struct, frozen=True):
    """Where a script's events go when nothing was registered."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return f"WebhookSpec({self.url})"


class FlowEvent(msgspec.Struct, frozen=True):
    """An event of a flow.

    Args:
        step: Everything about it but what its data is made of.
        exact: Whether the step's data is sent as it is; otherwise the data is that of the resource, changed.
        override: Values that differ from the resource's, by key or dotted path.
        remove: Keys or dotted paths to take away.
    """

    step: EventStep
    exact: bool = False
    override: DataTemplate | None = None
    remove: tuple[str, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: which calls it decides, and what becomes of what they make.

    Args:
        on: The call, such as ``POST /v1/runs``.
        when: Values that fields of the request must have, by dotted path: one, or a list of those allowed.
        times: How many calls it is good for; None for all.
        states: How many seconds each state lasts; None where the rule does not say.
        advance: What moves it from one state to the next.
        reads: How many reads move it one state on, with ``advance`` by reads.
        outcome: How it ends.
        turns: How many turns a run has; None for those of its test case.
        failed_turn: Which of them fails, from 1, where the outcome is failed; None for the second, or the last.
        deliver: Whether its events go out before the call is answered.
        events: What happens at the end; None for the documented event of the outcome.
        webhook: Where its events go when nothing was registered.
        retry: When failed attempts are made again, where an event does not say.
        source: The file that it came from.
        line: Its line in the file; 0 for none.
        written: The rule as it was written, as plain JSON.
    """

    on: str
    when: Mapping[str, Any] = {}
    times: int | None = None
    states: Mapping[str, float] | None = None
    advance: Advance = "time"
    reads: int = 0
    outcome: FlowOutcome = "completed"
    turns: int | None = None
    failed_turn: int | None = None
    deliver: Deliver = "after_answer"
    events: tuple[FlowEvent, ...] | None = None
    webhook: WebhookSpec | None = None
    retry: RetryPolicy | None = None
    source: str = "<flow>"
    line: int = 0
    written: Mapping[str, Any] = {}

    @property
    def route(self) -> FlowRoute:
        """The call that it is for."""
        return FLOW_ROUTES[self.on]

    @property
    def waits(self) -> tuple[tuple[str, float], ...]:
        """The states that it stays in before its end, each with how many seconds it lasts."""
        states = self.states or {}
        if self.advance == "time":
            return tuple((state, states[state]) for state in self.route.states if states.get(state))
        return tuple((state, 0.0) for state in self.route.states if self.states is None or state in states)

    @property
    def seconds(self) -> float:
        """How long it takes to its end, by the mock's clock, as far as time moves it."""
        return sum(seconds for _, seconds in self.waits)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A script, free of errors.

    Args:
        source: The file that it came from, as its reader knows it.
        name: What it is about; its source, if it does not say.
        seed: Makes generated values repeatable.
        start: What the clock shows at the first step, in seconds since 1970; None is the present.
        webhook: Where the events go when nothing was registered.
        extra_events: Event types beyond the documented ones.
        retry: When failed attempts are made again; None for the settings' policy.
        pacing: ``settled``: a step starts when the one before it has its outcome; ``timed``: at its own time.
        steps: What happens.
        flows: What becomes of calls of the application; the first that matches a call decides.
    """

    source: str
    name: str
    seed: int = 0
    start: float | None = None
    webhook: WebhookSpec | None = None
    extra_events: tuple[str, ...] = ()
    retry: RetryPolicy | None = None
    pacing: Pacing = "settled"
    steps: tuple[Step, ...] = ()
    flows: tuple[Flow, ...] = ()

    @property
    def planned(self) -> int:
        """How many events the script makes happen."""
        return sum(step.planned for step in self.steps)

    @property
    def seconds(self) -> float:
        """How long the script takes by its own clock, with a consumer that answers at once."""
        return sum(step.seconds for step in self.steps)

    @property
    def events(self) -> tuple[str, ...]:
        """The event types that occur, each once, in the order of the script."""
        return tuple(dict.fromkeys(step.event for step in self.event_steps()))

    def event_steps(self) -> tuple[EventStep, ...]:
        """Return the event steps, those inside of ``together`` included."""
        found: list[EventStep] = []
        for step in self.steps:
            if isinstance(step, TogetherStep):
                found += step.steps
            elif isinstance(step, EventStep):
                found.append(step)
        return tuple(found)
