"""The key ``flows``: what the vendor does after a call of the application."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mockserver.errors import ScriptError
from mockserver.model.fields import Reading
from mockserver.script.format import script_schema
from mockserver.script.model import matches
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_flows, read_script
from mockserver.script.tree import read_tree
from tests.presence import present
from tests.tables import each_row

EVERYTHING = """\
version: 1
flows:
  - on: POST /v1/runs
    when: {test_case_id: tc_refund}
    times: 2
    states: {queued: 2s, running: 40s}
    advance: time
    outcome: failed
    turns: 3
    failed_turn: 2
    deliver: before_answer
    events:
      - event: run.failed
        after: 1s
        override: {run_id: "{{ resource.run_id }}", test_case_id: "{{ request.test_case_id }}"}
        fault: {duplicate: 2}
  - {on: POST /v1/evaluate, events: [{event: evaluation.completed, override: {results.relevance.score: 0.1}}]}
  - {on: POST /v1/optimize/prompt, advance: {reads: 2}, outcome: never}
steps: []
"""

MISTAKES = """\
version: 1
vars: {request: 1}
flows:
  - on: POST /v1/run
  - on: POST /v1/runs
    when: {test_case: tc_refund}
    states: {queud: 2s}
    advance: {reads: 0}
    outcome: failed
    turns: 3
    failed_turn: 4
    events:
      - event: run.failed
        override: {run: 1, test_case_id: "{{ reqest.test_case_id }}"}
  - on: POST /v1/evaluate
    states: {running: 1}
    turns: 3
    outcome: never
  - {on: POST /v1/runs, failed_turn: 1, deliver: before_answer, advance: manual}
"""

FOUND = """\
2:8: 'request' already means something
4:9: expected POST /v1/runs,
6:12: POST /v1/runs has no field 'test_case'; its fields are test_case_id, test_case_ids, tags, agent_id, config; did
7:14: POST /v1/runs has no state 'queud' before its end; there is queued or running; did you mean 'queued'?
8:22: expected a whole number
11:18: the run has 3 turns
14:20: no 'run' in the sample data
14:42: '{{ reqest.test_case_id }}' uses the unknown name 'reqest'; known are request, resource,
16:5: POST /v1/evaluate is answered with its finished result: leave states out
17:5: only runs have turns
18:14: POST /v1/evaluate is answered with its finished result
19:25: no turn fails
19:41: the end must come before the answer
"""


def test_every_key_of_a_flow_is_read_and_fits_the_schema() -> None:
    """What the format promises, reads without a problem, and another project's validator accepts it."""
    run, evaluation, optimization = read_script(EVERYTHING, load_catalog()).flows
    assert run.waits == (("queued", 2.0), ("running", 40.0))
    assert (run.times, run.outcome, run.failed_turn, run.deliver, run.line) == (2, "failed", 2, "before_answer", 3)
    assert present(evaluation.events)[0].step.event == "evaluation.completed"
    assert (optimization.advance, optimization.reads, optimization.outcome) == ("reads", 2, "never")
    Draft202012Validator(script_schema()).validate(present(read_tree(EVERYTHING, Reading([]))).plain())


def test_all_problems_of_a_flows_file_are_reported_at_once() -> None:
    """Each with its line and column, what is allowed, and what was meant."""
    with pytest.raises(ScriptError) as error:
        read_script(MISTAKES, load_catalog(), "flows.yaml")
    found = str(error.value).splitlines()
    assert len(found) == len(FOUND.splitlines()), found
    for line, expected in zip(found, FOUND.splitlines(), strict=True):
        assert line.startswith(f"flows.yaml:{expected}")


def test_one_rule_alone() -> None:
    """What the control API and Python take: a rule as JSON, with its problems worded as in a file."""
    (flow,) = read_flows('{"on": "POST /v1/runs", "outcome": "failed"}', load_catalog())
    assert flow.outcome == "failed"
    with pytest.raises(ScriptError, match="1:36: expected completed, failed or never, not 'faild'"):
        read_flows('{"on": "POST /v1/runs", "outcome": "faild"}', load_catalog())
    with pytest.raises(ScriptError, match="it has no flows"):
        read_flows("version: 1\nsteps: [{event: run.failed}]", load_catalog())


@each_row(
    ("when", "fits"),
    [
        ({}, True),
        ({"test_case_id": "tc_1"}, True),
        ({"test_case_id": ["tc_0", "tc_1"]}, True),
        ({"test_case_id": "tc_2"}, False),
        ({"config.max_retries": 1, "config.parallel": True}, True),
        ({"config.max_retries": True}, False),
        ({"tags": "nightly"}, True),
        ({"tags": ["slow", "nightly"]}, True),
        ({"tags": ["slow"]}, False),
        ({"tags.1": "smoke"}, True),
        ({"agent_id": None}, False),
    ],
)
def test_which_requests_a_rule_matches(when: dict[str, Any], fits: bool) -> None:
    """Every path must have the value, or one of the list; a list in the request matches what is in it."""
    request = {"test_case_id": "tc_1", "tags": ["nightly", "smoke"], "config": {"max_retries": 1, "parallel": True}}
    assert matches(when, request) is fits
