"""Flows in Python: a call of the application leads to states, then to events."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver import MockServer, ScriptError, UsageError, WaitTimeoutError
from mockserver.script.package_files import load_catalog
from mockserver.vendor_api.flows import engine
from tests.testing.flow_app import ADDRESS, Client, connected


@pytest.fixture
def client(mockserver: MockServer) -> Iterator[Client]:
    client = connected(mockserver)
    yield client
    client.close()


def test_without_a_rule_everything_is_completed_and_says_so(mockserver: MockServer, client: Client) -> None:
    """The answer has the documented fields; the event, the read and the record agree."""
    answer = client.run(test_case_id="tc_refund", agent_id="agent_1")
    assert list(answer) == ["run_id", "status", "test_case_count", "estimated_duration_s", "webhook_url"]
    assert answer["status"] == "queued"
    mockserver.settle()
    (event,) = client.events
    run = client.read(answer["run_id"])
    assert event["event"] == "run.completed"
    assert event["data"]["summary"] == run["summary"]
    assert event["data"]["run_id"] == run["run_id"] == answer["run_id"]
    assert (run["status"], run["success"], run["test_case"]["id"]) == ("completed", True, "tc_refund")
    (resource,) = mockserver.resources
    assert (resource.state, resource.data) == ("completed", run)


def test_a_script_with_flows_and_steps_plays_both(mockserver: MockServer, client: Client) -> None:
    """Its flows decide on the calls that come from then on, and its steps are sent."""
    script = {
        "version": 1,
        "flows": [{"on": "POST /v1/runs", "outcome": "failed"}],
        "steps": [{"event": "run.completed"}],
    }
    assert mockserver.replay(script).delivered == 1
    client.run(test_case_id="tc_1")
    mockserver.settle()
    assert [event["event"] for event in client.events] == ["run.completed", "run.failed"]


def test_a_failed_run_adds_up(mockserver: MockServer, client: Client) -> None:
    """The turn that the rule names fails; summary, failure and event follow from the turns."""
    mockserver.flow("POST /v1/runs", when={"test_case_id": "tc_refund"}, outcome="failed", turns=4, failed_turn=3)
    run_id = client.run(test_case_id="tc_refund")["run_id"]
    mockserver.settle()
    run = client.read(run_id)
    turns = run["turns"]
    assert [turn["success"] for turn in turns] == [True, True, False, True]
    assert run["summary"]["total_cost_usd"] == pytest.approx(sum(turn["metrics"]["cost_usd"] for turn in turns))
    score = turns[2]["evaluation"]["scorer_outputs"]["faithfulness"]["score"]
    failure = client.events[0]["data"]["failure_summary"]
    assert failure == f"Turn 3 failed: Faithfulness score {score:.2f} below threshold 0.70"
    client.run(test_case_id="tc_other")
    mockserver.settle()
    assert client.events[-1]["event"] == "run.completed"


def test_a_run_is_made_of_what_was_set_up(mockserver: MockServer, client: Client) -> None:
    """Names, turns and scorers are those of the agent and the test case that the application has made."""
    agent = client.call("POST", "/v1/agents", {"name": "Support", "provider": "openai", "default_scorers": ["bias"]})
    turns = [{"input": {"text": text}, "expected_behavior": "Helps."} for text in ("Hello", "Bye")]
    case = client.call(
        "POST", "/v1/test-cases", {"name": "Greeting", "agent_id": agent["id"], "turns": turns, "tags": ["nightly"]}
    )
    run = client.read(client.run(tags=["nightly"])["run_id"])
    assert (run["test_case"], run["agent"]["name"]) == ({"id": case["id"], "name": "Greeting"}, "Support")
    mockserver.settle()
    run = client.read(run["run_id"])
    assert [turn["input"][0]["content"] for turn in run["turns"]] == ["Hello", "Bye"]
    assert list(run["turns"][0]["evaluation"]["scorer_outputs"]) == ["bias"]


def test_evaluations_and_optimizations_have_their_events_too(mockserver: MockServer, client: Client) -> None:
    """The answer is the result, and the event repeats it; a batch has none; a flow can leave the result open."""
    mockserver.flow("POST /v1/evaluate", outcome="failed", times=1)
    mockserver.flow("POST /v1/optimize/prompt", advance="manual")
    failed = client.call("POST", "/v1/evaluate", {"scorers": ["bias", "faithfulness"], "threshold": 0.8})
    passed = client.call("POST", "/v1/evaluate", {"scorers": ["bias"]})
    client.call("POST", "/v1/evaluate/batch", {"items": [{"input": "a", "output": "b"}], "scorers": ["bias"]})
    optimization = client.call("POST", "/v1/optimize/prompt", {"agent_id": "agent_1", "optimization_type": "full"})
    mockserver.settle()
    assert (failed["overall_pass"], passed["overall_pass"], optimization["status"]) == (False, True, "running")
    assert [event["data"] for event in client.events] == [failed, passed]
    mockserver.advance(optimization["optimization_id"])
    mockserver.settle()
    assert client.events[-1]["data"]["optimization_id"] == optimization["optimization_id"]
    assert client.events[-1]["data"]["status"] == "completed"


def test_events_of_a_rule_have_the_data_of_the_resource(mockserver: MockServer, client: Client) -> None:
    """Every key of an event step works; templates know request and resource; what cannot be sent says why."""
    mockserver.use(
        {
            "version": 1,
            "flows": [
                {
                    "on": "POST /v1/runs",
                    "outcome": "failed",
                    "events": [
                        {
                            "event": "run.failed",
                            "fault": {"duplicate": 2},
                            "override": {"test_case_name": "{{ request.tags[0] }}"},
                        },
                        {"event": "run.failed", "override": {"test_case_name": "{{ request.nothing }}"}},
                        {"event": "run.completed", "data": {"again": "{{ resource.run_id }}"}, "after": "1h"},
                    ],
                }
            ],
        }
    )  # fmt: skip
    run_id = client.run(tags=["nightly"])["run_id"]
    mockserver.settle()
    assert [event["data"].get("test_case_name") for event in client.events] == ["nightly", "nightly", None]
    assert client.events[0]["data"]["run_id"] == client.events[2]["data"]["again"] == run_id
    (resource,) = mockserver.resources
    assert [event.delivered for event in resource.events] == [1, 0, 1]
    assert "'{{ request.nothing }}' fails" in str(resource)
    assert str(resource) in mockserver.describe()


@pytest.mark.mockserver(speed="stepped")
def test_on_a_stepped_clock_the_test_moves_it(mockserver: MockServer, client: Client) -> None:
    """Each state lasts as long as it says, and the event comes at the end."""
    mockserver.flow("POST /v1/runs", states={"queued": "2s", "running": "40s"})
    run_id = client.run()["run_id"]
    seen = []
    for seconds in (0, 1.9, 0.2, 39, 1):
        mockserver.clock.advance(seconds)
        mockserver.settle()
        seen.append((client.read(run_id)["status"], len(client.events)))
    assert seen == [("queued", 0), ("queued", 0), ("running", 0), ("running", 0), ("completed", 1)]


def test_a_run_of_an_hour_is_over_when_settle_returns(mockserver: MockServer, client: Client) -> None:
    """At speed max nothing takes its time; what never ends is not waited for."""
    mockserver.flow("POST /v1/runs", states={"running": "1h"}, times=1)
    mockserver.flow("POST /v1/runs", outcome="never")
    ended, endless = client.run()["run_id"], client.run()["run_id"]
    mockserver.settle()
    assert [client.read(each)["status"] for each in (ended, endless)] == ["completed", "running"]
    states = mockserver.resources[0].history
    assert states[-1].at - states[0].at == pytest.approx(3600, abs=1)
    assert len(client.events) == 1


def test_reads_move_a_run(mockserver: MockServer, client: Client) -> None:
    """That many reads move it one state on; a state is seen as often as that."""
    mockserver.flow("POST /v1/runs", advance={"reads": 2}, outcome="failed")
    run_id = client.run()["run_id"]
    seen = [client.read(run_id)["status"] for _ in range(6)]
    assert seen == ["queued", "queued", "running", "running", "failed", "failed"]
    mockserver.settle()
    assert [event["event"] for event in client.events] == ["run.failed"]


def test_bad_input_changes_nothing(mockserver: MockServer, client: Client) -> None:
    """The message names the key, what is allowed and what was meant."""
    with pytest.raises(ScriptError, match=r"outcome: expected completed, failed or never, not 'faild'.*'failed'"):
        mockserver.flow("POST /v1/runs", outcome="faild")
    with pytest.raises(ScriptError, match=r"flow: unknown key 'outcom'|outcom: unknown key 'outcom'"):
        mockserver.flow("POST /v1/runs", outcom="failed")
    with pytest.raises(UsageError, match="has no flows"):
        mockserver.use("refund_flow")
    with pytest.raises(UsageError, match="there is no resource 'run_x'"):
        mockserver.advance("run_x")
    run_id = client.run()["run_id"]
    mockserver.settle()
    with pytest.raises(UsageError, match=f"{run_id} is completed: it has no further state"):
        mockserver.advance(run_id)
    assert client.events[0]["event"] == "run.completed"


def test_settle_says_what_is_under_way() -> None:
    """In real time a run takes its time: waiting ends with a list of what goes on."""
    with MockServer() as mock:
        client = connected(mock)
        mock.flow("POST /v1/runs", states={"running": "1h"})
        run_id = client.run()["run_id"]
        with pytest.raises(WaitTimeoutError, match=f"{run_id}  queued"):
            mock.settle(timeout=0.05)
        client.close()


async def test_settling_where_a_loop_runs(mockserver: MockServer) -> None:
    """The sync form names its twin, which does not block the loop."""
    with pytest.raises(UsageError, match="asettle"):
        mockserver.settle()
    await mockserver.asettle()


def test_the_same_seed_gives_the_same_answers(mockserver: MockServer, client: Client) -> None:
    """Ids and generated values are those of the seed, also after a reset, which forgets rules and resources."""
    mockserver.flow("POST /v1/runs", outcome="failed")
    first = client.read(client.run(test_case_id="tc_1")["run_id"])
    mockserver.reset()
    assert mockserver.resources == ()
    client = connected(mockserver)
    second = client.read(client.run(test_case_id="tc_1")["run_id"])
    mockserver.settle()
    assert first["run_id"] == second["run_id"]
    assert client.events[0]["event"] == "run.completed"
    client.close()


@pytest.mark.mockserver(max_resources=3)
def test_resources_are_bounded(mockserver: MockServer, client: Client) -> None:
    """At the limit the oldest go; what they lead to goes on."""
    runs = [client.run()["run_id"] for _ in range(5)]
    mockserver.settle()
    assert [resource.resource_id for resource in mockserver.resources] == runs[2:]
    assert len(client.events) == 5
    assert client.read(runs[0])["error"]["code"] == "not_found"


def test_a_consumer_that_waits_for_the_answer_does_not_hold_it_up_for_long(
    mockserver: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that handles one thing at a time cannot answer the event before the answer: the answer comes all the same."""
    monkeypatch.setattr(engine, "PATIENCE", 0.1)
    busy = threading.Lock()

    def app(_: dict[str, Any], start_response: Any) -> list[bytes]:
        with busy:
            start_response("204 No Content", [])
            return [b""]

    mockserver.route(ADDRESS, to=app)
    mockserver.register(f"{ADDRESS}/hooks")
    mockserver.flow("POST /v1/runs", deliver="before_answer")
    client = Client(mockserver)
    with busy:
        assert client.run()["status"] == "queued"
    mockserver.settle()
    assert mockserver.deliveries[0].delivered
    client.close()


