"""One account of the bytes that a mock keeps, whichever part of it keeps them.

Each part has a share of one budget. When the whole is used up, the share that holds the most gives up its oldest; what
cannot be given up, such as a planned answer, is refused. So the sum is bounded, and not only each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

#: What a value of JSON takes in memory beside its characters, in bytes; measured, rounded up.
_PER_VALUE = 80

#: What a share without any limit of its own is measured against.
DEFAULT_LIMIT = 64 * 1024 * 1024


class Kept(Protocol):
    """A thing that more than one share may hold; its bytes count once, however many keepers it has."""

    size: int
    keepers: int


class MemoryBudget:
    """How many bytes the parts of a mock may keep together; ``fixed`` are those in use that cannot be given up."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self.used = 0
        self.fixed = 0
        self._shares: list[Share] = []

    def share(self, drop_oldest: Callable[[], object] | None = None) -> Share:
        """Return a share for one more part, with what gives up its oldest thing.

        A part that can give up none has to ask :meth:`Share.fits` before it takes one.
        """
        share = Share(self, drop_oldest)
        self._shares.append(share)
        return share

    def close(self, share: Share) -> None:
        """Forget a share that holds nothing any more."""
        self._shares.remove(share)

    def make_room(self, newest: Share) -> None:
        """Have the largest shares give up their oldest, until the limit is kept.

        The newest thing of all stays, whatever its size.
        """
        while self.used > self.limit:
            able = [share for share in self._shares if share.drop_oldest and share.things > (share is newest)]
            if not able:
                return
            max(able, key=_size).give_up()


class Share:
    """What one part of a mock keeps: how many things and bytes. Made by :meth:`MemoryBudget.share`."""

    __slots__ = ("_budget", "drop_oldest", "size", "things")

    def __init__(self, budget: MemoryBudget, drop_oldest: Callable[[], object] | None) -> None:
        self._budget = budget
        self.drop_oldest = drop_oldest
        self.size = 0
        self.things = 0

    def fits(self, size: int) -> bool:
        """Whether one more thing that cannot be given up has room; the first of a part always has."""
        return not self.things or self._budget.fixed + size <= self._budget.limit

    def add(self, size: int) -> None:
        """Count a thing of this many bytes; what is older may have to go."""
        self.size += size
        self.things += 1
        self._use(size)

    def remove(self, size: int) -> None:
        """Count a thing of this many bytes no longer."""
        self.size -= size
        self.things -= 1
        self._free(size)

    def keep(self, thing: Kept) -> None:
        """Count a thing that other shares may hold too; its size must not change until it is released."""
        size = thing.size
        self.size += size
        self.things += 1
        thing.keepers += 1
        if thing.keepers == 1:
            self._use(size)

    def release(self, thing: Kept) -> None:
        """Count a thing no longer that other shares may hold too."""
        self.size -= thing.size
        self.things -= 1
        thing.keepers -= 1
        if thing.keepers == 0:
            self._free(thing.size)

    def _use(self, size: int) -> None:
        budget = self._budget
        budget.used += size
        if self.drop_oldest is None:
            budget.fixed += size
        if budget.used > budget.limit:
            budget.make_room(self)

    def _free(self, size: int) -> None:
        self._budget.used -= size
        if self.drop_oldest is None:
            self._budget.fixed -= size

    def give_up(self) -> None:
        """Give up the oldest thing."""
        assert self.drop_oldest is not None  # noqa: S101 - the budget has looked
        self.drop_oldest()

    def close(self, kept: Iterable[Kept]) -> None:
        """Leave the budget, and keep no longer what this share holds."""
        for thing in kept:
            thing.keepers -= 1
            if thing.keepers == 0:
                self._free(thing.size)
        self._budget.close(self)


def size_of_json(value: Any) -> int:
    """Return how many bytes a decoded JSON value takes in memory, about."""
    size, pending = 0, [value]
    while pending:
        item = pending.pop()
        size += _PER_VALUE
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, Mapping):
            size += sum(map(len, item))
            pending += item.values()
        elif isinstance(item, (list, tuple)):
            pending += item
    return size


def _size(share: Share) -> int:
    return share.size
