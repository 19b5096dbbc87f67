"""The five consumers are correct, and all the same: what each of them answers and does, seen from outside."""

from __future__ import annotations

import itertools
import json

import pytest

from mockserver import sign
from tests.consumers.launch import SECRET
from tests.consumers.post import post
from tests.deliveries import TIMESTAMP, assert_still_works, compact, deliver, deliver_together, event, handled

BODY_LIMIT = 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("event_type", "object_id"),
    [
        ("run.completed", "run_1"),
        ("run.failed", "run_1"),
        ("evaluation.completed", "eval_1"),
        ("optimization.completed", "opt_1"),
    ],
)
def test_a_signed_event_is_handled(consumer, event_type, object_id):
    """Each documented event is accepted, handled and shown by the probe."""
    answer = deliver(consumer, compact(event(event_type, object_id)))
    assert (answer.status, answer.json) == (200, {"status": "handled"})
    assert answer.headers["Content-Type"] == "application/json"
    expected = {"event": event_type, "id": object_id, "timestamp": TIMESTAMP}
    assert consumer.events() == {"count": 1, "events": [expected], "refused": 0}


def test_a_second_copy_has_no_second_effect(consumer):
    """The same delivery again is answered 200, and nothing happens twice."""
    answers = [deliver(consumer, compact(event())) for _ in range(2)]
    assert [(answer.status, answer.json["status"]) for answer in answers] == [(200, "handled"), (200, "duplicate")]
    assert handled(consumer) == [("run.failed", "run_def456")]


def test_copies_at_the_same_time_have_one_effect(consumer):
    """Eight copies released together are all answered 200, and one of them is handled."""
    answers = deliver_together(consumer, [compact(event())] * 8)
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json["status"] for answer in answers) == ["duplicate"] * 7 + ["handled"]
    assert handled(consumer) == [("run.failed", "run_def456")]


@pytest.mark.parametrize("order", list(itertools.permutations(("run.completed", "run.failed", "evaluation.completed"))))
def test_events_may_come_in_any_order(consumer, order):
    """Events about one object are each handled, in whichever order they come, as type and object are the key."""
    for event_type in order:
        assert deliver(consumer, compact(event(event_type, "run_1"))).status == 200
    assert handled(consumer) == [(event_type, "run_1") for event_type in order]


def test_the_probe_can_be_cleared(consumer):
    """After DELETE nothing is remembered, so the same event is handled afresh."""
    deliver(consumer, compact(event()))
    consumer.clear()
    assert consumer.events() == {"count": 0, "events": [], "refused": 0}
    assert deliver(consumer, compact(event())).json == {"status": "handled"}


def test_the_state_of_an_object_can_be_asked_for(consumer):
    """It shows the types of event handled about the object, sorted, and of another object none of them."""
    for event_type in ("run.failed", "run.completed", "run.failed"):
        deliver(consumer, compact(event(event_type, "run_é 1")))
    assert consumer.state("run_é 1") == {
        "id": "run_é 1",
        "latest": "run.failed",
        "events": ["run.completed", "run.failed"],
    }
    assert consumer.state("run_2") == {"id": "run_2", "latest": None, "events": []}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_state_does_not_depend_on_the_order(consumer, order):
    """The last event is the one with the greatest timestamp, whichever came last; of two, the greater name."""
    events = [
        event("run.failed", "run_1", at="2024-12-16T10:00:00Z"),
        event("optimization.completed", "run_1", at="2024-12-16T10:00:01Z"),
        event("run.completed", "run_1", at="2024-12-16T10:00:01Z"),
    ]
    for place in order:
        deliver(consumer, compact(events[place]))
    types = ["optimization.completed", "run.completed", "run.failed"]
    assert consumer.state("run_1") == {"id": "run_1", "latest": "run.completed", "events": types}


def test_it_can_be_made_to_fail_once(consumer):
    """The next event that would be handled is answered 500 and has no effect; delivered again, it is handled."""
    deliver(consumer, compact(event(object_id="run_before")))
    consumer.fail_next()
    assert post(consumer.webhook_url, compact(event()), "sha256=").status == 401
    assert deliver(consumer, b"{}").status == 400
    assert deliver(consumer, compact(event("run.started"))).json == {"status": "ignored"}
    assert deliver(consumer, compact(event(object_id="run_before"))).json == {"status": "duplicate"}
    answer = deliver(consumer, compact(event()))
    assert (answer.status, answer.json) == (500, {"error": "internal error"})
    assert handled(consumer) == [("run.failed", "run_before")]
    assert consumer.state("run_def456")["events"] == []
    assert [deliver(consumer, compact(event())).json["status"] for _ in range(2)] == ["handled", "duplicate"]
    assert handled(consumer) == [("run.failed", "run_before"), ("run.failed", "run_def456")]


def test_copies_at_the_same_time_fail_once(consumer):
    """Of eight copies released together one fails, and one of the others is handled."""
    consumer.fail_next()
    answers = deliver_together(consumer, [compact(event())] * 8)
    assert sorted(answer.status for answer in answers) == [200] * 7 + [500]
    assert handled(consumer) == [("run.failed", "run_def456")]


