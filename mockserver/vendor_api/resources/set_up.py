"""What an application sets up before it runs anything: agents, test cases, scorers, experiments. None has an event."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Any

import msgspec

from mockserver.vendor_api.resources.answers import Agent, Experiment, Scorer, TestCase
from mockserver.vendor_api.resources.generated import chance_of
from mockserver.vendor_api.resources.requests import AgentRequest, ExperimentRequest, ScorerRequest, TestCaseRequest


class SetUpContent:
    """The content of what never changes: its answer.

    Args:
        request: The request that made it.
        answer: What it is answered with.
    """

    __slots__ = ("_answer", "request")

    def __init__(self, request: msgspec.Struct, answer: msgspec.Struct) -> None:
        self.request = request
        self._answer = answer

    def shown(self, state: str) -> msgspec.Struct:  # noqa: ARG002 - as every content
        """Return the answer."""
        return self._answer

    def answered(self, state: str) -> msgspec.Struct:  # noqa: ARG002 - as every content
        """Return the answer."""
        return self._answer

    def event_data(self, event: str, state: str) -> dict[str, Any] | None:  # noqa: ARG002 - as every content
        """Return None: no event is about it."""
        return None


def agent(agent_id: str, request: AgentRequest, created_at: str, seed: str) -> SetUpContent:
    """Return a new agent, with a key of its own."""
    key = "".join(chance_of(seed, agent_id).choices(ascii_letters + digits, k=24))
    return SetUpContent(request, Agent(agent_id, request.name, request.provider, created_at, f"pk_live_{key}"))


def test_case(test_case_id: str, request: TestCaseRequest, created_at: str) -> SetUpContent:
    """Return a new test case."""
    answer = TestCase(
        test_case_id, request.name, request.agent_id, created_at, request.type, request.turns, request.tags
    )
    return SetUpContent(request, answer)


def scorer(scorer_id: str, request: ScorerRequest) -> SetUpContent:
    """Return a new scorer."""
    return SetUpContent(request, Scorer(scorer_id, request.name))


def experiment(experiment_id: str, request: ExperimentRequest) -> SetUpContent:
    """Return a new experiment: it stays pending, as no call is documented that would show its end."""
    return SetUpContent(request, Experiment(experiment_id, "pending"))
