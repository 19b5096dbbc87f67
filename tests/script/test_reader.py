"""Reading scripts: every problem of a file at once, each with its place, what is allowed, and what was meant."""

from collections.abc import Mapping
from typing import Any

import pytest

from mockserver.errors import ScriptError
from mockserver.model.fields import MOST_PROBLEMS
from mockserver.script.model import AwaitStep, EventStep, PauseStep, Script, Step, TogetherStep
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import notes, read_event_step, read_script
from mockserver.script.templates import Moment
from tests.presence import present
from tests.tables import each_row

CATALOG = load_catalog()
HEAD = "version: 1\nsteps:\n"


def read(text: str) -> Script:
    return read_script(text, CATALOG, "refund.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(ScriptError) as caught:
        read(text)
    return str(caught.value).split("\n")


def data_of(step: Step, index: int = 0) -> Mapping[str, Any]:
    assert isinstance(step, EventStep)
    return step.data.render(Moment(index, "2024-12-16T10:00:00Z", "0"))


WHOLE = """\
version: 1
name: Refund flow fails on its second turn
seed: 7
start: 2024-12-16T10:00:00Z
vars: {run: run_def456}
webhook:
  url: http://localhost:3000/webhooks/playgent
  secret: whsec_your_secret_key
extra_events: [agent.created]
pacing: timed
defaults:
  concurrency: 2
steps:
  - await: registration
    events: [run.failed]
    within: 1m
  - event: run.completed
  - event: run.failed
    after: 2s
    repeat: 3
    every: 500ms
    override: {run_id: "{{ run }}", failure_summary: "Turn {{ index + 1 }} failed"}
    remove: [test_case_name]
  - event: evaluation.completed
    data: {evaluation_id: eval_mno345}
  - together:
      - event: run.completed
      - event: agent.created
        data: {"on": yes, "at": 12:30, "day": 2024-12-16}
        concurrency: 5
    after: 1s
  - pause: 1m30s
"""


def test_a_script_with_everything_in_it() -> None:
    """Every key of the format is read into the value that it means."""
    script = read(WHOLE)
    assert (script.source, script.name, script.seed, script.start) == (
        "refund.yaml",
        "Refund flow fails on its second turn",
        7,
        1734343200.0,
    )
    assert script.webhook is not None
    assert (script.webhook.url, script.webhook.secret) == (
        "http://localhost:3000/webhooks/playgent",
        "whsec_your_secret_key",
    )
    assert (script.pacing, script.extra_events) == ("timed", ("agent.created",))
    waiting, completed, failed, evaluated, together, pause = script.steps
    assert waiting == AwaitStep(line=14, number="1", events=("run.failed",), within=60.0)
    assert isinstance(completed, EventStep)
    assert (completed.line, completed.number, completed.repeat, completed.concurrency) == (17, "2", 1, 2)
    assert data_of(completed) == present(CATALOG.get("run.completed")).data
    assert isinstance(failed, EventStep)
    assert (failed.after, failed.repeat, failed.every) == (2.0, 3, 0.5)
    assert data_of(failed, 1) == {
        "run_id": "run_def456",
        "test_case_id": "tc_xyz789",
        "failure_summary": "Turn 2 failed",
    }
    assert data_of(evaluated) == {"evaluation_id": "eval_mno345"}
    assert isinstance(together, TogetherStep)
    assert [(step.number, step.line, step.concurrency) for step in together.steps] == [("5.1", 27, 2), ("5.2", 28, 5)]
    assert data_of(together.steps[1]) == {"on": "yes", "at": "12:30", "day": "2024-12-16"}
    assert pause == PauseStep(line=32, number="6", seconds=90.0)
    assert script.planned == 1 + 3 + 1 + 2
    assert script.seconds == 2 + 1 + 1 + 90
    assert script.events == ("run.completed", "run.failed", "evaluation.completed", "agent.created")


def test_the_least_script() -> None:
    """Only version and steps are needed; the rest has defaults."""
    script = read(HEAD + "- event: run.failed\n")
    assert (script.name, script.seed, script.start, script.webhook, script.pacing) == (
        "refund.yaml",
        0,
        None,
        None,
        "settled",
    )


def test_json_is_a_script_too() -> None:
    """The same format as JSON."""
    assert read('{"version": 1, "steps": [{"event": "run.failed"}]}').planned == 1


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    """One reading reports everything that is wrong, in the order of the file."""
    assert problems(
        "version: 2\nsed: 7\nstart: yesterday\nsteps:\n  - event: run.faild\n  - event: run.failed\n    afer: 2s\n"
        "    override: {run_idd: x}\n  - pause: soon\n  - {}\n"
    ) == [
        "refund.yaml:1:10: expected 1, not 2",
        "refund.yaml:2:1: unknown key 'sed' in a script; known are version, name, seed, start, vars, webhook, pacing, retry, "
        "extra_events, defaults, flows, steps; did you mean 'seed'?",
        "refund.yaml:3:8: expected an ISO 8601 timestamp in whole seconds, such as 2024-12-16T10:00:00Z, not 'yesterday'",
        "refund.yaml:5:12: unknown event 'run.faild'; known are run.completed, run.failed, evaluation.completed, "
        "optimization.completed (others must be listed under extra_events); did you mean 'run.failed'?",
        "refund.yaml:7:5: unknown key 'afer' in an event step; known are event, after, repeat, every, concurrency, data, "
        "override, remove, fault, expect, retry; did you mean 'after'?",
        "refund.yaml:8:16: no 'run_idd' in the sample data; there are run_id, test_case_id, test_case_name, "
        "failure_summary; did you mean 'run_id'?",
        "refund.yaml:9:12: expected a duration such as 250ms, 2s, 1m30s or 2h, or a number of seconds, not 'soon'",
        "refund.yaml:10:5: a step needs one of event, together, pause or await",
    ]


@each_row(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty: a script has at least a version and steps"),
        ("version: 1\nstart: 2024-12-16T10:00:00.5Z\nsteps: [{event: run.failed}]", "2:8: expected an ISO 8601 timestamp in whole seconds"),
        (HEAD + "- {event: run.failed, override: {run_id: '{{ ().__class__.__mro__ }}'}}\n", "3:42: '{{ ().__class__.__mro__ }}' fails"),
        ("version: 1\nvars: {a: 1}\nsteps: [{event: run.failed, data: {x: '{{ a.b.c }}'}}]\n", "3:39: '{{ a.b.c }}' fails"),
        (HEAD + "- {event: run.failed, data: {x: '{{ index / 0 }}'}}\n", "3:33: '{{ index / 0 }}' fails: division by zero"),
        (HEAD + "- {event: run.failed, data: {x: '{{ \"x\" * 100000000 }}'}}\n", "3:33: '{{ \"x\" * 100000000 }}' fails: the result of * is too large"),
        ("version: 1\nvars: {a: " + "x" * 1000000 + "}\nsteps: [{event: run.failed, data: {x: [" + "'{{ a }}', " * 9 + "]}}]\n", "3:35: the templates of one event handle more than"),
        (HEAD + "- {event: run.failed, fault: {large_body: {sise: 2MB}}}\n", "3:44: fault 'large_body' has no parameter 'sise'"),
        (HEAD + "- {event: run.failed, retry: {schedule: [0s, soon]}}\n", "3:46: expected a duration"),
        ("steps: [{event: run.failed}]", "1:1: a script needs the key 'version': the version of the script format: 1"),
        ("version: 1\n", "1:1: a script needs the key 'steps': what happens, in this order"),
        ("version: 1\nsteps: []\n", "2:8: expected a list of steps, not an empty list"),
        ("version: 1\nsteps: {event: run.failed}\n", "2:8: expected a list of steps, not an object"),
        ("- event: run.failed\n", "1:1: expected a script as an object (key: value), not a list"),
        ("just text", "1:1: expected a script as an object (key: value), not 'just text'"),
        (HEAD + "- run.failed\n", "3:3: expected a step as an object (key: value), not 'run.failed'"),
        (HEAD + "- {evnt: run.failed}\n", "3:3: a step needs one of event, together, pause or await; did you mean 'event'?"),
        (HEAD + "- {event: run.failed, pause: 1s}\n", "3:3: a step has one of event, together, pause or await, not event and pause at once"),
        (HEAD + "- event: [run.failed]\n", "3:10: unknown event a list"),
        (HEAD + "- {event: run.failed, repeat: 0}\n", "3:31: expected a whole number from 1 to 1000000000, not 0"),
        (HEAD + "- {event: run.failed, repeat: true}\n", "not true"),
        (HEAD + "- {event: run.failed, repeat: 1.5}\n", "not 1.5"),
        (HEAD + "- {event: run.failed, after: -1}\n", "3:30: expected a duration"),
        (HEAD + "- {event: run.failed, data: [1]}\n", "3:29: expected an object (key: value), not a list"),
        (HEAD + "- {event: run.failed, data: {}, override: {}}\n", "3:33: data is sent exactly as it is: write either data or override"),
        (HEAD + "- {event: run.failed, data: {}, remove: []}\n", "write either data or remove"),
        (HEAD + "- {event: run.failed, remove: [nope]}\n", "3:32: no 'nope' in the sample data"),
        (HEAD + "- {event: run.failed, remove: nope}\n", "3:31: expected a list, not 'nope'"),
        (HEAD + "- {event: run.failed, remove: [1, '']}\n", "3:32: expected text, not 1"),
        (HEAD + "- {event: run.failed, override: {run_id: '{{ nope }}'}}\n", "3:42: '{{ nope }}' uses the unknown name 'nope'"),
        (HEAD + "- {event: run.failed, data: {a: [1, {b: '{{ }}'}]}}\n", "3:41: '{{ }}' is not a valid template"),
        ("version: 1\ndefaults: {override: {x: 1}}\nsteps: [{event: run.failed}]\n", "2:23: no 'x' in the sample data"),
        ("version: 1\ndefaults: {event: run.failed}\nsteps: [{event: run.failed}]\n", "2:12: unknown key 'event' in the defaults"),
        ("version: 1\ndefaults: {override: {run_id: '{{ x }}'}}\nsteps: [{event: run.failed}]\n", "2:31: '{{ x }}' uses the unknown name"),
        ("version: 1\ndefaults: {data: {a: '{{ x }}'}}\nsteps: [{event: run.failed}]\n", "2:22: '{{ x }}' uses the unknown name"),
        ("version: 1\nextra_events: [a.b]\nsteps: [{event: a.b, override: {x: 1}}]\n", "3:22: a.b has no sample data to change: give its data"),
        ("version: 1\nextra_events: a.b\nsteps: [{event: a.b}]\n", "2:15: expected a list, not 'a.b'"),
        ("version: 1\nvars: {'a-b': 1}\nsteps: [{event: run.failed}]\n", "2:8: 'a-b' cannot be used in a template"),
        ("version: 1\nvars: {index: 1}\nsteps: [{event: run.failed}]\n", "2:8: 'index' already means something in templates"),
        ("version: 1\nvars: {none: 1}\nsteps: [{event: run.failed}]\n", "'none' already means something"),
        ("version: 1\nvars: [1]\nsteps: [{event: run.failed}]\n", "2:7: expected an object"),
        ("version: 1\nname: '{{ x }}'\nsteps: [{event: run.failed}]\n", "2:7: templates work in the strings of data and override only"),
        ("version: 1\nname: ''\nsteps: [{event: run.failed}]\n", "2:7: expected text, not an empty string"),
        ("version: 1\nname:\nsteps: [{event: run.failed}]\n", "expected text, not nothing"),
        ("version: 1\npacing: setled\nsteps: [{event: run.failed}]\n", "2:9: expected settled or timed, not 'setled'; did you mean 'settled'?"),
        ("version: 1\nwebhook: {url: localhost, secret: s}\nsteps: [{event: run.failed}]\n", "2:16: 'localhost' is not an http:// or https:// URL"),
        ("version: 1\nwebhook: {url: 5, secret: s}\nsteps: [{event: run.failed}]\n", "2:16: expected text, not 5"),
        ("version: 1\nwebhook: {url: 'http://a/'}\nsteps: [{event: run.failed}]\n", "2:10: the webhook needs the key 'secret'"),
        ("version: 1\nwebhook: {url: 'http://a/', secret: 12345}\nsteps: [{event: run.failed}]\n", "expected text, not a value of another kind"),
        (HEAD + "- {await: registraton}\n", "3:11: expected registration, not 'registraton'; did you mean 'registration'?"),
        (HEAD + "- {await: registration, events: []}\n", "3:33: expected a list with at least one item"),
        (HEAD + "- {await: registration, event: run.failed}\n", "a step has one of event, together, pause or await, not event and await at once"),
        (HEAD + "- together: []\n", "3:13: expected a list with at least one item"),
        (HEAD + "- together: run.failed\n", "3:13: expected a list, not 'run.failed'"),
        (HEAD + "- together: [{event: run.failed, after: 1s}]\n", "3:34: steps of a together happen at the same time: put after beside it"),
        (HEAD + "- together: [{pause: 1s}]\n", "3:14: an event step needs the key 'event'"),
        (HEAD + "- together: [run.failed]\n", "3:14: expected an object (key: value), not 'run.failed'"),
        (HEAD + "- {event: run.failed, repeat: 1000000000, every: 9y}\n", "3:50: expected a duration"),
        (HEAD + "- {event: run.failed, repeat: 1000000000, every: 9d}\n", "1:1: the script takes more than a thousand years"),
        (HEAD + "- event: " + "x" * 100 + "\n", "unknown event '" + "x" * 56 + "..."),
    ],
)  # fmt: skip
def test_problems(text: str, problem: str) -> None:
    """Each mistake gets a message at its place that says what is allowed."""
    assert any(problem in line for line in problems(text)), problems(text)
    assert all(line.startswith("refund.yaml:") for line in problems(text))
    assert "12345" not in "".join(problems(text))


