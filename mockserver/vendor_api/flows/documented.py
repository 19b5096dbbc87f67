"""The documented requests and answers of the vendor API, field by field, in the documented order.

The vendor's pages are runs/create, evaluation/*, optimization/*, agents/create and test-cases/create. Types, defaults
and which fields are required are the vendor's. Ours, where its pages are silent or contradict themselves: at least one
scorer, item and turn; ``config.rubric`` of a scorer may be left out, as the vendor's own example does; the names of
scorers are free, as its examples use names outside its list; what ``GET /v1/runs/{run_id}`` shows before the end (no
turns, and a summary of nothing), and what an optimization shows before its end (the prompt as it was).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Texts = tuple[str, ...]
Role = Literal["user", "assistant"]
Provider = Literal["openai", "anthropic", "bedrock", "langchain", "custom"]
ScorerType = Literal["llm_judge", "code", "regex"]
OptimizationType = Literal["error_driven", "metric_driven", "full"]


class RunConfig(Struct, frozen=True, kw_only=True):
    """How a run is made."""

    parallel: Annotated[bool, Meta(description="Whether test cases run at the same time")] = True
    max_retries: int = 0
    timeout_ms: Annotated[int, Meta(description="Per turn, in milliseconds")] = 30_000


class RunRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/runs``. The vendor marks none of the three selectors as required."""

    test_case_id: Annotated[str, Meta(description="One test case")] = ""
    test_case_ids: Annotated[Texts, Meta(description="Several test cases")] = ()
    tags: Annotated[Texts, Meta(description="All test cases with these tags")] = ()
    agent_id: Annotated[str, Meta(description="Instead of the test case's own agent")] = ""
    config: RunConfig = RunConfig()


class Message(Struct, frozen=True, kw_only=True):
    """One message of a conversation."""

    role: Role
    content: str


class ToolCall(Struct, frozen=True, kw_only=True):
    """One call of a tool by an agent."""

    name: str
    arguments: dict[str, Any] = {}
    result: Any = None


Scorers = Annotated[Texts, Meta(min_length=1, description="Names of scorers, or ids of custom ones")]


class EvaluateRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/evaluate``."""

    scorers: Scorers
    turn_id: Annotated[str, Meta(description="A stored turn")] = ""
    input: str = ""
    output: str = ""
    expected_behavior: Annotated[str, Meta(description="For the scorer playval")] = ""
    context: Annotated[tuple[Any, ...], Meta(description="For the RAG scorers")] = ()
    ground_truth: str = ""
    conversation_history: Annotated[tuple[Message, ...], Meta(description="For the multi-turn scorers")] = ()
    agent_plan: str = ""
    tool_calls: Annotated[tuple[ToolCall, ...], Meta(description="For the agentic scorers")] = ()
    threshold: Annotated[float, Meta(description="What each score must reach")] = 0.7


class BatchItem(Struct, frozen=True, kw_only=True):
    """One thing to evaluate."""

    input: str
    output: str
    context: tuple[Any, ...] = ()
    ground_truth: str = ""


class BatchConfig(Struct, frozen=True, kw_only=True):
    """How a batch is made."""

    parallel: bool = True
    fail_fast: Annotated[bool, Meta(description="Whether to end at the first item that does not pass")] = False


class BatchRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/evaluate/batch``."""

    items: Annotated[tuple[BatchItem, ...], Meta(min_length=1)]
    scorers: Scorers
    config: BatchConfig = BatchConfig()


class TargetMetric(Struct, frozen=True, kw_only=True):
    """Where a metric is, and where it should be."""

    target: float | None = None
    current: float | None = None


class Constraints(Struct, frozen=True, kw_only=True):
    """What the new prompt must keep to."""

    max_prompt_length: Annotated[int, Meta(description="In characters")] | None = None
    preserve_sections: Texts = ()


class OptimizeRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/optimize/prompt``."""

    agent_id: str
    optimization_type: OptimizationType
    failure_window: Annotated[str, Meta(description="Such as 7d or 30d, for error_driven")] = ""
    min_failures: int = 5
    target_metrics: Annotated[dict[str, TargetMetric], Meta(description="By metric, for metric_driven")] = {}
    include_examples: bool = True
    max_examples: int = 5
    constraints: Constraints = Constraints()


class Invocation(Struct, frozen=True, kw_only=True):
    """How an agent is called."""

    method: str = "POST"
    url: str = ""
    headers: dict[str, Any] = {}
    body_template: Annotated[str, Meta(description="With a placeholder for the input")] = ""


class AgentRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/agents``."""

    name: str
    provider: Provider
    credentials: dict[str, Any] = {}
    invocation: Invocation = Invocation()
    system_prompt: Annotated[str, Meta(description="What an optimization begins with")] = ""
    default_scorers: Annotated[Texts, Meta(description="Applied to all runs of the agent")] = ()


class TurnInput(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a turn says to the agent."""

    text: str
    attachments: tuple[Any, ...] = ()


class Turn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a test case."""

    input: TurnInput
    expected_behavior: str
    scorers: Texts = ()
    ground_truth: str = ""
    context: tuple[Any, ...] = ()


class TestCaseRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/test-cases``."""

    name: str
    agent_id: str
    turns: Annotated[tuple[Turn, ...], Meta(min_length=1)]
    type: Literal["single", "multi"] = "single"
    tags: Texts = ()


class ScorerConfig(Struct, frozen=True, kw_only=True):
    """What a custom scorer does."""

    model: str = "gpt-4-turbo"
    rubric: Annotated[str, Meta(description="The rubric; the code, for the type code")] = ""
    pattern: Annotated[str, Meta(description="For the type regex")] = ""
    output_schema: Annotated[dict[str, Any], Meta(description="The name of a type by field")] = {}


class ScorerRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/scorers``."""

    name: str
    type: ScorerType
    config: ScorerConfig
    description: str = ""
    variables: Annotated[dict[str, Any], Meta(description="Values of template variables")] = {}


class VariantConfig(Struct, frozen=True, kw_only=True):
    """What is different in a variant."""

    system_prompt: str = ""
    model: str = ""
    temperature: float | None = None


class Variant(Struct, frozen=True, kw_only=True):
    """One of the things that an experiment compares."""

    name: str
    config: VariantConfig


class ExperimentConfig(Struct, frozen=True, kw_only=True):
    """How an experiment is made."""

    runs_per_variant: int = 10
    randomize: bool = True


class ExperimentRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/experiments``."""

    name: str
    agent_id: str
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2)]
    test_case_ids: Texts
    metrics: Texts
    config: ExperimentConfig = ExperimentConfig()


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
