"""The documented answers of the vendor API, field by field, in the documented order.

What the vendor's pages leave open is ours: what ``GET /v1/runs/{run_id}`` shows before the end (no turns, and a summary
of nothing), and what an optimization shows before its end (the prompt as it was).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mockserver.vendor_api.resources.requests import Message, Provider, Texts, Turn

RunStatus = Literal["queued", "running", "completed", "failed"]
JobStatus = Literal["running", "completed", "failed"]
Score = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]


class RunAccepted(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/runs``."""

    run_id: str
    status: RunStatus
    test_case_count: Count
    estimated_duration_s: Count
    webhook_url: Annotated[str, Meta(description="Despite its name, the URL of a WebSocket; the mock has none")]


class Named(Struct, frozen=True, gc=False):
    """A test case or an agent, as a run names it."""

    id: str
    name: str


class ScorerOutput(Struct, frozen=True, gc=False):
    """What one scorer says of a turn."""

    score: Score
    reasoning: str


class TurnEvaluation(Struct, frozen=True, gc=False):
    """What the scorers say of a turn."""

    overall_pass: bool
    scorer_outputs: dict[str, ScorerOutput]
    grader_output: str


class Tokens(Struct, frozen=True, gc=False):
    """How many tokens a turn took."""

    input: Count
    output: Count


class TurnMetrics(Struct, frozen=True, gc=False):
    """What a turn took."""

    latency_ms: Count
    tokens: Tokens
    cost_usd: float


class TurnResult(Struct, frozen=True, gc=False):
    """One turn of a run."""

    turn_index: Annotated[int, Meta(ge=0, description="From 0")]
    input: tuple[Message, ...]
    output: tuple[Message, ...]
    expected_behavior: str
    success: bool
    evaluation: TurnEvaluation
    metrics: TurnMetrics
    trace_id: str


class Summary(Struct, frozen=True, gc=False):
    """The turns of a run added up."""

    turns_passed: Count
    turns_failed: Count
    avg_latency_ms: Count
    total_cost_usd: float


class Run(Struct, frozen=True, gc=False):
    """The answer to ``GET /v1/runs/{run_id}``."""

    run_id: str
    status: RunStatus
    success: Annotated[bool, Meta(description="Whether all turns passed; false before the end")]
    test_case: Named
    agent: Named
    turns: Annotated[tuple[TurnResult, ...], Meta(description="None before the end")]
    summary: Summary


Metadata = Annotated[dict[str, Any], Meta(description="What the scorer found; may be empty")]


class ScorerResult(Struct, frozen=True, gc=False, rename={"passed": "pass"}):
    """The result of one scorer."""

    score: Score
    passed: bool
    reasoning: str
    metadata: Metadata


class Evaluation(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/evaluate``."""

    evaluation_id: str
    overall_pass: Annotated[bool, Meta(description="Whether every score reached the threshold")]
    results: Annotated[dict[str, ScorerResult], Meta(description="By scorer")]


class ItemResult(Struct, frozen=True, gc=False):
    """The result of one item of a batch."""

    item_index: Annotated[int, Meta(ge=0, description="From 0")]
    overall_pass: bool
    scores: dict[str, Score]


class BatchSummary(Struct, frozen=True, gc=False):
    """The items of a batch added up."""

    total: Count
    passed: Count
    failed: Count
    avg_scores: dict[str, Score]


class Batch(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/evaluate/batch``."""

    batch_id: str
    status: JobStatus
    results: tuple[ItemResult, ...]
    summary: BatchSummary


class Change(Struct, frozen=True, gc=False, kw_only=True):
    """One change that an optimization made."""

    type: Annotated[str, Meta(examples=["added_instruction", "added_few_shot"])]
    content: str | UnsetType = UNSET
    rationale: str


class Improvement(Struct, frozen=True, gc=False, rename={"before": "from", "after": "to"}):
    """From where to where a metric is expected to go."""

    before: float
    after: float


class Optimization(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/optimize/prompt``."""

    optimization_id: str
    status: JobStatus
    original_prompt: str
    optimized_prompt: str
    changes_made: tuple[Change, ...]
    predicted_improvement: dict[str, Improvement]
    validation_run_id: Annotated[str, Meta(description="A run that the vendor makes by itself")]


class Agent(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/agents``."""

    id: str
    name: str
    provider: Provider
    created_at: str
    api_key: Annotated[str, Meta(description="The agent's key for the SDK")]


class TestCase(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/test-cases``; type, turns and tags are in the vendor's example alone."""

    id: str
    name: str
    agent_id: str
    created_at: str
    type: Literal["single", "multi"]
    turns: tuple[Turn, ...]
    tags: Texts


class Scorer(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/scorers``."""

    scorer_id: str
    name: str


class Experiment(Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/experiments``: the results would come later, and no call to read them is documented."""

    experiment_id: str
    status: Literal["pending", "running", "completed"]