def test_after_a_hundred_problems_reading_ends() -> None:
    """More would help no one; the last line says so."""
    found = problems(HEAD + "- {event: run.faild}\n" * 200)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1].endswith("there are more problems from here on: fix these first")


def test_a_mistake_in_the_yaml_does_not_hide_mistakes_of_the_script() -> None:
    """A duplicate key and an unknown event are reported together."""
    found = problems(HEAD + "- {event: run.faild, after: 1, after: 2}\n")
    assert len(found) == 2


def test_notes_on_events_that_are_one_to_an_idempotent_consumer() -> None:
    """The same event about the same object, unless that is meant or the consumer refuses it anyway."""
    script = read(
        HEAD + "- event: run.failed\n- event: run.failed\n- {event: run.failed, fault: duplicate}\n"
        "- {event: run.failed, fault: wrong_secret}\n- event: run.completed\n"
        "- {event: run.failed, repeat: 2, override: {run_id: '{{ new_id(\"run\") }}'}}\n"
        "- {event: evaluation.completed, repeat: 3}\n"
    )
    found = [(note.line, note.message) for note in notes(script, CATALOG)]
    assert [line for line, _ in found] == [4, 9]
    assert found[0][1].startswith("this is run.failed with the id 'run_def456', as step 1 in line 3 is: one event to")
    assert found[1][1].startswith("its 3 repeats are evaluation.completed with the id 'eval_")


