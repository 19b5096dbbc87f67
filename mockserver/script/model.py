"""A script as values: what the format describes, checked and ready to be replayed.

The calls of the vendor API that can lead to events are one table here, for rules, their schema and what plays them.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from mockserver.errors import UsageError
from mockserver.faults.fault import ChosenFault
from mockserver.faults.registry import is_signature_fault, read_faults
from mockserver.faults.request_builder import check_faults
from mockserver.model.events import Catalog, PathError, change_sample, check_json, copied
from mockserver.model.expectations import DELIVERED, UNJUDGED, Expectation, default_status
from mockserver.model.identifiers import new_identifier
from mockserver.model.memory_budget import size_of_json
from mockserver.model.retry_policies import RetryPolicy, read_retry
from mockserver.script.package_files import load_retry_policies
from mockserver.script.templates import DataTemplate

#: What a template of a flow's event knows beside the names of every template.
FLOW_NAMES = ("request", "resource")


class FlowRoute(msgspec.Struct, frozen=True):
    """A call that can lead to events.

    ``fields`` are the documented ones of its request, for ``when``; ``states`` are those before the end, none where the
    answer is the finished result. ``open_paths`` are keys of its events whose own keys follow from the request.
    """

    on: str
    kind: str
    fields: tuple[str, ...]
    states: tuple[str, ...]
    events: Mapping[str, str]
    open_paths: tuple[str, ...] = ()


FLOW_ROUTES: Mapping[str, FlowRoute] = {
    route.on: route
    for route in (
        FlowRoute(
            "POST /v1/runs",
            "run",
            ("test_case_id", "test_case_ids", "tags", "agent_id", "config"),
            ("queued", "running"),
            {"completed": "run.completed", "failed": "run.failed"},
        ),
        FlowRoute(
            "POST /v1/evaluate",
            "evaluation",
            (
                "scorers", "turn_id", "input", "output", "expected_behavior", "context", "ground_truth",
                "conversation_history", "agent_plan", "tool_calls", "threshold",
            ),
            (),
            {"completed": "evaluation.completed", "failed": "evaluation.completed"},
            open_paths=("results",),
        ),
        FlowRoute("POST /v1/evaluate/batch", "batch", ("items", "scorers", "config"), ("running",), {}),
        FlowRoute(
            "POST /v1/optimize/prompt",
            "optimization",
            (
                "agent_id", "optimization_type", "failure_window", "min_failures", "target_metrics",
                "include_examples", "max_examples", "constraints",
            ),
            ("running",),
            {"completed": "optimization.completed"},
            open_paths=("predicted_improvement", "changes_made"),
        ),
    )
}  # fmt: skip


def matches(when: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Return whether the decoded body of a call has the values that a rule asks for, by dotted path.

    A list in the rule names the allowed values. A list in the request matches a value that is in it: ``tags: nightly``
    is any call with that tag.
    """
    return all(_fits(_at(request, path), wanted) for path, wanted in when.items())


_ABSENT = object()


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path, with numbers for items of lists."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _ABSENT
    return value


def _fits(actual: Any, wanted: Any) -> bool:
    allowed = wanted if isinstance(wanted, list) else [wanted]
    if _same(actual, wanted) or any(_same(actual, each) for each in allowed):
        return True
    return isinstance(actual, list) and any(_same(item, each) for item in actual for each in allowed)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


Pacing = Literal["settled", "timed"]
Advance = Literal["time", "reads", "manual"]
FlowOutcome = Literal["completed", "failed", "never"]
Deliver = Literal["after_answer", "before_answer"]

_NOTHING_SAID = Expectation()

#: What a step takes in memory, in bytes, with its place in a report; a template as much again. Measured, rounded up.
_PER_STEP = 1024


def expectation_for(faults: tuple[ChosenFault, ...], given: Expectation = _NOTHING_SAID) -> Expectation:
    """Return what is expected of a step; where it names no status, the one that its faults lead to."""
    if given.status:
        return given
    if not faults and given == _NOTHING_SAID:
        return DELIVERED
    forged = is_signature_fault(faults)
    status = default_status(signature_fault=forged, other_fault=bool(faults) and not forged)
    return replace(given, status=status)


