"""Resources: what calls have made, each on its way through its states to an end that is never left.

They are kept in memory and bounded: at a limit the oldest go, and a counter says how many went.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.model.identifiers import new_identifier
from mockserver.model.memory_budget import MemoryBudget
from mockserver.script.model import Flow, FlowRoute
from mockserver.vendor_api.flows.content import Content, plain_json

#: The states that are an end.
ENDS = ("completed", "failed")


class Entered(msgspec.Struct, frozen=True, gc=False):
    """A state, and when it was entered, by the mock's clock, in seconds since 1970."""

    state: str
    at: float


class FlowEventRecord(msgspec.Struct, frozen=True, gc=False):
    """What became of an event of a flow.

    Args:
        event: The event type.
        planned: How often it was to happen.
        delivered: How often every webhook that it went to accepted it.
        failed: How often at least one webhook did not.
        not_sent: How often it went nowhere, by reason.
        unmet: What was expected of its deliveries and did not come.
    """

    event: str
    planned: int
    delivered: int
    failed: int
    not_sent: Mapping[str, int] = {}
    unmet: Sequence[str] = ()

    def __str__(self) -> str:
        reasons = [f"{reason}" for reason in self.not_sent]
        what = ["delivered"] if self.delivered else []
        what += ["failed"] if self.failed else []
        what += [f"not sent: {reason}" for reason in reasons]
        return f"{self.event} {'; '.join([*what, *self.unmet]) or 'under way'}"


class Resource(msgspec.Struct):
    """What a call of the vendor API has made: a run, an evaluation, an optimization, an agent and so on.

    Args:
        resource_id: Its id, such as ``run_abc123``.
        kind: What it is: ``run``, ``evaluation``, ``batch``, ``optimization``, ``agent``, ``test_case``, ``scorer`` or
            ``experiment``.
        on: The call that made it, such as ``POST /v1/runs``.
        request: The decoded body of that call.
        content: What the API shows of it, and the data of its events.
        ahead: The states that are still to come, each with how many seconds it lasts.
        end: The state that is its end; None if it never ends.
        flow: The rule that decides; None without one.
        account: Whose it is; empty unless each API key is an account.
        size: Bytes of memory that its request takes, about.
        history: The states so far.
        stays: How many seconds its present state lasts; None if it is the last.
        reads: How often it was read in its present state.
        events: What became of its events so far.
        deliveries: The ids of their deliveries.
    """

    resource_id: str
    kind: str
    on: str
    request: Mapping[str, Any]
    content: Content
    ahead: tuple[tuple[str, float], ...] = ()
    end: str | None = None
    flow: Flow | None = None
    account: str = ""
    size: int = 0
    history: tuple[Entered, ...] = ()
    stays: float | None = None
    reads: int = 0
    events: tuple[FlowEventRecord, ...] = ()
    deliveries: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Its present state."""
        return self.history[-1].state

    @property
    def created_at(self) -> float:
        """When it was made, by the mock's clock, in seconds since 1970."""
        return self.history[0].at

    @property
    def ended(self) -> bool:
        """Whether there is no further state, now or later."""
        return not self.ahead and (self.end is None or self.state == self.end)

    @property
    def data(self) -> Any:
        """What the API shows of it now, as plain JSON."""
        return plain_json(self.content.shown(self.state))

    def enter(self, now: float) -> None:
        """Move one state on, if there is one.

        Args:
            now: When, by the mock's clock.
        """
        self.reads = 0
        self.stays = None
        if self.ahead:
            (state, seconds), self.ahead = self.ahead[0], self.ahead[1:]
            self.history += (Entered(state, now),)
            if self.ahead or self.end is not None:
                self.stays = seconds
        elif self.end is not None and not (self.history and self.state == self.end):
            self.history += (Entered(self.end, now),)

    def __str__(self) -> str:
        states = " → ".join(entered.state for entered in self.history)
        events = "".join(f"\n    {event}" for event in self.events)
        return f"{self.on}  {self.resource_id}  {states}{events}"

    def __repr__(self) -> str:
        return f"<Resource {self.kind} {self.resource_id} {self.state}>"