def test_events_about_something_else_have_the_data_of_their_sample(mockserver: MockServer, client: Client) -> None:
    """A rule may send any event; a failure without a failed turn is one of time."""
    others = ("optimization.completed", "run.completed")
    samples = {event: sample.data for event in others if (sample := load_catalog().get(event))}
    mockserver.flow("POST /v1/runs", events=[{"event": "run.failed"}, {"event": "optimization.completed"}])
    mockserver.flow("POST /v1/optimize/prompt", events=[{"event": "run.completed"}])
    client.run(config={"timeout_ms": 500})
    client.call("POST", "/v1/optimize/prompt", {"agent_id": "agent_1", "optimization_type": "full"})
    mockserver.settle()
    data = {event["event"]: event["data"] for event in client.events}
    assert data.pop("run.failed")["failure_summary"] == "Turn 1 failed: no answer within 500 ms"
    assert data == samples


def test_a_batch_shows_no_results_before_its_end_and_may_end_at_the_first_failure(
    mockserver: MockServer, client: Client
) -> None:
    """No event of one is documented, so none comes, also where it would come before the answer."""
    mockserver.flow("POST /v1/evaluate/batch", outcome="failed", advance="manual", times=1)
    mockserver.flow("POST /v1/evaluate/batch", outcome="failed", deliver="before_answer")
    items = [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]
    open_, failed = (
        client.call("POST", "/v1/evaluate/batch", {"items": items, "scorers": ["bias"], "config": {"fail_fast": fast}})
        for fast in (False, True)
    )
    mockserver.settle()
    assert (open_["status"], open_["results"], open_["summary"]["total"]) == ("running", [], 2)
    assert failed["status"] == "failed"
    assert [item["overall_pass"] for item in failed["results"]] == [False]
    assert client.events == []


