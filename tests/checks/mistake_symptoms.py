"""How each mistake shows: for its name, a function that tries a consumer and says whether it makes that mistake."""

from __future__ import annotations

import base64
import hmac
import json
import select
import time
from collections.abc import Callable, Mapping

from mockserver import sign
from tests.consumers.launch import SECRET, Consumer, Endpoint
from tests.consumers.post import Answer, connect, post, read_answer
from tests.deliveries import compact, deliver, deliver_together, event

BODY = compact(event())
GOOD = sign(BODY, SECRET)
WRONG = sign(BODY, "whsec_other")
DIGEST = GOOD.removeprefix("sha256=")
DEEP = compact(event(extra="?")).replace(b'"?"', b"[" * 100_000 + b"]" * 100_000)

Symptom = Callable[[Endpoint], bool]


def _effects(consumer: Endpoint) -> int:
    return len(consumer.events()["events"])


def _sends(signature: str | None, status: int, effects: int) -> Symptom:
    """An event with this signature gets this status and has this many effects."""
    return lambda consumer: (_send(consumer, signature).status, _effects(consumer)) == (status, effects)


def _send(consumer: Endpoint, signature: str | None, body: bytes = BODY) -> Answer:
    return post(consumer.webhook_url, body, signature)


def _delivers(status: int, *bodies: bytes) -> Symptom:
    """Each of these bodies, rightly signed, gets this status."""
    return lambda consumer: all(deliver(consumer, body).status == status for body in bodies)


def _wants(signature: str, *, header: str = "X-Playgent-Signature") -> Symptom:
    """The right signature is refused, and another one, or one elsewhere, is accepted."""

    def symptom(consumer: Endpoint) -> bool:
        other = post(consumer.webhook_url, BODY, headers=[(header, signature)])
        return (deliver(consumer, BODY).status, other.status) == (401, 200)

    return symptom


def _is_refused_as(body: bytes, *, though_not: bytes = BODY) -> Symptom:
    """One spelling is refused, and another one is not."""
    return lambda consumer: (deliver(consumer, body).status, deliver(consumer, though_not).status) == (401, 200)


def _answers(consumer: Endpoint, *bodies: bytes) -> tuple[list[int], int]:
    return [deliver(consumer, body).status for body in bodies], _effects(consumer)


def _both(*symptoms: Symptom) -> Symptom:
    return lambda consumer: all(symptom(consumer) for symptom in symptoms)


def _hmac(algorithm: str, key: bytes) -> str:
    return hmac.new(key, BODY, algorithm).hexdigest()


def _dies(consumer: Endpoint) -> bool:
    try:
        _send(consumer, "sha256=zz")
    except OSError:  # it hung up
        return isinstance(consumer, Consumer) and consumer.process.wait(20) == 1
    return False


def _verifies_some(consumer: Endpoint) -> bool:
    others = compact(event("run.completed"))
    return (_send(consumer, WRONG, others).status, _send(consumer, WRONG).status) == (200, 401)


def _cares_for_case(consumer: Endpoint) -> bool:
    names = ("x-playgent-signature", "X-PLAYGENT-SIGNATURE", "X-Playgent-Signature")
    return [post(consumer.webhook_url, BODY, headers=[(name, GOOD)]).status for name in names] == [401, 401, 200]


def _forgery_blocks(consumer: Endpoint) -> bool:
    return (_send(consumer, WRONG).status, *_answers(consumer, BODY)) == (401, [200], 0)


def _wants_one_type(consumer: Endpoint) -> bool:
    types = ("application/json; charset=utf-8", "text/plain", "application/json")
    answers = [deliver(consumer, BODY, headers=[("Content-Type", each)]).status for each in types]
    return answers == [415, 415, 200]


def _cannot_read_chunks(consumer: Endpoint) -> bool:
    return post(consumer.webhook_url, [BODY], GOOD).status == 401


def _loses_half_characters(consumer: Endpoint) -> bool:
    """A body that is cut within a character is refused; in one piece it is not."""
    body = compact(event(test_case_name="Zoë"))
    cut = body.index(b"\xc3") + 1
    pieces = post(consumer.webhook_url, [body[:cut], body[cut:]], sign(body, SECRET))
    return (deliver(consumer, body).status, pieces.status) == (200, 401)


