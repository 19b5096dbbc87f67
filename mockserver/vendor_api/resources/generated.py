"""Values that the vendor would measure, drawn by seed: scores, times, costs, ids of traces."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from mockserver.model.identifiers import new_identifier
from mockserver.vendor_api.resources.answers import (
    ScorerOutput,
    ScorerResult,
    Tokens,
    TurnMetrics,
)

#: What a score must reach where the request does not say; documented.
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
    """Draw a score with two decimals on one side of a threshold, as far as 0 to 1 has that side."""
    least = math.ceil(min(max(threshold, 0.0), 1.0) * 100 - 1e-9)  # the first that reaches the threshold
    if passing:
        return chance.randint(max(least, min(98, max(75, least))), max(98, least)) / 100
    return chance.randint(max(0, least - 40), max(0, least - 5)) / 100


def failing_scorer(scorers: Sequence[str]) -> str:
    """Return the scorer that a failure is laid to: faithfulness, as in the vendor's sample, or else the first."""
    return _FIRST_TO_FAIL if _FIRST_TO_FAIL in scorers else scorers[0]


def scored(scorers: Sequence[str], chance: random.Random, *, passing: bool) -> dict[str, ScorerOutput]:
    """Draw what the scorers say of a turn; where it fails, one of them lies below the threshold."""
    guilty = None if passing else failing_scorer(scorers)
    outputs = {}
    for scorer in scorers:
        value = score(chance, THRESHOLD, passing=scorer != guilty)
        outputs[scorer] = ScorerOutput(value, _reasoning(value >= THRESHOLD))
    return outputs


def results(
    scorers: Sequence[str], threshold: float, chance: random.Random, *, passing: bool
) -> dict[str, ScorerResult]:
    """Draw the results of an evaluation; where it is to fail, one scorer lies below the threshold if it can."""
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


def identifier(prefix: str, chance: random.Random) -> str:
    """Draw an id in the vendor's look."""
    return new_identifier(prefix, chance)


def spoken(scorer: str) -> str:
    """Return the name of a scorer as the vendor's failure summary writes it: ``Faithfulness``."""
    return scorer.replace("_", " ").capitalize()
