"""Checks of the transport: unusual ways in which the bytes of a correct request may come."""

from __future__ import annotations

import asyncio
import statistics

from mockserver.checks.acceptances import accepting, deliver_accepted
from mockserver.checks.context import CheckContext, Variant, answer_of, seconds_of
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery

#: Seconds that a dripping body takes.
_DRIP = 1.0
#: The same, when the result is looked at twice.
_LONG_DRIP = 3.0
#: Seconds after which the second sender comes.
_HEAD_START = 0.1
_BURST = 20

_IN_PROCESS = Judgement("not tested", "an application object has no connections: deliver to a port to test this")


async def _chunked(context: CheckContext) -> Judgement:
    judgement = await deliver_accepted(context, [Variant("a body in chunks", ("chunked",))])
    if judgement.verdict == "pass" or not context.in_process:
        return judgement
    summary = f"{judgement.summary}; some servers (waitress) give it a Content-Length, others (gunicorn) do not"
    return Judgement("warn", summary, judgement.evidence)


async def _slow_sender(context: CheckContext) -> Judgement:
    if context.in_process:
        return _IN_PROCESS
    return await deliver_accepted(context, [Variant(f"a body that took {_DRIP:g} s", ({"slow_body": _DRIP},))])


async def _slow_sender_blocks_others(context: CheckContext) -> Judgement:
    if context.in_process:
        return _IN_PROCESS
    usual = statistics.median(context.answer_seconds)
    if usual > _DRIP / 2:
        return Judgement("inconclusive", f"an ordinary answer takes {usual:.1f} s: too long to judge")
    quick, waited = await _beside_a_slow_one(context, _DRIP)
    if waited:  # once more, to be sure that it was no coincidence
        quick, waited = await _beside_a_slow_one(context, _LONG_DRIP)
    took = _milliseconds(quick)
    if not waited:
        return Judgement("pass", f"answered in {took} meanwhile", (quick,))
    return Judgement(
        "fail",
        f"beside a body that dripped for {_LONG_DRIP:g} s a valid event {answer_of(quick)} after {took}",
        (quick,),
    )


async def _beside_a_slow_one(context: CheckContext, drip: float) -> tuple[Delivery, bool]:
    """Deliver a valid event beside one whose body drips, and find out whether it had to wait for it."""
    slow = asyncio.ensure_future(context.deliver(context.event(), {"slow_body": drip}, timeout=context.timeout + drip))
    try:
        await asyncio.sleep(_HEAD_START)
        quick = await context.control()
        return quick, slow.done() or not quick.delivered
    finally:
        await slow


async def _truncated_request(context: CheckContext) -> Judgement:
    before = await context.effects.settled_count() if context.effects.known else 0.0
    cut = await context.deliver(context.event(), "truncated_body")
    if context.effects.known and (change := await context.effects.change_since(before, 0)):
        return Judgement("fail", f"half of a body had an effect of {change:g}", (cut,))
    control = await context.control()
    if not control.delivered:
        return Judgement("fail", f"after half a body, a valid event {answer_of(control)}", (cut, control))
    seen = "half of a body had no effect, and" if context.effects.known else "after half of a body"
    return Judgement("pass", f"{seen} the next event was taken", (cut,))


async def _burst(context: CheckContext) -> Judgement:
    events = [context.event() for _ in range(_BURST)]
    deliveries = await context.together([context.deliver(event, patient=False) for event in events])
    failed = [delivery for delivery in deliveries if not delivery.delivered]
    if failed:
        summary = f"{len(failed)} of {_BURST} events at once were not taken: {answer_of(failed[0])}"
        return Judgement("fail", summary, tuple(failed[:3]))
    slowest = max(deliveries, key=seconds_of)
    return Judgement("pass", f"{_BURST} at once, the slowest answered in {_milliseconds(slowest)}", (slowest,))


def _milliseconds(delivery: Delivery) -> str:
    return f"{seconds_of(delivery) * 1000:.0f} ms"


TRANSPORT_CHECKS = (
    Check(
        id="PG050",
        name="chunked",
        severity="must",
        sends="A valid event with its body in chunks (Transfer-Encoding: chunked).",
        good="2xx",
        why="Every HTTP/1.1 server must understand chunks (RFC 9112, 7.1), and proxies turn any body into them. A"
        " consumer that reads Content-Length bytes reads nothing, and verifies that.",
        fix="read the body through the framework, to its end",
        procedure=_chunked,
    ),
    Check(
        id="PG051",
        name="expect_continue",
        severity="should",
        sends="A valid event with `Expect: 100-continue`.",
        good="2xx",
        why="Some clients wait for `100 Continue` before they send a body (RFC 9110, 10.1.1). A server that does not"
        " answer it costs a second per delivery, or refuses it.",
        fix="serve with an HTTP server that answers `Expect: 100-continue`",
        procedure=accepting(Variant("Expect: 100-continue", ("expect_continue",))),
    ),
    Check(
        id="PG052",
        name="slow_sender",
        severity="should",
        sends=f"A valid event whose body drips for {_DRIP:g} s.",
        good="2xx",
        why="Networks are slow at times. A consumer with a short time-out of its own loses the event.",
        fix="give the body of a request several seconds to come",
        procedure=_slow_sender,
    ),
    Check(
        id="PG053",
        name="slow_sender_blocks_others",
        severity="must",
        sends="A valid event whose body drips, and an ordinary one beside it.",
        good="the ordinary one is answered meanwhile",
        why="A server with one worker waits for the slowest sender: one bad connection, or one attacker, stops all"
        " events.",
        fix="serve with more than one worker or thread, or behind a proxy that buffers requests",
        procedure=_slow_sender_blocks_others,
    ),
    Check(
        id="PG054",
        name="truncated_request",
        severity="must",
        sends="Half of the body of a valid event, then the connection ends.",
        good="no effect, and the next event is taken",
        why="Connections break. What came of the body is not what was signed.",
        fix="let the server read the whole body before the handler runs, and verify it",
        procedure=_truncated_request,
    ),
    Check(
        id="PG055",
        name="burst",
        severity="should",
        sends=f"{_BURST} valid events at the same time.",
        good="2xx for all",
        why="Test runs end together: a nightly suite sends its events within a second.",
        fix="serve with more workers, and do slow work after the answer",
        procedure=_burst,
    ),
)