def _is_blocked(consumer: Endpoint) -> bool:
    """While one body has come only by half, another event waits; then both are answered."""
    with connect(consumer.url) as slow, connect(consumer.url) as other:
        slow.putrequest("POST", "/webhooks/playgent")
        slow.putheader("X-Playgent-Signature", GOOD)
        slow.putheader("Content-Length", str(len(BODY)))
        slow.endheaders(BODY[:20])
        other.request("POST", "/webhooks/playgent", BODY, {"X-Playgent-Signature": GOOD})
        waits = not select.select([other.sock], [], [], 2)[0]
        slow.send(BODY[20:])
        return waits and [read_answer(each.getresponse()).status for each in (slow, other)] == [200, 200]


def _redirects(consumer: Endpoint) -> bool:
    answer = deliver(consumer, BODY)
    there = post(consumer.url + "/webhooks/playgent/", BODY, GOOD)
    return (answer.status, answer.headers["Location"], there.status) == (308, "/webhooks/playgent/", 200)


def _wants_token(consumer: Endpoint) -> bool:
    answer = deliver(consumer, BODY)
    is_page = answer.headers.get_content_type() == "text/html"
    token = [("Cookie", "csrftoken=x"), ("X-CSRFToken", "x")]
    return (answer.status, is_page, deliver(consumer, BODY, headers=token).status) == (403, True, 200)


def _wants_session(consumer: Endpoint) -> bool:
    answer = deliver(consumer, BODY)
    session = deliver(consumer, BODY, headers=[("Cookie", "session=x")])
    return (answer.status, answer.headers["Location"], session.status) == (302, "/login", 200)


def _takes_other_methods(consumer: Endpoint) -> bool:
    get = deliver(consumer, BODY, method="GET")
    put = deliver(consumer, compact(event("run.completed")), method="PUT")
    return (get.status, put.status, _effects(consumer)) == (200, 200, 2)


def _is_slow(consumer: Endpoint) -> bool:
    began = time.monotonic()
    return deliver(consumer, BODY).status == 200 and time.monotonic() - began > 1.4


def _shows(secret: str) -> Symptom:
    return lambda consumer: (answer := _send(consumer, WRONG)).status == 401 and secret in json.dumps(answer.json)


def _shows_trace(consumer: Endpoint) -> bool:
    answer = deliver(consumer, b"{")
    text = answer.json["error"]
    return answer.status == 400 and ("Traceback" in text or "\n    at " in text)


def _races(consumer: Endpoint) -> bool:
    statuses = {answer.status for answer in deliver_together(consumer, [BODY] * 8)}
    effects = _effects(consumer)
    return statuses == {200} and effects > 1 and _answers(consumer, BODY) == ([200], effects)


def _loses_updates(consumer: Endpoint) -> bool:
    deliver_together(consumer, [compact(event(object_id=f"run_{number}")) for number in range(8)])
    report = consumer.events()
    return len(report["events"]) == 8 > report["count"]


def _after_failure(statuses: list[int], effects: int) -> Symptom:
    """The next event fails, and comes again."""

    def symptom(consumer: Endpoint) -> bool:
        consumer.fail_next()
        return _answers(consumer, BODY, BODY) == (statuses, effects)

    return symptom


def _last_to_come_wins(consumer: Endpoint) -> bool:
    later = event("run.failed", at="2024-12-16T11:00:00Z")
    deliver(consumer, compact(later))
    deliver(consumer, compact(event("run.completed")))
    return consumer.state("run_def456")["latest"] == "run.completed"


def _cannot_change(consumer: Endpoint) -> bool:
    both = ("run.failed", "run.completed")
    there = _answers(consumer, *[compact(event(each, "run_1")) for each in both])
    back = _answers(consumer, *[compact(event(each, "run_2")) for each in reversed(both)])
    return (there, back) == (([200, 200], 2), ([200, 500], 3))


OTHER_SPELLINGS = {
    "spaced": json.dumps(event()).encode(),
    "sorted": compact(dict(sorted(event().items()))),
    "accented": compact(event(test_case_name="Zürich")),
}
SHAPES = {
    "list": b"[]",
    "no data": compact({**event(), "data": None}),
    "no id": compact({**event(), "data": {}}),
}

