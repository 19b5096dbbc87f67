"""Checks of the transport: unusual ways in which the bytes of a correct request may come."""

from __future__ import annotations

import asyncio
import statistics

from mockserver.checks.context import LIMITS, CheckContext, Variant, answer_of, seconds_of, status_of
from mockserver.checks.experiments import Experiment, Trial, accepting, judge_effects, sent
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


_CHUNKED = Variant("a body in chunks", ("chunked",))
_LENGTH_REQUIRED = 411


async def _send_chunked(context: CheckContext) -> Trial:
    return await sent(context, [_CHUNKED])


async def _judge_chunked(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    if any(status_of(each) == _LENGTH_REQUIRED for each in trial.deliveries):
        return Judgement("pass", "answered 411: the server requires a Content-Length, and says so", trial.deliveries)
    judgement = await judge_effects(context, trial, change)
    if judgement.verdict == "pass" or not context.in_process:
        return judgement
    summary = f"{judgement.summary}; some servers (waitress) give it a Content-Length, others (gunicorn) do not"
    return Judgement("warn", summary, judgement.evidence)


class Drip:
    """A valid event whose body drips while other checks go on, and an ordinary one beside it."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._taken = False
        self._slow = asyncio.ensure_future(_dripping(context, _DRIP))
        self._quick = asyncio.ensure_future(self._beside(context))

    async def _beside(self, context: CheckContext) -> tuple[Delivery, bool]:
        await asyncio.sleep(_HEAD_START)
        quick = await context.control(patient=False)
        return quick, self._slow.done() or not quick.delivered

    async def slow(self) -> Delivery:
        """Return the delivery that dripped, once it is over; a new one each further time."""
        if self._taken:
            return await _dripping(self._context, _DRIP)
        self._taken = True
        return await self._slow

    async def quick(self) -> tuple[Delivery, bool]:
        """Return the ordinary delivery, and whether it had to wait for the other one."""
        return await self._quick

    async def end(self) -> None:
        """Wait for both, whatever becomes of them."""
        await asyncio.gather(self._slow, self._quick, return_exceptions=True)


async def _dripping(context: CheckContext, seconds: float) -> Delivery:
    return await context.deliver(context.event(), {"slow_body": seconds}, timeout=context.timeout + seconds)


async def _send_slowly(context: CheckContext) -> Trial:
    if context.drip is None:
        return Trial(())
    slow = await context.drip.slow()
    unit = context.effects.unit(slow.event.type) if slow.delivered else 0.0
    return Trial([(Variant(f"a body that took {_DRIP:g} s", ({"slow_body": _DRIP},)), slow)], unit)


async def _judge_slow_sender(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    return await judge_effects(context, trial, change) if trial.made else _IN_PROCESS


async def _slow_sender_blocks_others(context: CheckContext) -> Judgement:
    if context.in_process:
        return _IN_PROCESS
    usual = statistics.median(context.answer_seconds)
    if usual > _DRIP / 2:
        return Judgement("inconclusive", f"an ordinary answer takes {usual:.1f} s: too long to judge")
    quick, waited = await (context.drip.quick() if context.drip else _beside_a_slow_one(context, _DRIP))
    if waited:  # once more, to be sure that it was no coincidence
        quick, waited = await _beside_a_slow_one(context, _LONG_DRIP)
    took = _milliseconds(quick)
    if not waited:
        return Judgement("pass", f"answered in {took} meanwhile", (quick,))
    if context.limits and status_of(quick) in LIMITS:
        return Judgement(
            "inconclusive", f"beside a slow body a valid event {answer_of(quick)}: it has a limit", (quick,)
        )
    return Judgement(
        "fail",
        f"beside a body that dripped for {_LONG_DRIP:g} s a valid event {answer_of(quick)} after {took}",
        (quick,),
    )


async def _beside_a_slow_one(context: CheckContext, drip: float) -> tuple[Delivery, bool]:
    """Deliver a valid event beside one whose body drips, and find out whether it had to wait for it."""
    slow = asyncio.ensure_future(_dripping(context, drip))
    try:
        await asyncio.sleep(_HEAD_START)
        quick = await context.control(patient=False)
        return quick, slow.done() or not quick.delivered
    finally:
        await slow


async def _send_truncated(context: CheckContext) -> Trial:
    variant = Variant("half of a body", ("truncated_body",))
    return Trial([await variant.made(context)], more=await context.control())


async def _judge_truncated(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    (cut,), control = trial.deliveries, trial.more
    if change and not context.by_moment:
        return Judgement("fail", f"half of a body had an effect of {change:g}", (cut,))
    if not control.delivered:
        return Judgement("fail", f"after half a body, a valid event {answer_of(control)}", (cut, control))
    seen = "after half of a body" if change is None else "half of a body had no effect, and"
    return Judgement("pass", f"{seen} the next event was accepted", (cut,))


async def _send_burst(context: CheckContext) -> Trial:
    events = [context.event() for _ in range(_BURST)]
    deliveries = await context.together([context.deliver(event, patient=False) for event in events])
    taken = [each for each in deliveries if each.delivered]
    unit = context.effects.unit(events[0].type)
    return Trial([(Variant("one of many"), each) for each in deliveries], unit * len(taken))


async def _judge_burst(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    deliveries = trial.deliveries
    failed = [delivery for delivery in deliveries if not delivery.delivered]
    if failed and all(status_of(each) in LIMITS or _was_refused(each) for each in failed):
        answer = answer_of(failed[0])
        for delivery in failed:  # what was too much at once is taken when it comes again, as from any sender
            again = await context.deliver(delivery.event)
            if not again.delivered:
                return Judgement(
                    "fail", f"an event of a burst {answer}, and {answer_of(again)} later", (delivery, again)
                )
        if status_of(failed[0]):
            context.limits[status_of(failed[0])] = context.limits.get(status_of(failed[0]), 0) + len(failed)
        summary = f"{len(failed)} of {_BURST} events at once {answer}, and were accepted later: it has a limit"
        return Judgement("inconclusive", summary, tuple(failed[:3]))
    if failed:
        summary = f"{len(failed)} of {_BURST} events at once were not accepted: {answer_of(failed[0])}"
        return Judgement("fail", summary, tuple(failed[:3]))
    if change not in (None, trial.expected):
        summary = f"{_BURST} events at once were answered 2xx, and the effect is {change:g}, not {trial.expected:g}"
        return Judgement("fail", summary, deliveries[:3])
    slowest = max(deliveries, key=seconds_of)
    return Judgement("pass", f"{_BURST} at once, the slowest answered in {_milliseconds(slowest)}", (slowest,))


def _was_refused(delivery: Delivery) -> bool:
    return delivery.error is not None and delivery.error.kind == "connect"


def _milliseconds(delivery: Delivery) -> str:
    return f"{seconds_of(delivery) * 1000:.0f} ms"


TRANSPORT_CHECKS = (
    Check(
        id="PG050",
        name="chunked",
        severity="should",
        sends="A valid event with its body in chunks (Transfer-Encoding: chunked).",
        good="2xx, or 411 from a server that requires a length",
        why="Every HTTP/1.1 server must understand chunked bodies (RFC 9112, 7.1), and some proxies send them."
        " Without a Content-Length from the server, frameworks for WSGI read an empty body, and verify that.",
        fix="use an HTTP server that passes chunked bodies on to the application (for WSGI: waitress, or a proxy in"
        " front that buffers requests); an application that reads the stream itself must read it to its end",
        procedure=Experiment(_send_chunked, _judge_chunked),
    ),
    Check(
        id="PG051",
        name="expect_continue",
        severity="should",
        sends="A valid event with `Expect: 100-continue`.",
        good="2xx",
        why="Some clients wait for `100 Continue` before they send a body (RFC 9110, 10.1.1). A server that does"
        " not answer it costs a second per delivery, or refuses the request.",
        fix="use an HTTP server that answers `Expect: 100-continue`",
        procedure=accepting(Variant("Expect: 100-continue", ("expect_continue",))),
    ),
    Check(
        id="PG052",
        name="slow_sender",
        severity="should",
        sends=f"A valid event whose body drips for {_DRIP:g} s.",
        good="2xx",
        why="Networks are sometimes slow. A consumer with a short timeout of its own loses the event.",
        fix="allow several seconds for the body of a request to arrive",
        procedure=Experiment(_send_slowly, _judge_slow_sender),
    ),
    Check(
        id="PG053",
        name="slow_sender_blocks_others",
        severity="must",
        sends="A valid event whose body drips, and an ordinary one beside it.",
        good="the ordinary one is answered in the meantime",
        why="A server with one worker waits for the slowest sender: one bad connection, or one attacker, stops all"
        " events.",
        fix="use more than one worker or thread, or a proxy in front that buffers requests",
        procedure=_slow_sender_blocks_others,
    ),
    Check(
        id="PG054",
        name="truncated_request",
        severity="must",
        sends="Half of the body of a valid event, then the connection ends.",
        good="no effect, and the next event is accepted",
        why="Connections break. The part of the body that arrived is not what was signed.",
        fix="let the server read the whole body before the handler runs, and verify it",
        procedure=Experiment(_send_truncated, _judge_truncated, forged=True),
    ),
    Check(
        id="PG055",
        name="burst",
        severity="should",
        sends=f"{_BURST} valid events at the same time.",
        good="2xx for all",
        why="Test runs end together: a nightly suite sends its events within a second.",
        fix="use more workers, and do slow work after the answer",
        procedure=Experiment(_send_burst, _judge_burst),
    ),
)
