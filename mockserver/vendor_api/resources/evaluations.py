"""Evaluations and batches of them."""

from __future__ import annotations

from typing import Any

from mockserver.vendor_api.resources.answers import Batch, BatchSummary, Evaluation, ItemResult
from mockserver.vendor_api.resources.content import plain_json
from mockserver.vendor_api.resources.generated import THRESHOLD, chance_of, failing_scorer, results, score
from mockserver.vendor_api.resources.requests import BatchRequest, EvaluateRequest


class EvaluationContent:
    """The content of an evaluation, which is finished when its call is answered.

    Args:
        evaluation_id: Its id.
        request: The request that made it.
        seed: What makes its scores its own, and the same ones each time.
    """

    __slots__ = ("_evaluation_id", "_request", "_seed")

    def __init__(self, evaluation_id: str, request: EvaluateRequest, seed: str) -> None:
        self._evaluation_id = evaluation_id
        self._request = request
        self._seed = seed

    def shown(self, state: str) -> Evaluation:
        """Return the finished result; it passes unless the state is failed."""
        request = self._request
        chance = chance_of(self._seed, self._evaluation_id)
        found = results(request.scorers, request.threshold, chance, passing=state != "failed")
        return Evaluation(self._evaluation_id, all(result.passed for result in found.values()), found)

    def answered(self, state: str) -> Evaluation:
        """Return what the call is answered with: the finished result."""
        return self.shown(state)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:
        """Return the data of ``evaluation.completed``: the answer, all of it."""
        return plain_json(self.shown(state)) if event == "evaluation.completed" else None


class BatchContent:
    """The content of a batch; no event of one is documented.

    Args:
        batch_id: Its id.
        request: The request that made it.
        seed: What makes its scores its own, and the same ones each time.
    """

    __slots__ = ("_batch_id", "_request", "_seed")

    def __init__(self, batch_id: str, request: BatchRequest, seed: str) -> None:
        self._batch_id = batch_id
        self._request = request
        self._seed = seed

    def shown(self, state: Any) -> Batch:
        """Return the results; where the state is failed, the first item does not pass; none before the end."""
        if state == "running":
            return Batch(self._batch_id, state, (), BatchSummary(len(self._request.items), 0, 0, {}))
        found = tuple(self._items(failing=state == "failed"))
        passed = sum(item.overall_pass for item in found)
        averages = {
            scorer: round(sum(item.scores[scorer] for item in found) / len(found), 4)
            for scorer in self._request.scorers
        }
        return Batch(self._batch_id, state, found, BatchSummary(len(found), passed, len(found) - passed, averages))

    def answered(self, state: str) -> Batch:
        """Return what the call is answered with."""
        return self.shown(state)

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:  # noqa: ARG002 - as every content
        """Return None: no event is about a batch."""
        return None

    def _items(self, *, failing: bool) -> list[ItemResult]:
        chance = chance_of(self._seed, self._batch_id)
        request = self._request
        items = []
        for index in range(len(request.items)):
            passing = not failing or index > 0
            guilty = None if passing else failing_scorer(request.scorers)
            scores = {each: score(chance, THRESHOLD, passing=each != guilty) for each in request.scorers}
            items.append(ItemResult(index, passing, scores))
            if request.config.fail_fast and not passing:
                break
        return items