def states_of(route: FlowRoute, flow: Flow | None) -> tuple[tuple[tuple[str, float], ...], str | None]:
    """Return the states that a new resource goes through, and its end; without a rule it is completed at once.

    A run is queued when its call is answered, as documented, also where that lasts no time. What never ends stays in
    the last of its states.
    """
    waits = flow.waits if flow else ()
    outcome = flow.outcome if flow else "completed"
    by_time = flow is None or flow.advance == "time"
    if route.kind == "run" and by_time and (not waits or waits[0][0] != route.states[0]):
        waits = ((route.states[0], 0.0), *waits)
    if outcome == "never" and (not waits or waits[-1][0] != route.states[-1]):
        waits = (*waits, (route.states[-1], 0.0))
    return waits, None if outcome == "never" else outcome


#: How many sequences of ids are remembered, each of a kind in an account.
_MOST_SEQUENCES = 1_000

#: Called with a resource that has entered a state, or with one of its events that has an outcome.
Listener = Callable[[Resource, FlowEventRecord | None], None]


class ResourceStore:
    """What calls of the vendor API have made, with ids repeatable by seed."""

    def __init__(self, limit: int, budget: MemoryBudget, seed: int) -> None:
        self._limit = limit
        self._share = budget.share(self._drop_oldest)
        self._seed = seed
        self._resources: OrderedDict[tuple[str, str], Resource] = OrderedDict()
        self._chances: dict[tuple[str, str], random.Random] = {}
        self._listeners: list[Listener] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._resources)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def new_id(self, prefix: str, account: str = "") -> str:
        """Return an id that no resource of an account has; the ids of each kind are a sequence of their own."""
        chance = self._chances.get((account, prefix))
        if chance is None:
            if len(self._chances) >= _MOST_SEQUENCES:  # ids that are in use are skipped
                del self._chances[next(iter(self._chances))]
            chance = random.Random(f"{self._seed}/{account}/{prefix}")  # noqa: S311 - repeatable on purpose
            self._chances[account, prefix] = chance
        while True:
            identifier = new_identifier(prefix, chance)
            if (account, identifier) not in self._resources:
                return identifier

    def add(self, resource: Resource) -> None:
        """Keep a new resource."""
        self._resources[resource.account, resource.resource_id] = resource
        self._share.add(resource.size)
        while len(self._resources) > self._limit:
            self._drop_oldest()
        self.note(resource)

    def _drop_oldest(self) -> None:
        self._share.remove(self._resources.popitem(last=False)[1].size)
        self.dropped += 1

    def get(self, resource_id: str, account: str = "") -> Resource | None:
        """Return the resource of an account with this id, or None."""
        return self._resources.get((account, resource_id))

    def find(self, resource_id: str) -> Resource | None:
        """Return the first resource with this id, of any account; None if there is none."""
        found = self._resources.get(("", resource_id))
        return found or next((each for each in self if each.resource_id == resource_id), None)

    def note(self, resource: Resource, event: FlowEventRecord | None = None) -> None:
        """Report to the listeners that a resource has entered a state, or that an event of it has an outcome."""
        for listener in tuple(self._listeners):
            listener(resource, event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a function with each resource that enters a state, and with each of its events that has an outcome.

        What is returned ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def forget(self, account: str) -> None:
        """Forget the resources of one account, and restart its ids."""
        for key in [key for key in self._resources if key[0] == account]:
            self._share.remove(self._resources.pop(key).size)
        self._chances = {key: chance for key, chance in self._chances.items() if key[0] != account}

    def clear(self) -> None:
        """Forget every resource, and restart the ids."""
        while self._resources:
            self._drop_oldest()
        self._chances.clear()
        self.dropped = 0
