"""Rules of flows: how many there may be."""

from __future__ import annotations

import pytest

from mockserver.errors import UsageError
from mockserver.model.memory_budget import MemoryBudget
from mockserver.script.model import Flow
from mockserver.vendor_api.flows.creation import Rules

FLOW = Flow(on="POST /v1/runs", written={"on": "POST /v1/runs"})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Rules(limit=2), "2 flows are the limit: reset forgets them"),
        (Rules(budget=MemoryBudget(2 * FLOW.size)), "the flows take as many bytes as may be kept: reset forgets them"),
    ],
    ids=["number", "bytes"],
)
def test_rules_are_bounded(rules: Rules, message: str) -> None:
    """What is too much changes nothing; what was forgotten makes room."""
    rules.install([FLOW])
    with pytest.raises(UsageError, match=message):
        rules.install([FLOW, FLOW])
    assert len(rules) == 1
    rules.install([FLOW])
    rules.clear()
    assert len(rules.install([FLOW, FLOW])) == 2