class EventStep(msgspec.Struct, frozen=True, kw_only=True):
    """An event that happens, once or several times.

    The number is ``3``, or ``3.1`` inside a ``together``. Times are in seconds; with a ``concurrency`` of 1, repeats
    follow one another. The status of ``expect`` is given. ``retry`` is None for the policy of the script or the
    settings. ``sample_id`` is the key in the data that holds the object's id, where it is the sample's own; else empty.
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
    """Events that happen at the same time."""

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
    """Time in which nothing happens."""

    line: int
    number: str
    seconds: float

    @property
    def planned(self) -> int:
        """How many events this step makes happen: none."""
        return 0


class AwaitStep(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting until the application has registered a webhook for each of these events, or any webhook for none.

    ``within`` is real time, whatever the speed: the application does not run faster.
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
    """An event of a flow: a step whose data, unless ``exact``, is that of the resource, changed."""

    step: EventStep
    exact: bool = False
    override: DataTemplate | None = None
    remove: tuple[str, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: which calls it decides, and what happens to the resources they make.

    None means that the rule does not say: it applies to all calls (``times``), the turns are those of the test case,
    the second or last of them fails, the event is the documented one of the outcome. ``written`` is the rule as it was
    written, as plain JSON; a ``line`` of 0 is none.
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
    def size(self) -> int:
        """How many bytes of memory it takes, about."""
        return _PER_STEP + 2 * size_of_json(self.written)  # as it was written, and as it is used

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

    The name is its source if it does not say. Without ``start``, its first step is in the present; without ``retry``,
    the policy is that of the settings.
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

    def check_steps(self) -> None:
        """Raise a UsageError if the script has flows and no steps, so that there is nothing to replay."""
        if self.flows and not self.steps:
            raise UsageError(
                f"{self.source} has flows and no steps: there is nothing to replay. Serve it (mockserver serve "
                "--script), or use it in a test (mock.use)"
            )

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

    @property
    def size(self) -> int:
        """How many bytes of memory the script takes, about."""
        steps = self.event_steps()
        datas = {id(step.data.source): step.data for step in steps}  # steps with sample data share it
        templates = sum(not data.constant for data in datas.values())
        plain = sum(size_of_json(data.source) for data in datas.values())
        parts = max(len(self.steps), len(steps)) + templates
        return _PER_STEP * parts + plain + sum(flow.size for flow in self.flows)

    def event_steps(self) -> tuple[EventStep, ...]:
        """Return the event steps, those inside of ``together`` included."""
        found: list[EventStep] = []
        for step in self.steps:
            if isinstance(step, TogetherStep):
                found += step.steps
            elif isinstance(step, EventStep):
                found.append(step)
        return tuple(found)


def literal_step(
    catalog: Catalog,
    event: str,
    *,
    data: Mapping[str, Any] | None = None,
    override: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    fault: Any = None,
    retry: Any = None,
    extra_events: Sequence[str] = (),
) -> EventStep:
    """Make an event step whose strings are sent as they are: no templates.

    The arguments mean what the keys of an event step mean. Raises a UsageError if the event is unknown, a path does not
    exist, ``data`` comes with changes, a value is not JSON, or the fault or the policy is not valid.
    """
    catalog.check(event, extra_events)
    content = _literal_data(catalog, event, data, override, remove)
    try:
        faults = read_faults(fault) if fault is not None else ()
        policy = read_retry(retry, load_retry_policies()) if retry is not None else None
    except ValueError as error:
        raise UsageError(f"{event}: {error}") from None
    if faults:
        check_faults(event, content, faults)
    return EventStep(
        line=0,
        number="1",
        event=event,
        data=DataTemplate.literal(content),
        faults=faults,
        expect=expectation_for(faults) if faults else DELIVERED,
        retry=policy,
        sample_id="" if data is not None else catalog.sample_id(event, content, override or {}),
    )


def about_new_object(step: EventStep, source: random.Random) -> EventStep:
    """Give a step whose data holds the sample's own id another one; any other step stays as it is."""
    if not step.sample_id:
        return step
    prefix = step.data.source[step.sample_id].partition("_")[0]
    data = step.data.with_value(step.sample_id, new_identifier(prefix, source))
    return msgspec.structs.replace(step, data=data)


