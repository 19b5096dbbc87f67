"""The resources of one mock, in memory and bounded: at a limit the oldest go, and a counter says how many went."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator

from mockserver.model.identifiers import new_identifier
from mockserver.vendor_api.flows.resource import FlowEventRecord, Resource

#: Called with a resource that has entered a state, or with one of its events that has an outcome.
Listener = Callable[[Resource, FlowEventRecord | None], None]


class ResourceStore:
    """What calls of the vendor API have made.

    Args:
        limit: How many resources are kept.
        max_bytes: How many bytes of their requests are kept; the newest resource stays, whatever its size.
        seed: Makes their ids repeatable.
    """

    def __init__(self, limit: int, max_bytes: int, seed: int) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._seed = seed
        self._resources: OrderedDict[tuple[str, str], Resource] = OrderedDict()
        self._chances: dict[tuple[str, str], random.Random] = {}
        self._listeners: list[Listener] = []
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._resources)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def new_id(self, prefix: str, account: str = "") -> str:
        """Return an id that no resource of an account has; the ids of each kind are a sequence of their own."""
        chance = self._chances.get((account, prefix))
        if chance is None:
            chance = random.Random(f"{self._seed}/{account}/{prefix}")  # noqa: S311 - repeatable on purpose
            self._chances[account, prefix] = chance
        while True:
            identifier = new_identifier(prefix, chance)
            if (account, identifier) not in self._resources:
                return identifier

    def add(self, resource: Resource) -> None:
        """Keep a new resource."""
        self._resources[resource.account, resource.resource_id] = resource
        self._bytes += resource.size
        while len(self._resources) > self._limit or (self._bytes > self._max_bytes and len(self._resources) > 1):
            self._bytes -= self._resources.popitem(last=False)[1].size
            self.dropped += 1
        self.note(resource)

    def get(self, resource_id: str, account: str = "") -> Resource | None:
        """Return the resource of an account with this id, or None."""
        return self._resources.get((account, resource_id))

    def find(self, resource_id: str) -> Resource | None:
        """Return the first resource with this id, whose-ever it is; None if there is none."""
        found = self._resources.get(("", resource_id))
        return found or next((each for each in self if each.resource_id == resource_id), None)

    def note(self, resource: Resource, event: FlowEventRecord | None = None) -> None:
        """Report to the listeners that a resource has entered a state, or that an event of it has an outcome."""
        for listener in tuple(self._listeners):
            listener(resource, event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a function with each resource that enters a state, and with each of its events that has an outcome.

        Returns:
            A function that ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def forget(self, account: str) -> None:
        """Forget the resources of one account, and begin its ids again."""
        for key in [key for key in self._resources if key[0] == account]:
            self._bytes -= self._resources.pop(key).size
        self._chances = {key: chance for key, chance in self._chances.items() if key[0] != account}

    def clear(self) -> None:
        """Forget every resource, and begin the ids again."""
        self._resources.clear()
        self._chances.clear()
        self._bytes = self.dropped = 0
