"""Checks of the answers themselves: how long they take, and what they give away."""

from __future__ import annotations

import re
import statistics
from html import unescape

from mockserver.checks.context import CheckContext
from mockserver.checks.model import Check, Judgement, Verdict
from mockserver.model.records import Delivery
from mockserver.model.signing import PREFIX, sign

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
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


async def _leaks_secret(context: CheckContext) -> Judgement:
    if len(context.secret) < (_LONGEST_WORD if context.secret.isalpha() else _SHORTEST):
        return Judgement("inconclusive", "the secret is short, or a mere word: answers may hold it by chance")
    for delivery in context.deliveries:
        what = _given_away(delivery, context.secret)
        if what:
            return Judgement("fail", f"an answer contains {what}", (delivery,))
    return Judgement("pass", f"in none of {_answers(context)}")


def _answers(context: CheckContext) -> str:
    count = len(context.deliveries)
    return f"{count} answer{'' if count == 1 else 's'}"


def _given_away(delivery: Delivery, secret: str) -> str:
    """What an answer gives away that only those may know who sign."""
    answer = _whole_answer(delivery)
    request = delivery.attempts[-1].request if delivery.attempts else None
    if not answer or request is None:
        return ""
    if secret.encode("utf-8", "surrogateescape") in answer:
        return "the secret"
    digest = sign(request.body, secret).removeprefix(PREFIX).encode("ascii")
    # What the request itself had in it is no secret: some consumers repeat headers.
    if digest in answer.lower() and digest not in request.head.lower():
        return "the signature that would have been right"
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
    why="Senders wait for some seconds (the vendor does not say how many; others 3 to 10), then count the delivery as"
    " failed and try again. Work that is done before the answer grows with the data, and one day it takes too long.",
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
        why="An error message that helps with debugging (`expected sha256=..., got ...`) signs events for anybody.",
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
        fix="switch the debug mode off, and answer errors with a status and a short text",
        procedure=_leaks_internals,
    ),
)