def test_data_of_a_step_wins_over_changes_in_the_defaults() -> None:
    """A step with data of its own is sent exactly; the others get the defaults' changes."""
    script = read(
        "version: 1\ndefaults: {override: {run_id: run_9}}\nsteps: [{event: run.failed, data: {a: 1}}, {event: run.failed}]\n"
    )
    assert [data_of(step).get("run_id") for step in script.steps] == [None, "run_9"]


def test_defaults_can_hold_the_data() -> None:
    """The data of all event steps can be one."""
    script = read("version: 1\ndefaults: {data: {a: 1}}\nsteps: [{event: run.failed}, {event: run.completed}]\n")
    assert [data_of(step) for step in script.steps] == [{"a": 1}, {"a": 1}]


def test_an_extra_event_without_data_has_empty_data() -> None:
    """There is no sample of it."""
    (step,) = read("version: 1\nextra_events: [a.b]\nsteps: [{event: a.b}]\n").steps
    assert data_of(step) == {}


def test_one_event_step_alone() -> None:
    """What the control API takes: one step, with templates, checked as a script is."""
    step = read_event_step('{"event": "run.failed", "override": {"run_id": "run_1"}}', CATALOG)
    assert data_of(step)["run_id"] == "run_1"
    assert data_of(read_event_step('{"event": "a.b"}', CATALOG, ("a.b",))) == {}
    with pytest.raises(ScriptError, match=r"did you mean 'run\.failed'"):
        read_event_step('{"event": "run.faild"}', CATALOG)
    with pytest.raises(ScriptError, match="empty"):
        read_event_step("", CATALOG)
