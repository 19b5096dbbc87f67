"""The content of resources: what the API shows of runs, evaluations and the rest, and the data of their events.

Values that the vendor would measure (scores, times, costs, ids of traces) are drawn by seed, so that what a read shows
and what an event says agree.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from string import ascii_letters, digits
from typing import Any

import msgspec

from mockserver.model.identifiers import new_identifier
from mockserver.vendor_api.flows.documented import (
    Agent,
    AgentRequest,
    Batch,
    BatchRequest,
    BatchSummary,
    Change,
    EvaluateRequest,
    Evaluation,
    Experiment,
    ExperimentRequest,
    Improvement,
    ItemResult,
    Message,
    Named,
    Optimization,
    OptimizeRequest,
    Run,
    RunAccepted,
    RunRequest,
    Scorer,
    ScorerOutput,
    ScorerRequest,
    ScorerResult,
    Summary,
    TargetMetric,
    TestCase,
    TestCaseRequest,
    Tokens,
    Turn,
    TurnEvaluation,
    TurnInput,
    TurnMetrics,
    TurnResult,
)


class Content(msgspec.Struct, frozen=True):
    """The content of a resource: everything about it but its state. It is made once, from the request and the flow."""

    def shown(self, state: Any) -> msgspec.Struct:
        """Return what the API shows of it in a state."""
        raise NotImplementedError

    def answered(self, state: Any) -> msgspec.Struct:
        """Return what the call that made it is answered with."""
        return self.shown(state)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:  # noqa: ARG002 - for those with events
        """Return the data of one of its documented events; None for an event that is about something else."""
        return None


def plain_json(value: msgspec.Struct) -> Any:
    """Return what the API shows as plain JSON: dicts and lists, as an application reads it."""
    return msgspec.json.decode(msgspec.json.encode(value))


#: What a score must reach if the request does not say; documented.
THRESHOLD = 0.7
#: The scorer that finds something wrong first, as in the vendor's sample.
_FIRST_TO_FAIL = "faithfulness"

#: What a scorer finds beside its score, where the vendor's page shows it.
_METADATA: dict[str, dict[str, Any]] = {
    "faithfulness": {"claims_analyzed": [], "unsupported_claims": []},
    "contextual_relevancy": {"relevant_chunks": 1, "total_chunks": 1, "relevancy_ratio": 1.0},
    "bias": {"flags": []},
    "toxicity": {"toxicity_level": "none"},
    "tool_correctness": {"tools_used": []},
    "plan_adherence": {"missing_steps": []},
}


def chance_of(*parts: object) -> random.Random:
    """Return a source of chance that gives the same values again for the same parts."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - repeatable on purpose


def score(chance: random.Random, threshold: float, *, passing: bool) -> float:
    """Draw a score with two decimals on one side of a threshold, as far as the range 0 to 1 allows."""
    least = math.ceil(min(max(threshold, 0.0), 1.0) * 100 - 1e-9)  # the first that reaches the threshold
    if passing:
        return chance.randint(max(least, min(98, max(75, least))), max(98, least)) / 100
    return chance.randint(max(0, least - 40), max(0, least - 5)) / 100


def failing_scorer(scorers: Sequence[str]) -> str:
    """Return the scorer that a failure is blamed on: faithfulness, as in the vendor's sample, or else the first."""
    return _FIRST_TO_FAIL if _FIRST_TO_FAIL in scorers else scorers[0]


def scored(scorers: Sequence[str], chance: random.Random, *, passing: bool) -> dict[str, ScorerOutput]:
    """Draw what the scorers say of a turn; where it fails, one of them is below the threshold."""
    guilty = None if passing else failing_scorer(scorers)
    outputs = {}
    for scorer in scorers:
        value = score(chance, THRESHOLD, passing=scorer != guilty)
        outputs[scorer] = ScorerOutput(value, _reasoning(value >= THRESHOLD))
    return outputs


