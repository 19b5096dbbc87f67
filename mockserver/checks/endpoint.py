"""Checks of the endpoint: valid events get there and nothing else does; its answers are quick and give nothing away."""

from __future__ import annotations

import re
import statistics
from html import unescape

from mockserver.checks.context import CheckContext, GoneError, Variant, answer_of, method, status_of
from mockserver.checks.experiments import judge_accepted, refusing
from mockserver.checks.model import Check, Judgement, Verdict
from mockserver.model.records import Delivery
from mockserver.model.signing import PREFIX, sign

# ---------------------------------------------------------------- answers: how long they take, what they give away

#: Seconds: the median, and the worst, that are a defect.
_MEDIAN, _WORST = 1.0, 5.0
#: A shorter secret, and a shorter one of letters alone, may be in an answer by chance.
_SHORTEST, _LONGEST_WORD = 6, 16

#: Traces of stacks as Python, JavaScript, Java, Ruby, PHP and Go print them.
_TRACE = re.compile(
    rb"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+"
    rb"|\bat [\w.$<>\[\] ]{1,200} \((?:file://|node:|/|[A-Z]:\\)[^()\n]{1,300}:\d+:\d+\)"
    rb"|\bat [\w.$]{1,200}\([\w$]+\.java:\d+\)|\.rb:\d+:in [`']|#0 [^\n]+\.php\(\d+\)|goroutine \d+ \["
    rb"|Werkzeug Debugger|You're seeing this error because you have <code>DEBUG|Exception Location:"
)

_TAG = re.compile(rb"<[^<>]{0,300}>")


async def _answer_time(context: CheckContext) -> Judgement:
    seconds = context.answer_seconds
    median, worst = statistics.median(seconds), max(seconds)
    slowest = context.deliveries[seconds.index(worst)]
    verdict: Verdict = "fail" if median > _MEDIAN or worst > _WORST else "warn" if worst > _MEDIAN else "pass"
    return Judgement(verdict, f"median {_shown(median)}, worst {_shown(worst)} of {len(seconds)}", (slowest,))


