"""The consumers that make a mistake on purpose: each makes the one that it is told to, and without it makes none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mockserver import sign
from tests.checks.mistake_symptoms import SYMPTOMS
from tests.consumers import fastapi_app, flask_app
from tests.consumers.launch import NAMES, SECRET, Endpoint, LaunchError, launch
from tests.consumers.mistakes import MISTAKES, REFUSES_EVERYTHING, UnknownMistakeError
from tests.consumers.post import post
from tests.consumers.serve import serve_fastapi, serve_flask
from tests.deliveries import compact, deliver, deliver_together, event

EACH = [(name, consumer) for name, mistake in MISTAKES.items() for consumer in mistake.consumers]
SERVED = {"flask": serve_flask, "fastapi": serve_fastapi}

each_mistake = pytest.mark.parametrize(("mistake", "name"), EACH)


@contextmanager
def mutant(name: str, mistake: str) -> Iterator[Endpoint]:
    """Run a consumer that makes a mistake: in this process where that is possible, as that is quicker."""
    if name in SERVED and MISTAKES[mistake].in_process:
        with SERVED[name](SECRET, mistake) as endpoint:
            yield endpoint
    else:
        with launch(name, secret=SECRET, mistake=mistake) as consumer:
            yield consumer


@each_mistake
def test_the_mistake_is_made(name, mistake):
    """The consumer takes ordinary events as usual, and shows the symptom of the mistake that was switched on."""
    with mutant(name, mistake) as consumer:
        assert_as_usual(consumer, mistake)
        consumer.clear()
        assert SYMPTOMS[mistake](consumer)


JSON = [("Content-Type", "application/json")]
ORDINARY = [
    compact(event("run.completed", "run_1", test_case_name="Refund", success=True)),
    compact(event("run.failed", "run_2", failure_summary="Turn 2 failed")),
    compact(event("evaluation.completed", "eval_1", overall_pass=True, results={})),
    compact(event("optimization.completed", "opt_1", changes_made=[])),
]


def assert_as_usual(consumer: Endpoint, mistake: str) -> None:
    """Show that each type of event is taken; of mistakes that do not let them through, that all are refused alike."""
    statuses = [answer.status for answer in deliver_together(consumer, ORDINARY, headers=JSON)]
    if mistake in REFUSES_EVERYTHING:
        assert statuses in ([status] * 4 for status in (302, 308, 401, 403))
        assert consumer.events()["count"] == 0
    else:
        assert statuses == [200] * 4
        assert len(consumer.events()["events"]) == 4
        assert consumer.state("run_1") == {"id": "run_1", "latest": "run.completed", "events": ["run.completed"]}
    assert consumer.state("run_9") == {"id": "run_9", "latest": None, "events": []}


@each_mistake
def test_a_correct_consumer_does_not_make_it(launched, name, mistake):
    """The symptom is one of the mistake: the same consumer without it does not show it."""
    correct = launched(name)
    correct.clear()
    assert not SYMPTOMS[mistake](correct)
    correct.clear()
    assert deliver(correct, ORDINARY[0]).json == {"status": "handled"}


def test_every_mistake_has_a_symptom():
    """No mistake is left without a test, and each says in a sentence what it is."""
    assert set(SYMPTOMS) == set(MISTAKES)
    assert all(mistake.description.endswith(".") for mistake in MISTAKES.values())
    assert len(MISTAKES) >= 30
    assert set(MISTAKES) > REFUSES_EVERYTHING


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_mistake_is_refused(name):
    """A program does not start with a mistake that it does not know, and says which it knows."""
    with pytest.raises(LaunchError, match="exit code 2") as caught, launch(name, secret=SECRET, mistake="typo"):
        pass
    complaint, _, known = str(caught.value).partition("printed:\n")[2].partition("; it knows: ")
    assert complaint == f"WEBHOOK_MISTAKE: the consumer {name!r} knows no mistake 'typo'"
    assert set(known.split(", ")) == (
        {mistake for mistake, each in EACH if each == name} or {"none", "it is always correct"}
    )


@pytest.mark.parametrize("create_app", [flask_app.create_app, fastapi_app.create_app], ids=["flask", "fastapi"])
def test_an_application_object_refuses_it_too(create_app):
    """A mistake of another consumer, or of none, is an error where the object is made."""
    for mistake in ("typo", "header_by_case", ""):
        with pytest.raises(UnknownMistakeError, match=f"knows no mistake '{mistake}'; it knows: no_verification, "):
            create_app(SECRET, mistake)


def test_the_secret_of_a_mutant_is_its_own():
    """Two objects with and without a mistake live side by side."""
    body = compact(event())
    with serve_flask("one", "no_verification") as wrong, serve_flask("two", None) as right:
        assert post(wrong.webhook_url, body, "sha256=").status == 200
        assert post(right.webhook_url, body, "sha256=").status == 401
        assert post(right.webhook_url, body, sign(body, "two")).status == 200