def results(
    scorers: Sequence[str], threshold: float, chance: random.Random, *, passing: bool
) -> dict[str, ScorerResult]:
    """Draw the results of an evaluation; where it is to fail, one scorer is below the threshold if possible."""
    guilty = None if passing else failing_scorer(scorers)
    found = {}
    for scorer in scorers:
        value = score(chance, threshold, passing=scorer != guilty)
        passed = value >= threshold
        found[scorer] = ScorerResult(value, passed, _reasoning(passed), dict(_METADATA.get(scorer, {})))
    return found


def _reasoning(passed: bool) -> str:
    if passed:
        return "The answer does what was expected of it."
    return "A part of the answer is not supported by what was asked and given."


def turn_metrics(chance: random.Random) -> TurnMetrics:
    """Draw what a turn took."""
    tokens = Tokens(chance.randint(100, 300), chance.randint(50, 200))
    return TurnMetrics(chance.randint(800, 2200), tokens, round(tokens.input * 1e-5 + tokens.output * 2e-5, 4))


def spoken(scorer: str) -> str:
    """Return the name of a scorer as the vendor's failure summary writes it: ``Faithfulness``."""
    return scorer.replace("_", " ").capitalize()


#: The number of turns that the vendor's example adds up.
DEFAULT_TURNS = 3
#: The turn that fails in the vendor's sample of ``run.failed``.
_DEFAULT_FAILED_TURN = 2
_DEFAULT_SCORERS = ("relevance", "faithfulness")
_DEFAULT_SECONDS = 45
_NOTHING_YET = Summary(0, 0, 0, 0.0)
_INPUTS = (
    "I want a refund for the order that I placed last week.",
    "It arrived with a broken handle.",
    "How long will it take until I have my money back?",
)
_DEFAULT_TURNS_OF_A_CASE = tuple(
    Turn(input=TurnInput(text=text), expected_behavior="Looks up the order, and promises nothing that it cannot keep.")
    for text in _INPUTS
)
_GOOD_ANSWER = "I have looked up your order. Here is what I can do for you."
_BAD_ANSWER = "You will have your money back today."


class RunPlan(msgspec.Struct, frozen=True, gc=False):
    """What a run will turn out to be.

    The turns are those of its test case, if they are known, unless ``turns`` says how many; ``failed_turn``, from 1, is
    by default the second, or the last. ``seconds`` is how long it will take, as far as that is known.
    """

    test_case: Named
    agent: Named
    turns_of_case: Sequence[Turn] = ()
    default_scorers: Sequence[str] = ()
    test_case_count: int = 1
    turns: int | None = None
    failed_turn: int | None = None
    seconds: float = 0.0


