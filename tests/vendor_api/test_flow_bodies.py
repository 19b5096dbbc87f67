"""Bodies of calls that make resources: what is wrong with them is said all at once, with what is allowed."""

from __future__ import annotations

from typing import Any

from mockserver.vendor_api.flows.content import OptimizationContent
from tests.tables import each_row
from tests.vendor_api.serving import Mock


@each_row(
    ("path", "body", "problems"),
    [
        ("runs", [1], ["The request body must be a JSON object, not a list"]),
        ("runs", {"test_case_ids": "tc_1"}, ['test_case_ids must be a list, not "tc_1"']),
        ("runs", {"tags": ["nightly", None]}, ["tags[1] must be text, not null"]),
        ("runs", {"config": "fast"}, ['config must be an object, not "fast"']),
        (
            "runs",
            {"config": {"parallel": 1, "max_retries": True, "timeout_ms": 1.5}, "agent_id": {}},
            [
                "config.parallel must be true or false, not 1",
                "config.max_retries must be a whole number, not true",
                "config.timeout_ms must be a whole number, not 1.5",
                "agent_id must be text, not an object",
            ],
        ),
        (
            "runs",
            {"tags": list(range(12))},
            [*(f"tags[{at}] must be text, not {at}" for at in range(10)), "and 2 more problems"],
        ),
        ("evaluate", {"scorer": ["bias"]}, ["Missing required field: scorers (there is 'scorer': was that meant?)"]),
        ("evaluate", {"threshold": 0.7}, ["Missing required field: scorers"]),
        (
            "evaluate",
            {"scorers": [], "threshold": False},
            ["scorers needs at least one item, and has none", "threshold must be a number, not false"],
        ),
        (
            "evaluate",
            {"scorers": ["bias"], "conversation_history": [{"role": "usr", "content": "x"}]},
            ["conversation_history[0].role must be assistant or user, not \"usr\"; did you mean 'user'?"],
        ),
        (
            "optimize/prompt",
            {"agent_id": "agent_1", "optimization_type": True, "target_metrics": []},
            [
                "optimization_type must be error_driven, full or metric_driven, not true",
                "target_metrics must be an object, not a list",
            ],
        ),
        (
            "optimize/prompt",
            {"agent_id": "a", "optimization_type": "full", "target_metrics": {"m": {"target": None, "current": ""}}},
            ['target_metrics.m.current must be a number, not ""'],
        ),
        (
            "experiments",
            {
                "name": "e",
                "agent_id": "a",
                "variants": [{"name": "v", "config": {}}],
                "test_case_ids": [],
                "metrics": [],
            },
            ["variants needs at least 2 items, and has 1"],
        ),
    ],
)
async def test_everything_that_is_wrong_is_said_at_once(mock: Mock, path: str, body: Any, problems: list[str]) -> None:
    """Each field with its place, what it must be and what it is; and nothing is made."""
    assert (await mock.call("POST", f"/v1/{path}", json=body)).error == (400, "invalid_request", "; ".join(problems))
    assert mock.flows is not None
    assert list(mock.flows.resources) == []


async def test_a_whole_number_may_be_written_with_a_point(mock: Mock) -> None:
    """Some languages know no other; unknown fields are ignored."""
    body = {"agent_id": "agent_1", "optimization_type": "full", "constraints": {"max_prompt_length": 10.0}, "more": 1}
    answer = await mock.call("POST", "/v1/optimize/prompt", json=body)
    assert answer.status < 300
    assert mock.flows is not None
    (made,) = mock.flows.resources
    assert isinstance(made.content, OptimizationContent)
    assert made.content.request.constraints.max_prompt_length == 10
