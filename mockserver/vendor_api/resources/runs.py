"""Runs: what ``GET /v1/runs/{run_id}`` shows in each state, and the data of their events, which agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockserver.vendor_api.resources.answers import Named, Run, RunAccepted, Summary, TurnEvaluation, TurnResult
from mockserver.vendor_api.resources.content import plain_json
from mockserver.vendor_api.resources.generated import (
    THRESHOLD,
    chance_of,
    failing_scorer,
    identifier,
    scored,
    spoken,
    turn_metrics,
)
from mockserver.vendor_api.resources.requests import Message, RunRequest, Turn, TurnInput

#: As many turns as the vendor's example adds up.
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

    Args:
        test_case: Its test case.
        agent: Its agent.
        turns_of_case: The turns of its test case; empty if they are not known.
        default_scorers: The agent's scorers.
        test_case_count: How many test cases it has.
        turns: How many turns it has; None for those of its test case.
        failed_turn: Which turn fails where it fails, from 1; None for the second, or the last.
        seconds: How long it will take, as far as that is known.
    """

    test_case: Named
    agent: Named
    turns_of_case: Sequence[Turn] = ()
    default_scorers: Sequence[str] = ()
    test_case_count: int = 1
    turns: int | None = None
    failed_turn: int | None = None
    seconds: float = 0.0


class RunContent:
    """The content of a run; its turns are drawn by seed each time that they are asked for, and kept nowhere.

    Args:
        run_id: Its id.
        request: The request that made it.
        plan: What it will turn out to be.
        seed: What makes its values its own, and the same ones each time.
    """

    __slots__ = ("_plan", "_request", "_run_id", "_seed")

    def __init__(self, run_id: str, request: RunRequest, plan: RunPlan, seed: str) -> None:
        self._run_id = run_id
        self._request = request
        self._plan = plan
        self._seed = seed

    def answered(self, state: Any) -> RunAccepted:
        """Return what the call is answered with."""
        plan = self._plan
        seconds = max(1, round(plan.seconds)) if plan.seconds else _DEFAULT_SECONDS
        url = f"wss://api.playgent.com/v1/runs/{self._run_id}/stream"
        return RunAccepted(self._run_id, state, plan.test_case_count, seconds, url)

    def shown(self, state: Any) -> Run:
        """Return what ``GET /v1/runs/{run_id}`` shows."""
        plan = self._plan
        if state not in ("completed", "failed"):
            return Run(self._run_id, state, False, plan.test_case, plan.agent, (), _NOTHING_YET)
        failed = self._failed_turn if state == "failed" else 0
        chance = chance_of(self._seed, self._run_id)
        turns = tuple(self._turn(index, index + 1 != failed, chance) for index in range(self._turns))
        summary = _added_up(turns)
        return Run(self._run_id, state, not summary.turns_failed, plan.test_case, plan.agent, turns, summary)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``run.completed`` or ``run.failed``, in the keys of their samples."""
        case = self._plan.test_case
        named = {"run_id": self._run_id, "test_case_id": case.id, "test_case_name": case.name}
        if event == "run.failed":
            return {**named, "failure_summary": self._failure(self.shown(state))}
        if event == "run.completed":
            run = self.shown(state)
            return {**named, "success": run.success, "summary": plain_json(run.summary)}
        return None

    @property
    def _turns(self) -> int:
        return self._plan.turns or len(self._plan.turns_of_case) or max(DEFAULT_TURNS, self._plan.failed_turn or 0)

    @property
    def _failed_turn(self) -> int:
        return min(self._plan.failed_turn or _DEFAULT_FAILED_TURN, self._turns)

    def _turn(self, index: int, passing: bool, chance: Any) -> TurnResult:
        known = self._plan.turns_of_case or _DEFAULT_TURNS_OF_A_CASE
        turn = known[index % len(known)]
        outputs = scored(turn.scorers or self._plan.default_scorers or _DEFAULT_SCORERS, chance, passing=passing)
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
            identifier("trace", chance),
        )

    def _failure(self, run: Run) -> str:
        """The first failed turn as the vendor's sample words it; without one, a run that took too long."""
        for turn in run.turns:
            if not turn.success:
                outputs = turn.evaluation.scorer_outputs
                scorer = failing_scorer(list(outputs))
                found = f"{spoken(scorer)} score {outputs[scorer].score:.2f} below threshold {THRESHOLD:.2f}"
                return f"Turn {turn.turn_index + 1} failed: {found}"
        return f"Turn 1 failed: no answer within {self._request.config.timeout_ms} ms"


def _added_up(turns: Sequence[TurnResult]) -> Summary:
    passed = sum(turn.success for turn in turns)
    latency = round(sum(turn.metrics.latency_ms for turn in turns) / len(turns))
    cost = round(sum(turn.metrics.cost_usd for turn in turns), 4)
    return Summary(passed, len(turns) - passed, latency, cost)
