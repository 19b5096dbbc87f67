"""From a call to a resource: the request is read, a rule decides, and the content is planned, once and for all.

The first installed rule that matches a call and is not used up decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from mockserver.errors import UsageError
from mockserver.model.memory_budget import MemoryBudget, size_of_json
from mockserver.model.quantities import format_timestamp
from mockserver.script.model import FLOW_ROUTES, Flow, matches
from mockserver.vendor_api.flows.content import (
    BatchContent,
    Content,
    EvaluationContent,
    OptimizationContent,
    RunContent,
    RunPlan,
    SetUpContent,
    new_agent,
    new_experiment,
    new_scorer,
    new_test_case,
)
from mockserver.vendor_api.flows.documented import (
    AgentRequest,
    BatchRequest,
    EvaluateRequest,
    ExperimentRequest,
    Named,
    OptimizeRequest,
    RunRequest,
    ScorerRequest,
    TestCaseRequest,
)
from mockserver.vendor_api.flows.reading import read_request
from mockserver.vendor_api.flows.resource import Resource, ResourceStore, states_of


class Rule(msgspec.Struct):
    """An installed flow. A ``standing`` one, with which the server was started, survives a reset, unused again."""

    flow: Flow
    standing: bool = False
    account: str = ""
    used: int = 0
    size: int = 0

    @property
    def used_up(self) -> bool:
        """Whether it decides no further call."""
        return self.flow.times is not None and self.used >= self.flow.times


class Rules:
    """The rules of one mock, in the order in which they were installed."""

    def __init__(self, limit: int = 10_000, budget: MemoryBudget | None = None) -> None:
        self._limit = limit
        self._share = (budget or MemoryBudget()).share()
        self._rules: list[Rule] = []

    def __len__(self) -> int:
        return len(self._rules)

    def all(self) -> tuple[Rule, ...]:
        """Return every rule."""
        return tuple(self._rules)

    def install(self, flows: Iterable[Flow], *, standing: bool = False, account: str = "") -> tuple[Rule, ...]:
        """Add flows after those that are there.

        Raises a UsageError if there would be more than the limit; nothing was added then.
        """
        new = tuple(Rule(flow, standing, account, size=flow.size) for flow in flows)
        if len(self._rules) + len(new) > self._limit:
            raise UsageError(f"{self._limit} flows are the limit: reset forgets them, as does DELETE /_mock/flows")
        if not self._share.fits(sum(rule.size for rule in new)):
            raise UsageError(
                "the flows take as many bytes as may be kept: reset forgets them, as does DELETE /_mock/flows"
            )
        self._rules += new
        for rule in new:
            self._share.add(rule.size)
        return new

    def _keep(self, rules: list[Rule]) -> None:
        """Keep some of the rules, and forget the others."""
        for rule in self._rules:
            self._share.remove(rule.size)
        self._rules = rules
        for rule in rules:
            self._share.add(rule.size)

    def take(self, on: str, request: Mapping[str, Any], account: str = "") -> Flow | None:
        """Return the flow that decides a call, which counts; None if no rule matches it."""
        for rule in self._rules:
            flow = rule.flow
            if (
                flow.on == on
                and not rule.used_up
                and rule.account in ("", account)
                and (not flow.when or matches(flow.when, request))
            ):
                rule.used += 1
                return flow
        return None

    def clear(self, account: str | None = None) -> None:
        """Forget every rule, or those of one account."""
        self._keep([] if account is None else [rule for rule in self._rules if rule.account != account])

    def reset(self) -> None:
        """Forget every rule but the standing ones, which are unused again."""
        self._keep([Rule(rule.flow, standing=True, size=rule.size) for rule in self._rules if rule.standing])

    @property
    def pristine(self) -> bool:
        """Whether a reset would change nothing."""
        return all(rule.standing and not rule.used for rule in self._rules)


#: The state of resources that have no other.
CREATED = "created"


class _Made(NamedTuple):
    """A call on its way to a resource: what its content is made from."""

    resource_id: str
    request: Any
    flow: Flow | None
    account: str
    now: float


class _Making(NamedTuple):
    """How a call makes a resource."""

    kind: str
    prefix: str
    request: type[msgspec.Struct]
    content: Callable[[Creation, _Made], Content]


class Creation:
    """Makes resources, with repeatable values, and looks up those that a request names."""

    def __init__(self, store: ResourceStore, rules: Rules, seed: int) -> None:
        self._store = store
        self._rules = rules
        self._seed = str(seed)

    def make(self, on: str, body: Any, account: str, now: float) -> Resource:
        """Make the resource of a call such as ``POST /v1/runs``, in its first state.

        Raises a RequestError if the decoded body is not what the call takes.
        """
        making = self._makings[on]
        request = read_request(body, making.request)
        resource_id = self._store.new_id(making.prefix, account)
        route = FLOW_ROUTES.get(on)
        flow = self._rules.take(on, body, account) if route else None
        ahead, end = states_of(route, flow) if route else ((), CREATED)
        content = making.content(self, _Made(resource_id, request, flow, account, now))
        resource = Resource(
            resource_id, making.kind, on, body, content, ahead, end, flow, account, size_of_json(body),
        )  # fmt: skip
        resource.enter(now)
        self._store.add(resource)
        return resource

    def _run(self, made: _Made) -> Content:
        request: RunRequest = made.request
        named = (request.test_case_id, *request.test_case_ids, *self._tagged(request.tags, made.account))
        cases = [case for case in dict.fromkeys(named) if case]
        own = made.resource_id.partition("_")[2]  # for what the request does not name, and no one has made
        case_id = cases[0] if cases else f"tc_{own}"
        case: Any = self._request_of(case_id, made.account)
        agent_id = request.agent_id or (case.agent_id if case else f"agent_{own}")
        agent: Any = self._request_of(agent_id, made.account)
        flow = made.flow
        plan = RunPlan(
            Named(case_id, case.name if case else f"Test case {case_id}"),
            Named(agent_id, agent.name if agent else f"Agent {agent_id}"),
            case.turns if case else (),
            agent.default_scorers if agent else (),
            max(len(cases), 1),
            flow.turns if flow else None,
            flow.failed_turn if flow else None,
            flow.seconds if flow else 0.0,
        )
        return RunContent(made.resource_id, request, self._seed, plan)

    def _tagged(self, tags: Sequence[str], account: str) -> list[str]:
        """The ids of the test cases that have all of these tags; none for no tags."""
        if not tags:
            return []
        kept = (each for each in self._store if each.kind == "test_case" and each.account == account)
        return [each.resource_id for each in kept if set(tags) <= set(each.request.get("tags", ()))]

    def _request_of(self, resource_id: str, account: str) -> msgspec.Struct | None:
        """The request that made an agent or a test case; None where it was not made here."""
        resource = self._store.get(resource_id, account)
        content = resource.content if resource else None
        return content.request if isinstance(content, SetUpContent) else None

    def _evaluation(self, made: _Made) -> Content:
        return EvaluationContent(made.resource_id, made.request, self._seed)

    def _batch(self, made: _Made) -> Content:
        return BatchContent(made.resource_id, made.request, self._seed)

    def _optimization(self, made: _Made) -> Content:
        agent = self._request_of(made.request.agent_id, made.account)
        prompt = agent.system_prompt if isinstance(agent, AgentRequest) else ""
        run_id = self._store.new_id("run", made.account)
        return OptimizationContent(made.resource_id, made.request, self._seed, prompt, run_id)

    def _agent(self, made: _Made) -> Content:
        return new_agent(made.resource_id, made.request, format_timestamp(made.now), self._seed)

    def _test_case(self, made: _Made) -> Content:
        return new_test_case(made.resource_id, made.request, format_timestamp(made.now))

    def _scorer(self, made: _Made) -> Content:
        return new_scorer(made.resource_id, made.request)

    def _experiment(self, made: _Made) -> Content:
        return new_experiment(made.resource_id, made.request)

    _makings: Mapping[str, _Making] = {
        "POST /v1/runs": _Making("run", "run", RunRequest, _run),
        "POST /v1/evaluate": _Making("evaluation", "eval", EvaluateRequest, _evaluation),
        "POST /v1/evaluate/batch": _Making("batch", "batch", BatchRequest, _batch),
        "POST /v1/optimize/prompt": _Making("optimization", "opt", OptimizeRequest, _optimization),
        "POST /v1/agents": _Making("agent", "agent", AgentRequest, _agent),
        "POST /v1/test-cases": _Making("test_case", "tc", TestCaseRequest, _test_case),
        "POST /v1/scorers": _Making("scorer", "scorer", ScorerRequest, _scorer),
        "POST /v1/experiments": _Making("experiment", "exp", ExperimentRequest, _experiment),
    }