def test_clearing_takes_the_failure_back(consumer):
    """After DELETE the next event does not fail any more."""
    consumer.fail_next()
    consumer.clear()
    assert deliver(consumer, compact(event())).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/debug/events", 405),
        ("POST", "/debug/objects/run_1", 405),
        ("DELETE", "/debug/objects/run_1", 405),
        ("GET", "/debug/objects/", 404),
        ("GET", "/debug/objects", 404),
        ("GET", "/debug/fail-next", 405),
        ("DELETE", "/debug/fail-next", 405),
    ],
)
def test_the_probes_have_their_methods(consumer, method, path, status):
    """What is neither asked for nor told in the right way is refused, and does nothing."""
    assert post(consumer.url + path, b"", method=method).status == status
    assert_still_works(consumer)


GOOD = sign(compact(event()), SECRET)
FORGED = {
    "missing": None,
    "empty": "",
    "another secret": sign(compact(event()), "whsec_other"),
    "another body": sign(compact(event(object_id="run_2")), SECRET),
    "secret without its prefix": sign(compact(event()), SECRET.removeprefix("whsec_")),
    "upper case": GOOD.upper(),
    "upper-case digest": "sha256=" + GOOD[7:].upper(),
    "upper-case prefix": "SHA256=" + GOOD[7:],
    "truncated": GOOD[:-1],
    "truncated by half": GOOD[: 7 + 32],
    "a byte more": GOOD + "0",
    "prefix alone": "sha256=",
    "no prefix": GOOD[7:],
    "another prefix": "sha512=" + GOOD[7:],
    "blank within": "sha256= " + GOOD[7:],
    "not hexadecimal": "sha256=" + "z" * 64,
    "accented": "sha256=é" + GOOD[8:],
    "UTF-8": ("sha256=" + "é" * 32).encode(),
    "not UTF-8": b"sha256=" + b"\xff" * 64,
    "full-width digits": ("sha256=" + "\uff10" * 64).encode(),
    "very long": "sha256=" + "a" * 5000,
    "two in one": f"{GOOD}, {GOOD}",
}


@pytest.mark.parametrize("signature", FORGED.values(), ids=FORGED)
def test_a_wrong_signature_is_refused(consumer, signature):
    """Whatever stands in the header, or does not, gets a 401 and has no effect."""
    answer = post(consumer.webhook_url, compact(event()), signature)
    assert (answer.status, answer.json) == (401, {"error": "invalid signature"})
    assert consumer.events() == {"count": 0, "events": [], "refused": 1}
    assert_still_works(consumer)


@pytest.mark.parametrize("second", [GOOD, FORGED["another secret"]], ids=["same", "wrong"])
def test_two_signature_headers_are_refused(consumer, second):
    """A good signature does not carry a second one with it."""
    answer = post(consumer.webhook_url, compact(event()), GOOD, headers=[("X-Playgent-Signature", second)])
    assert answer.status == 401
    assert_still_works(consumer)


SPELLINGS = {
    "compact": compact(event(note="ok")),
    "spaced": json.dumps(event(note="ok")).encode(),
    "pretty": json.dumps(event(note="ok"), indent=2).encode(),
    "sorted": json.dumps(event(note="ok"), sort_keys=True).encode(),
    "reversed": compact(dict(reversed(event(note="ok").items()))),
    "escaped unicode": json.dumps(event(note="Zürich \U0001f680")).encode(),
    "raw unicode": compact(event(note="Zürich \U0001f680 \u2028")),
    "escaped slash": compact(event(note="a/b")).replace(b"/", rb"\/"),
    "half a surrogate pair": compact(event(note="?")).replace(b"?", rb"\ud83d"),
    "numbers": compact(event(score=0.5)).replace(b"0.5", b"5.0E-1"),
    "trailing newline": compact(event(note="ok")) + b"\n",
    "carriage returns": json.dumps(event(note="ok"), indent=1).replace("\n", "\r\n").encode(),
    "extra fields": compact({**event(extra={"deep": [1, None]}), "version": 2, "account": None}),
    "null fields": compact(event(test_case_name=None, failure_summary=None)),
    "1 MB": compact(event(failure_summary="x" * 1_000_000)),
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS)
def test_the_signature_covers_the_raw_bytes(consumer, body):
    """The same event is accepted in every spelling of JSON, since the very bytes that came are verified."""
    assert deliver(consumer, body).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


def test_an_id_may_hold_anything(consumer):
    """Text that JSON can carry and UTF-8 cannot is stored and shown as it came."""
    body = compact(event(object_id="run_?")).replace(b"?", rb"\ud83d \u0000")
    assert deliver(consumer, body).status == 200
    assert handled(consumer) == [("run.failed", "run_\ud83d \0")]


