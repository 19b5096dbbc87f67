"""The documented requests of the vendor API, field by field.

The vendor's pages are runs/create, evaluation/*, optimization/*, agents/create and test-cases/create. Types, defaults
and which fields are required are the vendor's. Ours, where its pages are silent or contradict
themselves: at least one scorer, item and turn; ``config.rubric`` of a scorer may be left out, as the vendor's own
example does; the names of scorers are free, as its examples use names outside its list.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

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