def _shown(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


async def _leaks_secret(context: CheckContext) -> Judgement:
    if len(context.secret) < (_LONGEST_WORD if context.secret.isalpha() else _SHORTEST):
        return Judgement("inconclusive", "the secret is short, or a plain word: an answer may contain it by chance")
    for delivery in context.deliveries:
        what = _given_away(delivery, context.secret)
        if what:
            return Judgement("fail", f"an answer contains {what}", (delivery,))
    return Judgement("pass", f"in none of {_answers(context)}")


def _answers(context: CheckContext) -> str:
    count = len(context.deliveries)
    return f"{count} answer{'' if count == 1 else 's'}"


def _given_away(delivery: Delivery, secret: str) -> str:
    """What an answer gives away that only the sender may know."""
    answer = _whole_answer(delivery)
    request = delivery.attempts[-1].request if delivery.attempts else None
    if not answer or request is None:
        return ""
    if secret.encode("utf-8", "surrogateescape") in answer:
        return "the secret"
    digest = sign(request.body, secret).removeprefix(PREFIX).encode("ascii")
    # What the request itself had in it is no secret: some consumers repeat headers.
    if digest in answer.lower() and digest not in request.head.lower():
        return "the correct signature"
    return ""


def _whole_answer(delivery: Delivery) -> bytes:
    response = delivery.response
    if response is None:
        return b""
    headers = "\n".join(value for _, value in response.headers).encode("latin-1", "replace")
    return headers + b"\n" + response.body


def _shows_trace(body: bytes) -> bool:
    """Whether a body has a stack trace in it, as text or in a page for developers."""
    if _TRACE.search(body):
        return True
    return b"</" in body and _TRACE.search(_TAG.sub(b"", unescape(body.decode("latin-1")).encode("utf-8"))) is not None


async def _leaks_internals(context: CheckContext) -> Judgement:
    for delivery in context.deliveries:
        if delivery.response is not None and _shows_trace(delivery.response.body):
            return Judgement("fail", f"an answer ({delivery.response.status}) contains a stack trace", (delivery,))
    return Judgement("pass", f"no stack trace in {_answers(context)}")


ANSWER_TIME = Check(
    id="PG060",
    name="answer_time",
    severity="should",
    sends="Nothing of its own: it times the answers to the first valid events, one after another.",
    good=f"a median under {_MEDIAN:g} s, none over {_WORST:g} s",
    why="Senders wait for some seconds (the vendor does not say how many; others 3 to 10), then count the delivery"
    " as failed and try again. Work that is done before the answer grows with the data, until one day it takes"
    " too long.",
    fix="verify, store, answer; do the work afterwards, in a queue",
    procedure=_answer_time,
)

LEAK_CHECKS = (
    Check(
        id="PG061",
        name="leaks_secret",
        severity="must",
        sends="Nothing of its own: it reads all answers so far.",
        good="neither the secret nor the expected signature in any answer",
        why="An error message that helps with debugging (`expected sha256=..., got ...`) lets anyone sign events.",
        fix="answer a bad signature with 401 and nothing more",
        procedure=_leaks_secret,
    ),
    Check(
        id="PG062",
        name="leaks_internals",
        severity="should",
        sends="Nothing of its own: it reads all answers so far.",
        good="no stack trace in any answer",
        why="A stack trace shows strangers which versions run, and where.",
        fix="turn debug mode off, and answer errors with a status and a short text",
        procedure=_leaks_internals,
    ),
)

# ---------------------------------------------------------------- what gets there

#: What a server answers to a method that it does not know at all (RFC 9110, section 15.6.2).
_NOT_IMPLEMENTED = 501
#: The most requests that are named.
_NAMED = 3
_LOGIN = (b"csrf", b"login", b"sign in", b"log in", b"forbidden (403)")


async def _every_event_type(context: CheckContext) -> Judgement:
    made = [(Variant(event, event=event), context.first[event]) for event in context.all_events]
    return judge_accepted(made)


async def _control(context: CheckContext) -> Judgement:
    control = context.deliveries[0]
    if control.delivered:
        return Judgement("pass", answer_of(control), (control,))
    return Judgement("fail", f"a correct {control.event.type} {answer_of(control)}", (control,))


async def _no_redirect(context: CheckContext) -> Judgement:
    control = context.deliveries[0]
    if not 300 <= status_of(control) < 400:
        return Judgement("pass", "no redirect", (control,))
    where = _header(control, "location") or "nowhere"
    fix = f"register {where} if events are handled there, or handle them at the registered URL"
    return Judgement("fail", f"a correct event {answer_of(control)}, to {where}", (control,), fix)


async def _nothing_in_front(context: CheckContext) -> Judgement:
    control = context.deliveries[0]
    if control.delivered:
        return Judgement("pass", "a request without cookies, Origin and Referer gets through", (control,))
    status, page = status_of(control), (control.response.body.lower() if control.response else b"")
    login = any(word in page for word in _LOGIN) or any(word in _location(control) for word in (b"login", b"signin"))
    if status == 419 or (status in (302, 303, 307) and login) or (status in (401, 403) and login):
        return Judgement("fail", f"a correct event {answer_of(control)}, with a page for browsers", (control,))
    return Judgement("inconclusive", f"a correct event {answer_of(control)}, which may have other reasons", (control,))


async def _still_well(context: CheckContext) -> Judgement:
    try:
        control = await context.control()
    except GoneError as error:
        return Judgement("fail", str(error))
    summary = f"after all checks a valid event {answer_of(control)}"
    return Judgement("pass" if control.delivered else "fail", summary, (control,))


async def _survives(context: CheckContext) -> Judgement:
    endings = context.endings
    if not endings:
        return Judgement("pass", f"still running after each of {len(context.deliveries)} requests")
    killers = list({each.delivery.number: each for each in endings}.values())
    named = ", ".join(f"{_what(each.delivery)} ({each.check})" for each in killers[:_NAMED])
    more = f" and {len(killers) - _NAMED} more" if len(killers) > _NAMED else ""
    back = "; it was started again" if all(each.came_back for each in killers) else "; it did not come back"
    return Judgement("fail", f"ended by {named}{more}{back}", tuple(each.delivery for each in killers[:_NAMED]))


def _what(delivery: Delivery) -> str:
    return f"{delivery.event.type} with {', '.join(delivery.faults)}" if delivery.faults else delivery.event.type


def _header(delivery: Delivery, name: str) -> str:
    headers = delivery.response.headers if delivery.response else ()
    return next((value for known, value in headers if known == name), "")


def _location(delivery: Delivery) -> bytes:
    return _header(delivery, "location").lower().encode("latin-1", "replace")


CONTROL = Check(
    id="PG001",
    name="control",
    severity="must",
    sends="A valid event, signed correctly.",
    good="2xx",
    why="Everything else is judged by comparison with this one: an endpoint that refuses everything would refuse every"
    " forgery too.",
    fix="look at the answer: 404 means another path, 403 may come from something in front; for a refused signature,"
    " use --diagnose (in Python, diagnose=True)",
    procedure=_control,
)

#: What is judged by the control alone, and so also when it was refused.
BY_THE_CONTROL = (
    CONTROL,
    Check(
        id="PG003",
        name="no_redirect",
        severity="must",
        sends="Nothing of its own: it judges the answer to the control.",
        good="no 3xx",
        why="Senders do not follow redirects, or follow them with GET and without the body. The usual cause is a"
        " slash too many or too few, or http instead of https.",
        fix="register the URL that handles the events, not one that redirects to it",
        procedure=_no_redirect,
    ),
    Check(
        id="PG004",
        name="nothing_in_front",
        severity="must",
        sends="Nothing of its own: it judges the answer to the control, which has no cookies, Origin or Referer.",
        good="2xx",
        why="Middleware made for browsers (CSRF protection, a login) runs before every route of an application, and"
        " rejects senders with 403, 419 or a redirect to a login page.",
        fix="exempt the webhook route from CSRF protection and login: the signature protects it",
        procedure=_nothing_in_front,
    ),
)

ENDPOINT_CHECKS = (
    Check(
        id="PG002",
        name="every_event_type",
        severity="must",
        sends="A valid event of each type that the consumer handles (--event chooses them).",
        good="2xx",
        why="An event type that was never tried fails in production, when the first one arrives.",
        fix="handle the event, or answer 2xx and ignore it",
        procedure=_every_event_type,
    ),
    Check(
        id="PG005",
        name="other_methods",
        severity="should",
        sends="A valid, signed event with the methods GET and PUT.",
        good="404, 405 or 501, and no effect",
        why="Events arrive by POST. Whatever a GET can trigger, any link or image on a page can trigger.",
        fix="accept POST only",
        procedure=refusing(
            Variant("an event by GET", (method("GET"),)),
            Variant("an event by PUT", (method("PUT"),)),
            refusals=(_NOT_IMPLEMENTED,),
        ),
    ),
)

SURVIVES = Check(
    id="PG007",
    name="survives_any_request",
    severity="must",
    sends="Nothing of its own: after each request that may crash the consumer, a valid event shows whether it still"
    " runs.",
    good="the consumer still runs after every request",
    why="Anyone can send a request, and connections break. A process that crashes on one loses every event until it"
    " is restarted, and anyone can crash it again.",
    fix="send the request below to a consumer that logs to a terminal, and catch what it raises: in Node.js, handle"
    " `error` on the request and the response, and every rejected promise",
    procedure=_survives,
)

STILL_WELL = Check(
    id="PG006",
    name="still_well",
    severity="must",
    sends="A valid event after all other checks.",
    good="2xx, as at the beginning",
    why="Some damage shows late: an exhausted connection pool, a worker that hangs, a full disk.",
    fix="look at the consumer's log",
    procedure=_still_well,
)