def test_a_new_prompt_is_as_long_as_it_may_be(mockserver: MockServer, client: Client) -> None:
    """The request limits it."""
    body = {"agent_id": "a", "optimization_type": "full", "constraints": {"max_prompt_length": 10}}
    client.call("POST", "/v1/optimize/prompt", body)
    mockserver.settle()
    (resource,) = mockserver.resources
    data = resource.data
    assert data["status"] == "completed"
    assert data["optimized_prompt"] == data["original_prompt"][:10]


def test_scorers_and_experiments_can_be_set_up(client: Client) -> None:
    """As their pages show it; an experiment stays pending."""
    scorer = client.call("POST", "/v1/scorers", {"name": "tone", "type": "regex", "config": {"pattern": "."}})
    variants = [{"name": name, "config": {}} for name in "ab"]
    body = {"name": "e", "agent_id": "a", "variants": variants, "test_case_ids": ["tc_1"], "metrics": ["bias"]}
    experiment = client.call("POST", "/v1/experiments", body)
    assert (list(scorer), scorer["name"]) == (["scorer_id", "name"], "tone")
    assert (list(experiment), experiment["status"]) == (["experiment_id", "status"], "pending")


def test_a_change_of_what_the_resource_does_not_have_is_not_sent(mockserver: MockServer, client: Client) -> None:
    """The reason names the place."""
    change = {"predicted_improvement.nothing.to": 1}
    mockserver.flow("POST /v1/optimize/prompt", events=[{"event": "optimization.completed", "override": change}])
    client.call("POST", "/v1/optimize/prompt", {"agent_id": "agent_1", "optimization_type": "full"})
    mockserver.settle()
    (resource,) = mockserver.resources
    assert [(event.delivered, event.planned) for event in resource.events] == [(0, 1)]
    assert "predicted_improvement" in str(resource)
    assert client.events == []


def test_flows_under_way_are_bounded(mockserver: MockServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, and decides nothing."""
    monkeypatch.setattr(engine, "MOST_UNDER_WAY", 0)
    error = client.run()["error"]
    assert error["code"] == "invalid_request"
    assert error["message"] == "0 flows are under way, which is the limit: wait until some have ended"
    assert mockserver.resources == ()


def test_a_reset_ends_what_has_not_begun(
    mockserver: MockServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between an answer and what follows it."""
    monkeypatch.setattr(engine, "HEAD_START", 60)
    client.run()
    assert repr(mockserver.resources[0]) == f"<Resource run {mockserver.resources[0].resource_id} queued>"
    mockserver.reset()
    mockserver.settle()
    assert (client.events, mockserver.resources) == ([], ())
