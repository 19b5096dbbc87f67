"""Consistency as a promise: whatever the order of things, the event, the read and the record agree."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import DataObject

from mockserver import MockServer, UsageError
from tests.testing.flow_app import ENDS, connected

RANK = {"queued": 0, "running": 1, "completed": 2, "failed": 2}

RULES = st.fixed_dictionaries(
    {
        "on": st.just("POST /v1/runs"),
        "when": st.sampled_from([{"test_case_id": "tc_a"}, {}]),
        "outcome": st.sampled_from(["failed", "completed", "never"]),
        "turns": st.integers(1, 4),
    },
    optional={"times": st.integers(1, 2)},
)
WAYS = st.sampled_from(
    [{"advance": {"reads": 2}}, {"states": {"queued": 5, "running": 10}}, {"advance": "manual"},
     {"advance": {"reads": 1}}, {"states": {"running": 10}}, {"states": {"queued": 5}}, {}]
)  # fmt: skip


class Expected:
    """What a run must be, worked out from its rule alone."""

    def __init__(self, case: str, decided: dict[str, Any]) -> None:
        self.case = case
        self.decided = decided
        self.by_time = decided.get("advance", "time") == "time"
        self.seconds = self.moves = self.reads = 0

    def read(self) -> None:
        """A read was answered."""
        self.reads += 1
        if not self.by_time and self.decided["advance"] != "manual" and self.reads == self.decided["advance"]["reads"]:
            self.move()

    def move(self) -> None:
        self.moves, self.reads = self.moves + 1, 0

    @property
    def state(self) -> str:
        outcome = self.decided.get("outcome", "completed")
        states = self.decided.get("states", {})
        if self.by_time:
            left = self.seconds
            for state in ("queued", "running"):
                if left < states.get(state, 0):
                    return state
                left -= states.get(state, 0)
            return "running" if outcome == "never" else outcome
        ways: list[str] = ["queued", "running"] + ([outcome] if outcome != "never" else [])
        return ways[min(self.moves, len(ways) - 1)]

    @property
    def ended(self) -> bool:
        return self.state in ENDS or (self.state == "running" and self.decided.get("outcome") == "never")


class Agreement(RuleBasedStateMachine):
    """Random rules, calls, reads, advances, waits and resets, against a model of what must be true."""

    mock: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.mock.reset()
        self.client = connected(self.mock)
        self.flows: list[dict[str, Any]] = []
        self.seen: dict[str, str] = {}
        self.runs: dict[str, Expected] = {}

    @initialize(flows=st.lists(st.tuples(RULES, WAYS), min_size=1, max_size=3))
    def install_first(self, flows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        for flow in flows:
            self.install(flow)

    @rule(flow=st.tuples(RULES, WAYS))
    def install(self, flow: tuple[dict[str, Any], dict[str, Any]]) -> None:
        keys = {**flow[0], **flow[1]}
        self.mock.flow(**keys)
        self.flows.append({**keys, "left": keys.get("times", 10**9)})

    @initialize(case=st.sampled_from(["tc_a", "tc_b"]))
    def start_first(self, case: str) -> None:
        self.start(case)

    @rule(case=st.sampled_from(["tc_a", "tc_b"]))
    def start(self, case: str) -> None:
        answer = self.client.run(test_case_id=case)
        fits = (each for each in self.flows if each["left"] and each["when"] in ({}, {"test_case_id": case}))
        decided: dict[str, Any] = next(fits, {})
        if decided:
            decided["left"] -= 1
        self.runs[answer["run_id"]] = Expected(case, decided)
        self.look(answer)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), times=st.integers(1, 4))
    def read(self, data: DataObject, times: int) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        for _ in range(times):
            shown = self.client.read(run_id)
            assert shown["status"] == self.runs[run_id].state
            self.look(shown)
            self.runs[run_id].read()

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def advance(self, data: DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        run = self.runs[run_id]
        if run.by_time or run.ended:
            with pytest.raises(UsageError):
                self.mock.advance(run_id)
        else:
            run.move()
            assert self.mock.advance(run_id).state == run.state

    @rule(seconds=st.sampled_from([1, 5, 20]))
    def wait(self, seconds: int) -> None:
        self.mock.clock.advance(seconds)
        for run in self.runs.values():
            run.seconds += seconds

    @precondition(lambda self: len(self.runs) > 3)
    @rule()
    def reset(self) -> None:
        self.client.close()
        self.begin()

    def look(self, shown: dict[str, Any]) -> None:
        """What was seen of a run never goes back."""
        run_id, state = shown["run_id"], shown["status"]
        assert RANK[state] >= RANK[self.seen.get(run_id, "queued")]
        self.seen[run_id] = state

    @invariant()
    def all_agree(self) -> None:
        self.mock.settle()
        records = {each.resource_id: each for each in self.mock.resources}
        assert {run_id: each.state for run_id, each in records.items()} == {
            run_id: run.state for run_id, run in self.runs.items()
        }
        told = [event["data"]["run_id"] for event in self.client.events]
        assert len(told) == len(set(told)), "an end is sent once"
        assert {run_id for run_id, each in records.items() if each.state in ENDS} == set(told)
        for event in self.client.events:
            shown, data = records[event["data"]["run_id"]].data, event["data"]
            assert event["event"] == f"run.{shown['status']}"
            assert data["test_case_id"] == shown["test_case"]["id"] == self.runs[shown["run_id"]].case
            assert len(shown["turns"]) == self.runs[shown["run_id"]].decided.get("turns", 3)
            assert data.get("summary", shown["summary"]) == shown["summary"]

    def teardown(self) -> None:
        self.client.close()


@pytest.mark.mockserver(speed="stepped")
@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(40, 10, id="few"), pytest.param(400, 30, id="many", marks=pytest.mark.full)]
)
def test_the_event_the_read_and_the_record_never_disagree(mockserver: MockServer, examples: int, steps: int) -> None:
    """Whatever the order of rules, calls, reads, advances, waits and resets."""
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True)
    run_state_machine_as_test(type("Flows", (Agreement,), {"mock": mockserver}), settings=chosen)