def _literal_data(
    catalog: Catalog,
    event: str,
    data: Mapping[str, Any] | None,
    override: Mapping[str, Any] | None,
    remove: Sequence[str],
) -> Mapping[str, Any]:
    if isinstance(remove, str):
        remove = (remove,)
    if override is not None and not isinstance(override, Mapping):
        raise UsageError(f"override must be an object (a dict), not {type(override).__name__}")
    if data is not None:
        if override or remove:
            raise UsageError("data is sent exactly as it is: give either data, or override and remove")
        return _checked(data)
    event_type = catalog.get(event)
    if event_type is None:
        if override or remove:
            raise UsageError(f"{event} has no sample data to change: give its data")
        return {}
    if not override and not remove:
        return event_type.data  # it is only read from here on
    try:
        return _checked(change_sample(event_type.data, override or {}, remove))
    except PathError as error:
        raise UsageError(f"{event}: {error}") from None


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise UsageError(f"data must be an object (a dict), not {type(data).__name__}")
    check_json(data)
    checked: Mapping[str, Any] = copied(data)
    return checked


def only_steps(script: Script, numbers: Collection[str]) -> Script:
    """Return a script with the steps of some numbers; the others are neither sent nor planned.

    The number of a ``together`` means all that is in it. The steps that are left keep their numbers, their lines and
    their times, as far as the script says them: what comes before the first of them is not waited for (the script
    starts that much later), what lies between two of them is. So their events have the bytes that they have in the
    whole script. Raises a UsageError for a number that the script does not have.
    """
    there = dict.fromkeys(_numbers(script.steps))
    for number in numbers:
        if number not in there:
            raise UsageError(f"{script.source} has no step {number!r}; its steps are {', '.join(there)}")
    before = gap = 0.0
    steps: list[Step] = []
    for step in script.steps:
        left = _left_of(step, numbers)
        if left is None:
            gap += step.seconds
            continue
        if not steps:
            before, gap = gap, 0.0
        steps.append(_later(left, gap))
        # What is waited for in an await step is the application: the time between goes to the step after it.
        gap = step.seconds - left.seconds + (gap if isinstance(left, AwaitStep) else 0.0)
    start = None if script.start is None else script.start + before
    return replace(script, steps=tuple(steps), start=start)


def unjudged(script: Script) -> Script:
    """Return a script that expects nothing of the consumer: for a dry run, in which there is none."""
    anything = Expectation(status=UNJUDGED)

    def each(step: Step) -> Step:
        if isinstance(step, TogetherStep):
            return replace(step, steps=tuple(replace(inner, expect=anything) for inner in step.steps))
        return replace(step, expect=anything) if isinstance(step, EventStep) else step

    return replace(script, steps=tuple(map(each, script.steps)))


def _numbers(steps: Collection[Step]) -> Iterator[str]:
    for step in steps:
        yield step.number
        if isinstance(step, TogetherStep):
            yield from _numbers(step.steps)


def _left_of(step: Step, numbers: Collection[str]) -> Step | None:
    """What is left of a step when only those of some numbers are."""
    if step.number in numbers or not isinstance(step, TogetherStep):
        return step if step.number in numbers else None
    inner = tuple(each for each in step.steps if each.number in numbers)
    return replace(step, steps=inner) if inner else None


def _later(step: Step, seconds: float) -> Step:
    if isinstance(step, PauseStep):
        return replace(step, seconds=step.seconds + seconds)
    return step if isinstance(step, AwaitStep) else replace(step, after=step.after + seconds)
