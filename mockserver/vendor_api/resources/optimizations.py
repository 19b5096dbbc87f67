"""Optimizations of prompts."""

from __future__ import annotations

from typing import Any

from mockserver.vendor_api.resources.answers import Change, Improvement, Optimization
from mockserver.vendor_api.resources.content import plain_json
from mockserver.vendor_api.resources.generated import chance_of
from mockserver.vendor_api.resources.requests import OptimizeRequest, TargetMetric

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


class OptimizationContent:
    """The content of an optimization.

    Args:
        optimization_id: Its id.
        request: The request that made it.
        prompt: The agent's prompt; empty if it is not known.
        validation_run_id: The id of the run that the vendor makes by itself.
        seed: What makes its figures its own, and the same ones each time.
    """

    __slots__ = ("_optimization_id", "_prompt", "_request", "_seed", "_validation_run_id")

    def __init__(
        self, optimization_id: str, request: OptimizeRequest, prompt: str, validation_run_id: str, seed: str
    ) -> None:
        self._optimization_id = optimization_id
        self._request = request
        self._prompt = prompt or _DEFAULT_PROMPT
        self._validation_run_id = validation_run_id
        self._seed = seed

    def shown(self, state: Any) -> Optimization:
        """Return the result; before its end, and where it failed, the prompt is as it was."""
        prompt = self._prompt
        if state != "completed":
            return Optimization(self._optimization_id, state, prompt, prompt, (), {}, self._validation_run_id)
        changes = _CHANGES if self._request.include_examples and self._request.max_examples > 0 else _CHANGES[:1]
        new = f"{prompt} {_INSTRUCTION}"
        longest = self._request.constraints.max_prompt_length
        if longest is not None and longest >= 0:
            new = new[:longest]
        return Optimization(
            self._optimization_id, state, prompt, new, changes, self._improvement(), self._validation_run_id
        )

    def answered(self, state: str) -> Optimization:
        """Return what the call is answered with."""
        return self.shown(state)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``optimization.completed``: the answer, the prompts left out."""
        if event != "optimization.completed":
            return None
        data: dict[str, Any] = plain_json(self.shown(state))
        return {key: value for key, value in data.items() if not key.endswith("_prompt")}

    def _improvement(self) -> dict[str, Improvement]:
        chance = chance_of(self._seed, self._optimization_id)
        metrics = self._request.target_metrics or dict.fromkeys(_DEFAULT_METRICS, TargetMetric())
        improvement = {}
        for name, metric in metrics.items():
            before = chance.randint(60, 85) / 100 if metric.current is None else metric.current
            gain = chance.randint(3, 12) / 100
            improvement[name] = Improvement(before, round(before + gain, 4) if metric.target is None else metric.target)
        return improvement
