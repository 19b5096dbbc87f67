"""The rules that are installed: the first that matches a call and is not used up decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.script.model import Flow, matches


class Rule(msgspec.Struct):
    """An installed flow.

    Args:
        flow: The flow.
        standing: Whether a reset leaves it, unused again: the flows that a server was started with.
        account: Whose calls it decides; empty for all.
        used: How many calls it has decided.
    """

    flow: Flow
    standing: bool = False
    account: str = ""
    used: int = 0

    @property
    def used_up(self) -> bool:
        """Whether it decides no further call."""
        return self.flow.times is not None and self.used >= self.flow.times


class Rules:
    """The rules of one mock, in the order in which they were installed.

    Args:
        limit: How many there may be.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._rules: list[Rule] = []

    def __len__(self) -> int:
        return len(self._rules)

    def all(self) -> tuple[Rule, ...]:
        """Return every rule."""
        return tuple(self._rules)

    def install(self, flows: Iterable[Flow], *, standing: bool = False, account: str = "") -> tuple[Rule, ...]:
        """Add flows after those that are there.

        Raises:
            UsageError: There would be more than the limit; nothing was added.
        """
        new = tuple(Rule(flow, standing, account) for flow in flows)
        if len(self._rules) + len(new) > self._limit:
            raise UsageError(f"{self._limit} flows are the limit: reset forgets them, as does DELETE /_mock/flows")
        self._rules += new
        return new

    def take(self, on: str, request: Mapping[str, Any], account: str = "") -> Flow | None:
        """Return the flow that decides a call, which counts; None if no rule matches it."""
        for rule in self._rules:
            flow = rule.flow
            if (
                flow.on == on
                and not rule.used_up
                and rule.account in ("", account)
                and (not flow.when or matches(flow.when, request))
            ):
                rule.used += 1
                return flow
        return None

    def clear(self, account: str | None = None) -> None:
        """Forget every rule, or those of one account."""
        self._rules = [] if account is None else [rule for rule in self._rules if rule.account != account]

    def reset(self) -> None:
        """Forget every rule but the standing ones, which are unused again."""
        self._rules = [Rule(rule.flow, standing=True) for rule in self._rules if rule.standing]

    @property
    def pristine(self) -> bool:
        """Whether a reset would change nothing."""
        return all(rule.standing and not rule.used for rule in self._rules)