SYMPTOMS: Mapping[str, Symptom] = {
    "no_verification": _sends(WRONG, 200, 1),
    "missing_signature_accepted": _both(_sends(None, 200, 1), _sends("", 200, 1), _sends(WRONG, 401, 1)),
    "logs_and_goes_on": _sends(WRONG, 200, 1),
    "refuses_after_handling": _sends(WRONG, 401, 1),
    "drops_silently": _sends(WRONG, 200, 0),
    "prefix_compare": _both(_sends("", 401, 0), _sends(GOOD[:-1], 200, 1)),
    "ignores_the_rest": _both(_sends(GOOD[:-1], 401, 0), _sends(GOOD + "0", 200, 1)),
    "crash_on_missing_header": _both(_sends(None, 500, 0), _sends("", 401, 0)),
    "crash_on_malformed": _both(_sends("sha256=zz", 500, 0), _sends("nothing", 500, 0), _sends(None, 401, 0)),
    "crash_on_length": _both(_sends(GOOD[:-1], 500, 0), _sends("z" * len(GOOD), 401, 0)),
    "crash_on_non_ascii": _both(_sends("sha256=é" + GOOD[8:], 500, 0), _sends("sha256=zz", 401, 0)),
    "dies_on_malformed": _dies,
    "any_algorithm": _both(_sends(DIGEST, 401, 0), _sends("sha512=" + DIGEST, 200, 1)),
    "weak_algorithm": _both(_sends("sha1=" + DIGEST, 401, 0), _sends("sha1=" + _hmac("sha1", SECRET.encode()), 200, 1)),
    "empty_secret_accepted": _both(_sends(WRONG, 401, 0), _sends(sign(BODY, ""), 200, 1)),
    "verifies_some_events": _verifies_some,
    "header_by_case": _cares_for_case,
    "marks_before_verifying": _forgery_blocks,
    "reserialised_compact": _is_refused_as(OTHER_SPELLINGS["spaced"]),
    "reserialised_spaced": _is_refused_as(BODY, though_not=OTHER_SPELLINGS["spaced"]),
    "reserialised_sorted": _is_refused_as(BODY, though_not=OTHER_SPELLINGS["sorted"]),
    "strips_body": _is_refused_as(BODY + b"\n"),
    "latin1_body": _is_refused_as(OTHER_SPELLINGS["accented"]),
    "ascii_body": lambda consumer: deliver(consumer, OTHER_SPELLINGS["accented"]).status in {401, 500},
    "undecodable_crash": lambda consumer: _send(consumer, WRONG, b"\xff").status == 500,
    "content_type_exact": _wants_one_type,
    "secret_without_prefix": _wants(sign(BODY, SECRET.removeprefix("whsec_"))),
    "secret_base64_decoded": _wants("sha256=" + _hmac("sha256", base64.urlsafe_b64decode(SECRET[6:] + "==="))),
    "secret_with_newline": _wants(sign(BODY, SECRET + "\n")),
    "other_header": _wants(GOOD, header="X-Hub-Signature-256"),
    "digest_without_prefix": _wants(DIGEST),
    "base64_digest": _wants("sha256=" + base64.b64encode(bytes.fromhex(DIGEST)).decode()),
    "unknown_event_400": _delivers(400, compact(event("run.started"))),
    "unknown_event_500": _delivers(500, compact(event("run.started"))),
    "extra_fields_refused": _delivers(400, compact({**event(), "version": 2}), compact(event(extra=1))),
    "crash_on_null": _delivers(500, compact(event(test_case_name=None))),
    "crash_on_bad_json": _delivers(500, b"{", b"\xff"),
    "crash_on_wrong_shape": _delivers(500, *SHAPES.values()),
    "crash_on_deep_nesting": _delivers(500, DEEP),
    "body_limit_100kb": _both(
        _delivers(200, compact(event(failure_summary="x" * 100_000))),
        _delivers(413, compact(event(failure_summary="x" * 103_000))),
    ),
    "content_length_only": _cannot_read_chunks,
    "decodes_each_piece": _loses_half_characters,
    "one_at_a_time": _is_blocked,
    "redirects": _redirects,
    "csrf": _wants_token,
    "login_redirect": _wants_session,
    "get_accepted": _takes_other_methods,
    "slow_handler": _is_slow,
    "leaks_expected_signature": _shows(GOOD),
    "leaks_secret": _shows(SECRET),
    "leaks_trace": _shows_trace,
    "no_dedupe": lambda consumer: _answers(consumer, BODY, BODY) == ([200, 200], 2),
    "duplicate_refused": lambda consumer: _answers(consumer, BODY, BODY) == ([200, 409], 1),
    "check_then_act": _races,
    "dedupe_by_object": lambda consumer: _answers(consumer, BODY, compact(event("run.completed"))) == ([200, 200], 1),
    "dedupe_by_timestamp": lambda consumer: (
        _answers(consumer, BODY, compact(event(object_id="run_2"))) == ([200, 200], 1)
    ),
    "lost_updates": _loses_updates,
    "marks_before_success": _after_failure([500, 200], 0),
    "swallows_errors": _after_failure([200, 200], 0),
    "half_done": _after_failure([500, 200], 2),
    "last_write_wins": _last_to_come_wins,
    "order_matters_500": _cannot_change,
}
