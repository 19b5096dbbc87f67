"""The five consumers are correct, and all the same: what each of them answers and does, seen from outside."""

from __future__ import annotations

import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockserver import sign
from tests.consumers.launch import SECRET, Consumer
from tests.consumers.post import Answer, connect, exchange_raw, post, read_answer

BODY_LIMIT = 2 * 1024 * 1024
TIMESTAMP = "2024-12-16T10:00:00Z"


def event(event_type="run.failed", object_id="run_def456", **data):
    """An event as the vendor documents it."""
    field = {"evaluation.completed": "evaluation_id", "optimization.completed": "optimization_id"}
    data = {field.get(event_type, "run_id"): object_id, **data}
    return {"event": event_type, "timestamp": TIMESTAMP, "data": data}


def compact(value) -> bytes:
    """JSON as the vendor sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def deliver(consumer: Consumer, body: bytes, **options) -> Answer:
    """Post a body with its right signature."""
    return post(consumer.webhook_url, body, sign(body, SECRET), **options)


def handled(consumer: Consumer) -> list[tuple[str, str]]:
    """The type and object of each event that the consumer handled."""
    report = consumer.events()
    assert report["count"] == len(report["events"])
    return [(one["event"], one["id"]) for one in report["events"]]


def assert_still_works(consumer: Consumer) -> None:
    """Show that a good event is accepted and handled: what went before has broken nothing."""
    before = handled(consumer)
    assert deliver(consumer, compact(event("run.completed", "run_control"))).status == 200
    assert handled(consumer) == [*before, ("run.completed", "run_control")]


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
    body, gate = compact(event()), threading.Barrier(8)

    def deliver_together(_: int) -> Answer:
        gate.wait(30)
        return deliver(consumer, body)

    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(deliver_together, range(8)))
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


@pytest.mark.parametrize("size", [1, 7, 65536], ids=lambda size: f"{size} bytes")
def test_a_chunked_body_is_accepted(consumer, size):
    """A body without a length, in chunks of any size, is the same body."""
    body = compact(event(note="Zürich"))
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert post(consumer.webhook_url, chunks, sign(body, SECRET)).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


def test_a_sender_may_ask_before_it_sends_the_body(consumer):
    """``Expect: 100-continue`` gets its go-ahead before the body, and then the answer."""
    body = compact(event())
    with connect(consumer.url) as connection:
        connection.putrequest("POST", "/webhooks/playgent")
        connection.putheader("X-Playgent-Signature", sign(body, SECRET))
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(12) == b"HTTP/1.1 100"
        connection.send(body)
        _rest_of_the_interim_answer(connection.sock)
        assert read_answer(connection.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


def _rest_of_the_interim_answer(sock) -> None:
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        seen += sock.recv(1)


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


def test_a_slow_sender_does_not_hold_up_others(consumer):
    """While one body has come only by half, another event is answered."""
    body = compact(event())
    with connect(consumer.url) as slow:
        slow.putrequest("POST", "/webhooks/playgent")
        slow.putheader("X-Playgent-Signature", sign(body, SECRET))
        slow.putheader("Content-Length", str(len(body)))
        slow.endheaders(body[:20])
        assert deliver(consumer, compact(event(object_id="run_fast"))).status == 200
        slow.send(body[20:])
        assert read_answer(slow.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", "run_fast"), ("run.failed", "run_def456")]


HEAD = b"POST /webhooks/playgent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CUT_OFF = {
    "nothing": b"",
    "half a request line": b"POST /webh",
    "half a head": HEAD,
    "half a body": HEAD + b"Content-Length: 100\r\n\r\n{}",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{}",
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
NONSENSE = {
    "no length": HEAD + b"\r\n{}",
    "bad length": HEAD + b"Content-Length: two\r\n\r\n{}",
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "not compressed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "control characters": HEAD + b"X-Playgent-Signature: \x01\x7f\r\nContent-Length: 2\r\n\r\n{}",
    "zero byte": HEAD + b"X-Playgent-Signature: sha256=\x00\r\nContent-Length: 2\r\n\r\n{}",
    "binary path": HEAD.replace(b"playgent", b"\xff%ff") + b"Content-Length: 0\r\n\r\n",
    "strange path": HEAD.replace(b"/webhooks/playgent", b"//") + b"Content-Length: 0\r\n\r\n",
    "strange host": HEAD.replace(b"x", b"a b:c") + b"Content-Length: 2\r\n\r\n{}",
    "no host": HEAD.replace(b"Host: x\r\n", b"") + b"Content-Length: 2\r\n\r\n{}",
    "no request line": b"\x00\x01\x02 {}\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", CUT_OFF.values(), ids=CUT_OFF)
def test_a_request_that_is_cut_off_is_dropped(consumer, request_bytes):
    """A sender that goes away in the middle causes no 5xx and no effect, and the next event is taken."""
    assert_harmless(consumer, exchange_raw(consumer.webhook_url, request_bytes, hang_up=True))


@pytest.mark.parametrize("request_bytes", NONSENSE.values(), ids=NONSENSE)
def test_a_broken_request_is_refused(consumer, request_bytes):
    """A request that is not HTTP, or not what its headers say, causes no 5xx and no effect."""
    assert_harmless(consumer, exchange_raw(consumer.webhook_url, request_bytes))


def assert_harmless(consumer: Consumer, answer: bytes) -> None:
    """Show that a request was refused or dropped, and that the consumer did not stumble over it."""
    assert not re.match(rb"HTTP/1\.[01] [25]", answer), answer
    assert handled(consumer) == []
    assert_still_works(consumer)


def test_several_events_on_one_connection(consumer):
    """A sender that keeps its connection, where the server lets it, has each event handled."""
    with connect(consumer.url) as connection:
        for number in range(3):
            body = compact(event(object_id=f"run_{number}"))
            connection.request("POST", "/webhooks/playgent", body, {"X-Playgent-Signature": sign(body, SECRET)})
            assert read_answer(connection.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", f"run_{number}") for number in range(3)]
