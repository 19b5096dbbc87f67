"""What the vendor does after a call: the states of a resource in their time, then its events.

Everything runs on the mock's clock, holding a token of it while something goes on, so that no time is jumped over. What
an application can see has one order: a state is entered, then it is reported, then events about it go out. So an event
never says what a read does not say yet. The events of a rule are the steps of a small script, whose data is that of the
resource.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import msgspec

from mockserver.errors import UsageError, WaitTimeoutError
from mockserver.model.events import Catalog, PathError, change_sample
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.webhooks import Recipients, Webhook
from mockserver.replay.clock import AnyClock, SteppedClock
from mockserver.replay.dispatcher import Dispatcher
from mockserver.replay.replay import Replay
from mockserver.script.model import FLOW_ROUTES, EventStep, Flow, FlowEvent, Script
from mockserver.script.templates import DataTemplate, Moment, TemplateError
from mockserver.vendor_api.flows.creation import Creation, Rules
from mockserver.vendor_api.flows.reading import RequestError
from mockserver.vendor_api.flows.resource import FlowEventRecord, Resource, ResourceStore


class BoundData(DataTemplate):
    """The data of a flow's event: templates over the request and the resource, which are known now.

    Where the event is not exact, its changes are made to ``base``, the data without them.
    """

    def __init__(self, event: FlowEvent, base: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        super().__init__({}, {})
        self.source = base
        self.constant = False  # it has to be rendered
        self._event = event
        self._more = more

    def render(self, moment: Moment) -> Mapping[str, Any]:
        """Return the data of one event.

        Raises a TemplateError if an expression fails, such as one over a field that the request does not have, or a
        change names a place that the data does not have.
        """
        moment = msgspec.structs.replace(moment, more=self._more)
        if self._event.exact:
            return self._event.step.data.render(moment)
        override = self._event.override.render(moment) if self._event.override else {}
        try:
            return change_sample(self.source, override, self._event.remove)
        except PathError as error:
            raise TemplateError(str(error)) from None


def script_of(resource: Resource, flow: Flow, catalog: Catalog, seed: str) -> Script:
    """Return the events of a flow, which are about a resource, as a script."""
    more = {"request": resource.request, "resource": resource.data}
    steps = tuple(_bound(event, resource, catalog, more) for event in flow.events or ())
    return Script(
        source=flow.source,
        name=f"{resource.on} {resource.resource_id}",
        seed=crc32(f"{seed}/{resource.resource_id}".encode()),
        webhook=flow.webhook,
        retry=flow.retry,
        steps=steps,
    )


def _bound(event: FlowEvent, resource: Resource, catalog: Catalog, more: Mapping[str, Any]) -> EventStep:
    name = event.step.event
    base = resource.content.event_data(name, resource.state)
    if base is None:
        sample = catalog.get(name)
        base = sample.data if sample else {}
    return msgspec.structs.replace(event.step, data=BoundData(event, base, more))


_logger = logging.getLogger("mockserver.flows")

#: Seconds of real time between an answer and the event about it. An application gets its answer through a socket and
#: some layers of a client library, while the event may be one call away: without it, the race of ``before_answer``
#: would sometimes be won by chance.
HEAD_START = 0.001

#: Seconds that the answer waits for a consumer that does not answer the event before it: one that handles one request
#: at a time cannot, as it waits for the answer.
PATIENCE = 1.0

#: The most flows that may be under way at once.
MOST_UNDER_WAY = 50_000

#: The most deliveries that a resource names: the newest.
MOST_DELIVERIES = 100


class Publishing(Protocol):
    """What the engine needs of the mock around it."""

    catalog: Catalog
    retry: RetryPolicy | None

    def webhooks_of(self, account: str) -> Recipients:
        """Return where the events of an account go."""
        ...

    def clock_of_flow(self) -> AnyClock:
        """Return the clock of what a call begins now."""
        ...

    def replay_of_flow(self, script: Script, clock: AnyClock, account: str) -> Replay:
        """Prepare the events of a flow."""
        ...


class _Start(NamedTuple):
    """What begins soon."""

    timer: asyncio.TimerHandle
    go: Callable[[], None]
    clock: AnyClock


class FlowEngine:
    """Plays flows: ``rules`` decide, and ``resources`` are what calls have made. It belongs to one event loop."""

    def __init__(
        self, publishing: Publishing, dispatcher: Dispatcher, *, max_resources: int, budget: MemoryBudget, seed: int
    ) -> None:
        self.resources = ResourceStore(max_resources, budget, seed)
        self.rules = Rules(budget=budget)
        self._creation = Creation(self.resources, self.rules, seed)
        self._publishing = publishing
        self._dispatcher = dispatcher
        self._seed = str(seed)
        self._starting: dict[int, _Start] = {}
        self._tasks: dict[asyncio.Task[None], Resource] = {}
        self._starts = 0

    # ---------------------------------------------------------------- from calls of the application

    def create(self, on: str, body: Any, account: str = "") -> Resource:
        """Make the resource of a call, in its first state; :meth:`around_answer` goes on.

        Raises a RequestError if the body is not what the call takes, or too many flows are under way.
        """
        if len(self._tasks) + len(self._starting) >= MOST_UNDER_WAY:
            raise RequestError(f"{MOST_UNDER_WAY} flows are under way, which is the limit: wait until some have ended")
        return self._creation.make(on, body, account, self._publishing.clock_of_flow().now())

    def around_answer(
        self, resource: Resource
    ) -> tuple[Callable[[], Coroutine[Any, Any, None]] | None, Callable[[], None] | None]:
        """Return what is waited for before the answer to the call that made a resource, and what is done after it."""
        flow = resource.flow
        if resource.on not in FLOW_ROUTES:
            return None, None
        if flow is not None and flow.deliver == "before_answer":
            return partial(self._play_first, resource), None
        by_time = flow is None or flow.advance == "time"
        return None, partial(self._play_soon, resource) if by_time or resource.state == resource.end else None

    async def _play_first(self, resource: Resource) -> None:
        clock = self._publishing.clock_of_flow()
        await asyncio.wait([self._spawn(resource, self._pass_states(resource, clock), clock)])
        if resource.state == resource.end:
            task = self._spawn(resource, self._publish(resource, clock), clock)
            await asyncio.wait([task], timeout=PATIENCE)

    def _play_soon(self, resource: Resource) -> None:
        clock = self._publishing.clock_of_flow()
        self._start_soon(resource, lambda: self._go(resource, clock), clock)

    def after_read(self, resource: Resource) -> None:
        """Count a read that was answered; enough of them move a flow by reads one state on."""
        flow = resource.flow
        if flow is None or flow.advance != "reads" or resource.ended:
            return
        resource.reads += 1
        if resource.reads >= flow.reads:
            self._move(resource)

    # ---------------------------------------------------------------- from tests

    def advance(self, resource_id: str) -> Resource:
        """Move a resource one state on by hand; its events go out in the background.

        Raises a UsageError if there is no such resource, it moves by time, or it has no further state.
        """
        resource = self.resources.find(resource_id)
        if resource is None:
            raise UsageError(f"there is no resource {resource_id!r}")
        if resource.ended:
            raise UsageError(f"{resource_id} is {resource.state}: it has no further state")
        if resource.flow is None or resource.flow.advance == "time":
            raise UsageError(
                f"{resource_id} moves by time: advance the clock, or give its flow advance: manual (or reads)"
            )
        self._move(resource)
        return resource

    async def settle(self, timeout: float) -> None:
        """Wait until no flow is under way: what time moves has ended, and every event has its outcome.

        What waits for a read or a manual call is not under way, and on a stepped clock neither is what waits for time.
        Raises a WaitTimeoutError, which names the flows that are still under way.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            for start in tuple(self._starting.values()):
                start.timer.cancel()
                start.go()
            clock = self._publishing.clock_of_flow()
            waits: Any = asyncio.ensure_future(clock.idle()) if isinstance(clock, SteppedClock) else None
            pending = [waits] if waits else [*self._tasks]
            if not pending:
                return
            _, late = await asyncio.wait(pending, timeout=max(deadline - loop.time(), 0.0))
            if late and loop.time() >= deadline:
                if waits:
                    waits.cancel()
                raise WaitTimeoutError(self._why_late(timeout))
            if waits and not self._starting:
                return

    def reset(self) -> None:
        """End what is under way, and forget resources and rules; standing rules stay, unused."""
        starting, self._starting = self._starting, {}
        for start in starting.values():
            start.timer.cancel()
            start.clock.end()
        for task in self._tasks:
            task.cancel()
        self.resources.clear()
        self.rules.reset()

    def forget(self, account: str) -> None:
        """End what is under way in one account, and forget its resources and rules."""
        for task, resource in self._tasks.items():
            if resource.account == account:
                task.cancel()
        self.resources.forget(account)
        self.rules.clear(account)

    async def stop(self) -> None:
        """End what is under way, and return when it has ended."""
        tasks = tuple(self._tasks)
        self.reset()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def pristine(self) -> bool:
        """Whether a reset would change nothing."""
        return not len(self.resources) and not self._tasks and self.rules.pristine

    # ---------------------------------------------------------------- inside

    def _move(self, resource: Resource) -> None:
        """Move one state on, not by time."""
        clock = self._publishing.clock_of_flow()
        self._enter(resource, clock)
        if resource.state == resource.end:
            self._start_soon(resource, lambda: self._publish(resource, clock), clock)

    def _enter(self, resource: Resource, clock: AnyClock) -> None:
        resource.enter(clock.now())
        self.resources.note(resource)

    def _start_soon(self, resource: Resource, work: Callable[[], Coroutine[Any, Any, None]], clock: AnyClock) -> None:
        """Begin something once the answer that has just been sent may have arrived."""
        self._starts += 1
        number = self._starts
        clock.begin()

        def go() -> None:
            del self._starting[number]
            if not self._at_once(resource, clock):
                self._spawn(resource, work(), clock)
            clock.end()

        timer = asyncio.get_running_loop().call_later(HEAD_START, go)
        self._starting[number] = _Start(timer, go, clock)

    def _spawn(self, resource: Resource, work: Coroutine[Any, Any, None], clock: AnyClock) -> asyncio.Task[None]:
        clock.begin()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = resource

        def over(_: asyncio.Task[None]) -> None:
            del self._tasks[task]
            clock.end()
            if not task.cancelled() and (failure := task.exception()) is not None:
                _logger.error("unexpected error in the flow of %s", resource.resource_id, exc_info=failure)

        task.add_done_callback(over)
        return task

    async def _go(self, resource: Resource, clock: AnyClock) -> None:
        """Pass the states in their time, then publish."""
        await self._pass_states(resource, clock)
        if resource.state == resource.end:
            await self._publish(resource, clock)

    def _at_once(self, resource: Resource, clock: AnyClock) -> bool:
        """Do what needs no waiting: pass states that last no time; whether that was all."""
        while resource.stays == 0.0 and (resource.flow is None or resource.flow.advance == "time"):
            self._enter(resource, clock)
        flow = resource.flow
        if resource.stays is not None or (flow is not None and (flow.events is not None or flow.webhook is not None)):
            return False
        event = FLOW_ROUTES[resource.on].events.get(resource.state)
        if event is None or resource.state != resource.end:
            return True
        return not self._receivers(resource, event)

    async def _pass_states(self, resource: Resource, clock: AnyClock) -> None:
        while resource.stays is not None:
            if resource.stays:
                await clock.sleep_until(resource.history[-1].at + resource.stays)
            self._enter(resource, clock)

    async def _publish(self, resource: Resource, clock: AnyClock) -> None:
        """Publish the events of the end: those of the rule, or the documented one."""
        flow = resource.flow
        if flow is not None and (flow.events is not None or flow.webhook is not None):
            await self._replay(resource, clock)
            return
        event = FLOW_ROUTES[resource.on].events.get(resource.state)
        if event is None:
            return
        receivers = self._receivers(resource, event)
        if not receivers:
            return
        deliveries: list[Delivery] = []
        data = resource.content.event_data(event, resource.state) or {}
        occurrence = self._dispatcher.occur(
            EventStep(line=0, number="1", event=event, data=DataTemplate.literal(data)),
            receivers,
            clock.now(),
            seed=f"{self._seed}/{resource.resource_id}",
            source=f"{resource.on} {resource.resource_id}",
            retry=(flow.retry if flow else None) or self._publishing.retry,
        )
        try:
            await self._dispatcher.publish(occurrence, clock, deliveries)
        finally:
            resource.deliveries += tuple(delivery.delivery_id for delivery in deliveries)
            arrived = all(delivery.delivered for delivery in deliveries)
            self._record(resource, FlowEventRecord(event, 1, int(arrived), int(not arrived)))

    def _receivers(self, resource: Resource, event: str) -> Sequence[Webhook]:
        """Return where an event goes; if it goes nowhere, record why."""
        webhooks = self._publishing.webhooks_of(resource.account)
        receivers = webhooks.subscribed_to(event)
        if not receivers:
            why = f"no active webhook is subscribed to {event}" if len(webhooks) else "no webhook is registered"
            self._record(resource, FlowEventRecord(event, 1, 0, 0, {why: 1}))
        return receivers

    async def _replay(self, resource: Resource, clock: AnyClock) -> None:
        """Play the events of a rule as the steps of a script."""
        flow = resource.flow
        assert flow is not None  # noqa: S101 - the caller has looked
        script = script_of(resource, flow, self._publishing.catalog, self._seed)
        replay = self._publishing.replay_of_flow(script, clock, resource.account)
        replay.hold_clock()
        clock.end()  # the replay holds a token of its own, and gives that back while it waits
        try:
            await replay.run()
        finally:
            clock.begin()
            report = replay.report
            report.leave_budget()
            for step in report.steps:
                counts = (step.planned, step.delivered, step.failed)
                self._record(resource, FlowEventRecord(step.what, *counts, dict(step.not_sent), tuple(step.evidence)))
            resource.deliveries = (*resource.deliveries, *report.delivery_ids)[-MOST_DELIVERIES:]

    def _record(self, resource: Resource, event: FlowEventRecord) -> None:
        resource.events += (event,)
        self.resources.note(resource, event)

    def _why_late(self, timeout: float) -> str:
        under_way = list(dict.fromkeys(map(str, self._tasks.values())))
        shown = "\n  ".join(under_way[:20])
        more = f"\n  and {len(under_way) - 20} more" if len(under_way) > 20 else ""
        return f"waited {format_duration(timeout)} for flows to end; under way are:\n  {shown}{more}"
