"""The calls of the vendor API that can lead to events: one table for rules, their schema and what plays them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

#: What a template of a flow's event knows beside the names of every template.
FLOW_NAMES = ("request", "resource")


class FlowRoute(msgspec.Struct, frozen=True):
    """A call that can lead to events.

    Args:
        on: The method and path, as a rule names them.
        kind: What the call makes.
        fields: The documented fields of its request, for ``when``.
        states: The documented states before the end, in their order; none where the answer is the finished result.
        events: The documented event of each outcome that has one.
        open_paths: Keys of those events whose own keys follow from the request.
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
    """Return whether a request has the values that a rule asks for.

    A list in the request matches a value that is in it: ``tags: nightly`` is any call with that tag.

    Args:
        when: The values, by dotted path: one, or a list of those allowed.
        request: The decoded body of the call.
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