class RunContent(Content, frozen=True):
    """The content of a run; its turns are drawn by seed each time that they are asked for, and kept nowhere."""

    resource_id: str
    request: RunRequest
    seed: str
    plan: RunPlan

    def answered(self, state: Any) -> RunAccepted:
        """Return what the call is answered with."""
        plan = self.plan
        seconds = max(1, round(plan.seconds)) if plan.seconds else _DEFAULT_SECONDS
        url = f"wss://api.playgent.com/v1/runs/{self.resource_id}/stream"
        return RunAccepted(self.resource_id, state, plan.test_case_count, seconds, url)

    def shown(self, state: Any) -> Run:
        """Return what ``GET /v1/runs/{run_id}`` shows."""
        plan = self.plan
        if state not in ("completed", "failed"):
            return Run(self.resource_id, state, False, plan.test_case, plan.agent, (), _NOTHING_YET)
        failed = self._failed_turn if state == "failed" else 0
        chance = chance_of(self.seed, self.resource_id)
        turns = tuple(self._turn(index, index + 1 != failed, chance) for index in range(self._turns))
        summary = _added_up(turns)
        return Run(self.resource_id, state, not summary.turns_failed, plan.test_case, plan.agent, turns, summary)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``run.completed`` or ``run.failed``, in the keys of their samples."""
        case = self.plan.test_case
        named = {"run_id": self.resource_id, "test_case_id": case.id, "test_case_name": case.name}
        if event == "run.failed":
            return {**named, "failure_summary": self._failure(self.shown(state))}
        if event == "run.completed":
            run = self.shown(state)
            return {**named, "success": run.success, "summary": plain_json(run.summary)}
        return None

    @property
    def _turns(self) -> int:
        return self.plan.turns or len(self.plan.turns_of_case) or max(DEFAULT_TURNS, self.plan.failed_turn or 0)

    @property
    def _failed_turn(self) -> int:
        return min(self.plan.failed_turn or _DEFAULT_FAILED_TURN, self._turns)

    def _turn(self, index: int, passing: bool, chance: Any) -> TurnResult:
        known = self.plan.turns_of_case or _DEFAULT_TURNS_OF_A_CASE
        turn = known[index % len(known)]
        outputs = scored(turn.scorers or self.plan.default_scorers or _DEFAULT_SCORERS, chance, passing=passing)
        said = _GOOD_ANSWER if passing else _BAD_ANSWER
        grade = "All scorers pass." if passing else f"{spoken(failing_scorer(list(outputs)))} is below the threshold."
        return TurnResult(
            index,
            (Message(role="user", content=turn.input.text),),
            (Message(role="assistant", content=said),),
            turn.expected_behavior,
            passing,
            TurnEvaluation(passing, outputs, grade),
            turn_metrics(chance),
            new_identifier("trace", chance),
        )

    def _failure(self, run: Run) -> str:
        """The first failed turn as the vendor's sample words it; without one, a run that took too long."""
        for turn in run.turns:
            if not turn.success:
                outputs = turn.evaluation.scorer_outputs
                scorer = failing_scorer(list(outputs))
                found = f"{spoken(scorer)} score {outputs[scorer].score:.2f} below threshold {THRESHOLD:.2f}"
                return f"Turn {turn.turn_index + 1} failed: {found}"
        return f"Turn 1 failed: no answer within {self.request.config.timeout_ms} ms"


def _added_up(turns: Sequence[TurnResult]) -> Summary:
    passed = sum(turn.success for turn in turns)
    latency = round(sum(turn.metrics.latency_ms for turn in turns) / len(turns))
    cost = round(sum(turn.metrics.cost_usd for turn in turns), 4)
    return Summary(passed, len(turns) - passed, latency, cost)