NOT_EVENTS = {
    "undecodable": b"\xff\xfe",
    "undecodable within": compact(event()).replace(b"def456", b"\xff"),
    "empty": b"",
    "half": compact(event())[:-1],
    "two": compact(event()) * 2,
    "text": b"hello",
    "form": b"event=run.failed",
    "NaN": compact(event(score=1)).replace(b"1}", b"NaN}"),
    "byte order mark": b"\xef\xbb\xbf" + compact(event()),
    "UTF-16": json.dumps(event()).encode("utf-16"),
    "deep": b"[" * 100_000,
    "list": b"[]",
    "null": b"null",
    "string": b'"run.failed"',
    "number": b"5",
    "no event": compact({"data": {"run_id": "run_1"}}),
    "event is null": compact({**event(), "event": None}),
    "event is a list": compact({**event(), "event": ["run.failed"]}),
    "no data": compact({"event": "run.failed", "timestamp": TIMESTAMP}),
    "data is null": compact({**event(), "data": None}),
    "data is a list": compact({**event(), "data": ["run_1"]}),
    "data is text": compact({**event(), "data": "run_1"}),
    "no id": compact({**event(), "data": {}}),
    "the id of another type": compact({**event(), "data": {"evaluation_id": "eval_1"}}),
    "id is a number": compact(event(object_id=5)),
    "id is empty": compact(event(object_id="")),
    "no timestamp": compact({"event": "run.failed", "data": {"run_id": "run_1"}}),
    "timestamp is a number": compact({**event(), "timestamp": 1702720800}),
}


@pytest.mark.parametrize("body", NOT_EVENTS.values(), ids=NOT_EVENTS)
def test_a_signed_body_that_is_no_event_is_refused(consumer, body):
    """What can never succeed is answered 400 with a good signature and 401 without; nothing happens."""
    answer = deliver(consumer, body)
    assert (answer.status, answer.json) == (400, {"error": "not a valid event"})
    assert post(consumer.webhook_url, body, "sha256=00").status == 401
    assert post(consumer.webhook_url, body).status == 401
    assert consumer.events() == {"count": 0, "events": [], "refused": 3}
    assert_still_works(consumer)


@pytest.mark.parametrize("event_type", ["run.started", "RUN.FAILED", "", "__proto__", "constructor", "\U0001f680"])
def test_an_unknown_event_is_ignored(consumer, event_type):
    """An event of a type that the application does not know gets a 200, even without data, and no effect."""
    for payload in ({**event(), "event": event_type}, {"event": event_type}):
        answer = deliver(consumer, compact(payload))
        assert (answer.status, answer.json) == (200, {"status": "ignored"})
    assert consumer.events() == {"count": 0, "events": [], "refused": 0}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_refused(consumer, method):
    """Only POST delivers events."""
    answer = deliver(consumer, compact(event()), method=method)
    assert answer.status == 405
    assert answer.json == (None if method == "HEAD" else {"error": "method not allowed"})
    assert handled(consumer) == []


@pytest.mark.parametrize("path", ["/webhooks/playgent/", "/webhooks//playgent", "/webhooks", "/"])
def test_another_address_is_not_found(consumer, path):
    """An address that is nearly right is a plain 404 and no redirect, which would lose the event."""
    body = compact(event())
    answer = post(consumer.url + path, body, sign(body, SECRET))
    assert (answer.status, answer.json) == (404, {"error": "not found"})
    assert handled(consumer) == []


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "application/json")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "multipart/form-data")],
        [("Content-Type", b"\xff")],
        [("Cookie", "csrftoken=x; \xff"), ("Origin", "https://elsewhere.example"), ("Referer", "nowhere")],
        [("Content-Encoding", "gzip")],
        [("Accept", "text/html"), ("Accept-Language", "*"), ("User-Agent", "")],
        [("X-Forwarded-For", "a, b"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=;")],
    ],
    ids=lambda headers: ", ".join(f"{name} {value!r}" for name, value in headers),
)
def test_other_headers_do_not_matter(consumer, headers):
    """The raw body is what counts, whatever the other headers call it."""
    assert deliver(consumer, compact(event()), headers=headers).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


@pytest.mark.parametrize("name", ["x-playgent-signature", "X-PLAYGENT-SIGNATURE", "x-PlayGent-sIGNATURE"])
def test_header_names_have_no_case(consumer, name):
    """The signature is found however its header is written."""
    body = compact(event())
    assert post(consumer.webhook_url, body, headers=[(name, sign(body, SECRET))]).status == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 413), (1024 * 1024, 413)])
def test_bodies_have_a_limit(consumer, chunked, excess, status):
    """Two mebibytes are accepted; one byte more is answered 413, signed or not."""
    padding = BODY_LIMIT - len(compact(event(note=""))) + excess
    body = compact(event(note="x" * padding))
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)] if chunked else body
    answer = post(consumer.webhook_url, pieces, sign(body, SECRET))
    assert (answer.status, len(handled(consumer))) == (status, int(status == 200))
    assert post(consumer.webhook_url, pieces, "sha256=").status == (401 if status == 200 else 413)
    assert_still_works(consumer)