class EvaluationContent(Content, frozen=True):
    """The content of an evaluation, which is finished when its call is answered."""

    resource_id: str
    request: EvaluateRequest
    seed: str

    def shown(self, state: str) -> Evaluation:
        """Return the finished result; it passes unless the state is failed."""
        request = self.request
        chance = chance_of(self.seed, self.resource_id)
        found = results(request.scorers, request.threshold, chance, passing=state != "failed")
        return Evaluation(self.resource_id, all(result.passed for result in found.values()), found)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``evaluation.completed``: the answer, all of it."""
        return plain_json(self.shown(state)) if event == "evaluation.completed" else None


class BatchContent(Content, frozen=True):
    """The content of a batch; no event of one is documented."""

    resource_id: str
    request: BatchRequest
    seed: str

    def shown(self, state: Any) -> Batch:
        """Return the results; where the state is failed, the first item does not pass; none before the end."""
        if state == "running":
            return Batch(self.resource_id, state, (), BatchSummary(len(self.request.items), 0, 0, {}))
        found = tuple(self._items(failing=state == "failed"))
        passed = sum(item.overall_pass for item in found)
        averages = {
            scorer: round(sum(item.scores[scorer] for item in found) / len(found), 4) for scorer in self.request.scorers
        }
        return Batch(self.resource_id, state, found, BatchSummary(len(found), passed, len(found) - passed, averages))

    def _items(self, *, failing: bool) -> list[ItemResult]:
        chance = chance_of(self.seed, self.resource_id)
        request = self.request
        items = []
        for index in range(len(request.items)):
            passing = not failing or index > 0
            guilty = None if passing else failing_scorer(request.scorers)
            scores = {each: score(chance, THRESHOLD, passing=each != guilty) for each in request.scorers}
            items.append(ItemResult(index, passing, scores))
            if request.config.fail_fast and not passing:
                break
        return items


_DEFAULT_PROMPT = "You are a support agent. Answer the questions of customers."
_INSTRUCTION = "Look up the order before promising a refund."
_CHANGES = (
    Change(
        type="added_instruction",
        content=_INSTRUCTION,
        rationale="The failed turns promised refunds for orders that were never checked.",
    ),
    Change(type="added_few_shot", rationale="An example of a refused refund shows the tone."),
)
_DEFAULT_METRICS = ("faithfulness", "relevance")


class OptimizationContent(Content, frozen=True):
    """The content of an optimization of an agent's prompt, which is empty if it is not known."""

    resource_id: str
    request: OptimizeRequest
    seed: str
    prompt: str
    validation_run_id: str

    def shown(self, state: Any) -> Optimization:
        """Return the result; before its end, and where it failed, the prompt is as it was."""
        prompt = self.prompt or _DEFAULT_PROMPT
        if state != "completed":
            return Optimization(self.resource_id, state, prompt, prompt, (), {}, self.validation_run_id)
        changes = _CHANGES if self.request.include_examples and self.request.max_examples > 0 else _CHANGES[:1]
        new = f"{prompt} {_INSTRUCTION}"
        longest = self.request.constraints.max_prompt_length
        if longest is not None and longest >= 0:
            new = new[:longest]
        return Optimization(self.resource_id, state, prompt, new, changes, self._improvement(), self.validation_run_id)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``optimization.completed``: the answer, the prompts left out."""
        if event != "optimization.completed":
            return None
        data: dict[str, Any] = plain_json(self.shown(state))
        return {key: value for key, value in data.items() if not key.endswith("_prompt")}

    def _improvement(self) -> dict[str, Improvement]:
        chance = chance_of(self.seed, self.resource_id)
        metrics = self.request.target_metrics or dict.fromkeys(_DEFAULT_METRICS, TargetMetric())
        improvement = {}
        for name, metric in metrics.items():
            before = chance.randint(60, 85) / 100 if metric.current is None else metric.current
            gain = chance.randint(3, 12) / 100
            improvement[name] = Improvement(before, round(before + gain, 4) if metric.target is None else metric.target)
        return improvement


class SetUpContent(Content, frozen=True):
    """The content of what never changes: its answer."""

    request: msgspec.Struct
    answer: msgspec.Struct

    def shown(self, state: str) -> msgspec.Struct:  # noqa: ARG002 - as every content
        """Return the answer."""
        return self.answer


def new_agent(agent_id: str, request: AgentRequest, created_at: str, seed: str) -> SetUpContent:
    """Return a new agent, with a key of its own."""
    key = "".join(chance_of(seed, agent_id).choices(ascii_letters + digits, k=24))
    return SetUpContent(request, Agent(agent_id, request.name, request.provider, created_at, f"pk_live_{key}"))


def new_test_case(test_case_id: str, request: TestCaseRequest, created_at: str) -> SetUpContent:
    """Return a new test case."""
    answer = TestCase(
        test_case_id, request.name, request.agent_id, created_at, request.type, request.turns, request.tags
    )
    return SetUpContent(request, answer)


def new_scorer(scorer_id: str, request: ScorerRequest) -> SetUpContent:
    """Return a new scorer."""
    return SetUpContent(request, Scorer(scorer_id, request.name))


def new_experiment(experiment_id: str, request: ExperimentRequest) -> SetUpContent:
    """Return a new experiment: it stays pending, as no call is documented that would show its end."""
    return SetUpContent(request, Experiment(experiment_id, "pending"))
