"""The diagnosis: why a correct delivery is refused, found by delivering what a usual mistake would take for right.

First it looks at what needs no wrong form: the answer itself, whether the consumer distinguishes a right signature
from a random one at all, whether it takes other event types. Then it tries the wrong forms, one after another. One
that is answered in another way than a random signature of the same shape is one that the consumer verifies: that is its
mistake. It is delivered a second time, and the right form once more, before it is named. Where several forms come to
the same bytes, an event in which they differ shows which one it is.

It makes deliveries to loopback and private addresses only, whatever else the mock may contact, and a limited number of
them in a limited time. The secret is never sent in any form: what leaves are digests.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mockserver.checks.context import CheckContext, answer_of, comparable, defect, status_of
from mockserver.checks.model import Diagnosis
from mockserver.checks.signature_variants import (
    RIGHT,
    WRONG_FORMS,
    Signed,
    WrongForm,
    distinct,
    forged,
    make_distinctive,
)
from mockserver.delivery.event_loop import monotonic
from mockserver.faults.fault import ChosenFault
from mockserver.faults.request_builder import Draft
from mockserver.model.messages import NEVER_CONNECTED, Response
from mockserver.model.records import Delivery, Event
from mockserver.model.signing import SIGNATURE_HEADER

# ---------------------------------------------------------------- what the answer shows by itself


class Reason(msgspec.Struct, frozen=True):
    """Why a delivery is refused.

    Args:
        explanation: What the consumer does; the sentence begins with ``it``.
        fix: What to do about it.
    """

    explanation: str
    fix: str


_ROUTE = "give the URL at which the consumer handles events: check its routes, their prefix, and slashes at the end"
_LOGIN = "exempt the webhook route from CSRF protection and login: the signature protects it"

_BY_STATUS = {
    404: Reason("it answers 404: most likely nothing handles events at this path", _ROUTE),
    405: Reason("it answers 405: something is at this path, but it does not accept POST", _ROUTE),
    410: Reason("it answers 410: what handled events at this path is gone", _ROUTE),
    413: Reason("it answers 413: even a small event is too large for it", "raise the limit for bodies to 1 MB or more"),
    419: Reason("it answers 419: the CSRF protection of its framework refuses what comes without a token", _LOGIN),
    429: Reason("it answers 429: it limits how often events may arrive", "exempt the webhook route from the limit"),
    502: Reason("it answers 502: a proxy is in front, and cannot reach it", "check that the consumer runs"),
    504: Reason("it answers 504: a proxy is in front, and got no answer from it", "check whether the consumer hangs"),
}


def reason_of(response: Response) -> Reason | None:
    """Return why a delivery is refused, where the answer says so and the signature cannot be the reason."""
    if 300 <= response.status < 400:
        return _redirected(response)
    if response.status in (400, 403) and b"csrf" in response.body.lower():
        explanation = f"it answers {response.status}: the CSRF protection of its framework refuses it"
        return Reason(explanation, _LOGIN)
    return _BY_STATUS.get(response.status)


def hint_of(response: Response) -> str:
    """Return what an answer may mean where the signature may be the reason too; empty if it says nothing."""
    scheme = _header(response, "www-authenticate").partition(" ")[0].lower()
    if response.status == 401 and scheme in ("basic", "bearer", "digest", "negotiate"):
        return f"it asks for a login (`WWW-Authenticate: {scheme}`), which may come before the verification"
    if "html" in _header(response, "content-type") and b"</" in response.body:
        return "its answer is an HTML page, which may come from something in front of the verification"
    if response.status in (400, 422):
        return f"it answers {response.status}, so it may refuse the payload before it verifies"
    if response.status >= 500:
        return f"it answers {response.status}, so it may break before it verifies: look at its log"
    return ""


def _redirected(response: Response) -> Reason:
    where = _header(response, "location")
    to = f" to {where}" if where else ""
    login = any(word in where.lower() for word in ("login", "signin", "sign-in", "auth"))
    fix = _LOGIN if login else f"register {where or 'the URL that handles the events'}: senders follow no redirects"
    return Reason(f"it answers {response.status}: it redirects{to}", fix)


def _header(response: Response, name: str) -> str:
    return next((value for known, value in response.headers if known == name), "")


# ---------------------------------------------------------------- what wrong forms show

#: How long it may take, in seconds, and how many deliveries it may make.
SECONDS, MOST_DELIVERIES = 20.0, 150

#: How many events are made, and not sent, to find one that shows a difference.
_MOST_LOOKED_AT = 50

#: What else a consumer may demand that answers 415.
_CONTENT_TYPES = (
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/octet-stream",
)
_COMPARE = (
    "check that the consumer has exactly this secret: let it log the length and the SHA-256 of its secret and of the"
    " raw body, and compare them with those of the secret given here and the body sent"
)
_UNSTEADY = (
    "find out what differs from one delivery to the next: several workers with different settings, or a slow start"
)


async def diagnose(context: CheckContext, seconds: float = SECONDS) -> Diagnosis:
    """Find out why a consumer refuses correct deliveries."""
    context.check = "diagnosis"
    return await _Examination(context, monotonic() + seconds).run()


class _StoppedError(Exception):
    """No further delivery can be made; the message says why."""


class _Examination:
    """One examination of a consumer."""

    def __init__(self, context: CheckContext, deadline: float) -> None:
        self._context = context
        self._deadline = deadline
        # Until they are made, the random and the missing signature are taken to be refused as the control was.
        self._control = self._random = self._unsigned = context.deliveries[0]
        self._first = len(context.deliveries)
        self._noise = random.Random(f"diagnosis/{context.seed}").randbytes(64)  # noqa: S311 - repeatable on purpose
        self._tried = 0
        self._repeats = True  # whether the same refusal has the same body each time
        self._twins: dict[tuple[object, ...], Delivery] = {}

    async def run(self) -> Diagnosis:
        """Find out why the control was refused."""
        steps = (self._address, self._answer, self._steadiness, self._other_types, self._verification, self._forms)
        try:
            for step in steps:
                diagnosis = await step()
                if diagnosis is not None:
                    return diagnosis
        except _StoppedError as stopped:
            return self._unknown(f"; stopped, as {stopped}")
        return self._unknown()

    # ---------------------------------------------------------------- without wrong forms

    async def _address(self) -> Diagnosis | None:
        where = self._context.outside(self._control)
        if not where:
            return None
        explanation = f"not looked for: the consumer is at {where}, and wrong forms go to private addresses only"
        return self._diagnosis(
            explanation, "run the consumer on this machine or in a private network, and check it there"
        )

    async def _answer(self) -> Diagnosis | None:
        """What the answer to the control says by itself."""
        if self._control.error is not None:
            hangs = self._control.error.kind == "timeout"
            explanation = f"it {answer_of(self._control)}"
            return self._diagnosis(explanation, "see where the handler hangs") if hangs else None
        response = self._control.response
        reason = reason_of(response) if response else None
        if reason is not None:
            return self._diagnosis(reason.explanation, reason.fix)
        return await self._content_type() if status_of(self._control) == 415 else None

    async def _content_type(self) -> Diagnosis:
        fix = "accept every body whose Content-Type begins with `application/json`, which is what the vendor sends"
        for content_type in _CONTENT_TYPES:
            delivery = await self._deliver(self._event(), {"wrong_content_type": content_type})
            if delivery.delivered:
                explanation = f"it accepts events only as `{content_type}`, not as `application/json`"
                return self._diagnosis(explanation, fix, delivery)
        return self._diagnosis("it answers 415: it does not accept `application/json`", fix)

    async def _steadiness(self) -> Diagnosis | None:
        """Whether right signatures are refused each time, and random ones too."""
        if (await self._deliver(self._event())).delivered:
            return self._unsteady()
        self._random = await self._try(forged(RIGHT, self._noise))
        again = await self._try(forged(RIGHT, self._noise[::-1]))
        if self._random.delivered and again.delivered:
            explanation = "it accepts random signatures and refuses right ones: it accepts anything but what is genuine"
            fix = "check whether the condition is inverted (`if verified: refuse`)"
            return self._diagnosis(explanation, fix, self._random, again)
        if self._random.delivered or again.delivered:
            explanation = "it accepts one random signature and refuses another: its answers are not consistent"
            return self._diagnosis(explanation, _UNSTEADY, self._random if self._random.delivered else again)
        self._repeats = comparable(self._random) == comparable(again)
        self._unsigned = await self._deliver(self._event(), "missing_signature")
        return None

    async def _other_types(self) -> Diagnosis | None:
        """Whether events of other types are verified and accepted."""
        taken = []
        for event in self._context.all_events[1:]:
            delivery = await self._deliver(self._context.event(event))
            if delivery.delivered and not (await self._try(forged(RIGHT, self._noise), event)).delivered:
                taken.append(event)
        if not taken:
            return None
        names = ", ".join(taken)
        explanation = f"it accepts {names}, and refuses {self._control.event.type}: the signature is not the reason"
        return self._diagnosis(explanation, f"see how {self._control.event.type} is handled")

    async def _verification(self) -> Diagnosis | None:
        """Whether the right signature is answered in another way than a random one: then it is verified, and right."""
        again = await self._deliver(self._event())
        if not self._alike(again, self._control) or self._alike(again, self._random):
            return None
        reactions = f"a random one is {_reaction(self._random)}, the right one {_reaction(again)}"
        explanation = f"the signature is not the reason: {reactions}"
        if status_of(again) >= 500 or again.error is not None:
            return self._diagnosis(f"{explanation}, so it breaks when it handles the event", "look at its log")
        fix = "read its answer: it demands something that the vendor does not send"
        return self._diagnosis(f"{explanation}, so it refuses the event itself", fix)

    # ---------------------------------------------------------------- wrong forms

    async def _forms(self) -> Diagnosis | None:
        for group in distinct(WRONG_FORMS, self._signed(self._event()), self._context.secret):
            self._tried += 1
            delivery = await self._try(group[0])
            if not self._is_refusal(group[0], delivery):
                diagnosis = await self._judged(group, delivery)
                if diagnosis is not None:
                    return diagnosis
        return None

    def _is_refusal(self, form: WrongForm, delivery: Delivery) -> bool:
        """Whether a form is answered as one that means nothing, or as one that is not there at all."""
        names = {name for name, _ in form.sign(self._signed(delivery.event), self._context.secret) or ()}
        if self._alike(delivery, self._random):
            return True
        return SIGNATURE_HEADER not in names and self._alike(delivery, self._unsigned)

    async def _judged(self, group: Sequence[WrongForm], delivery: Delivery) -> Diagnosis | None:
        """What it means that a form is not refused as others are; None if nothing, as only its looks are the reason."""
        form = group[0]
        if delivery.delivered and (await self._deliver(self._event())).delivered:
            return self._unsteady()
        twin = self._twins.get(form.shape)
        if twin is None:
            twin = self._twins[form.shape] = await self._try(forged(form, self._noise))
        if self._alike(delivery, twin):
            return self._anything_goes(form, twin) if delivery.delivered else None
        again = await self._deliver(self._clear_event(group), self._fault(form))
        if not self._alike(again, delivery):
            return None
        return self._named(await self._narrowed(group, delivery), delivery, again)

    def _clear_event(self, group: Sequence[WrongForm]) -> Event:
        """An event in which no other form looks like these by chance, as base64 and its URL-safe form often do."""
        for _ in range(_MOST_LOOKED_AT):
            event = self._event()
            signed = self._signed(event)
            looks = group[0].sign(signed, self._context.secret)
            others = (form for form in WRONG_FORMS if form not in group)
            if all(form.sign(signed, self._context.secret) != looks for form in others):
                return event
        return self._event()

    async def _narrowed(self, group: Sequence[WrongForm], delivery: Delivery) -> Sequence[WrongForm]:
        """Of forms that come to the same in ordinary events, those that are accepted where they do not."""
        if len(group) == 1:
            return group
        for candidates in distinct(group, self._signed(self._event(distinctive=True)), self._context.secret):
            if self._alike(await self._try(candidates[0], distinctive=True), delivery):
                return candidates
        return group

    def _named(self, forms: Sequence[WrongForm], *evidence: Delivery) -> Diagnosis:
        form = forms[0]
        # Others with the same remedy need not be named: for this secret they come to the same.
        others = "; or it ".join([other.mistake for other in forms if other.fix != form.fix][:2])
        explanation = f"it {form.mistake}" + (f" (or it {others})" if others else "")
        if not evidence[0].delivered:
            explanation += f"; what is signed so passes, and is then {_reaction(evidence[0])} for another reason"
        if self._unsigned.delivered:
            explanation += "; and it accepts events without any signature"
        return self._diagnosis(explanation, form.fix, *evidence)

    def _anything_goes(self, form: WrongForm, twin: Delivery) -> Diagnosis:
        fix = f"{form.fix}; and verify it: refuse what is not the right signature"
        return self._diagnosis(f"it {form.mistake}, and accepts a random one there as well", fix, twin)

    def _unknown(self, why: str = "") -> Diagnosis:
        response = self._control.response
        hint = hint_of(response) if response else ""
        parts = [f"not found: it expects none of the {self._tried} usual wrong forms that were tried{why}", hint]
        if self._unsigned.delivered:
            parts.append("it accepts events without any signature")
        return self._diagnosis("; ".join(filter(None, parts)), _COMPARE)

    def _unsteady(self) -> Diagnosis:
        return self._diagnosis("it now accepts what it refused at first: its answers are not consistent", _UNSTEADY)

    def _diagnosis(self, explanation: str, fix: str, *evidence: Delivery) -> Diagnosis:
        return Diagnosis(explanation, fix, self._tried, evidence)

    # ---------------------------------------------------------------- deliveries

    @property
    def _made(self) -> int:
        return len(self._context.deliveries) - self._first

    def _event(self, event: str = "", *, distinctive: bool = False) -> Event:
        return self._context.event(event or self._control.event.type, change=make_distinctive if distinctive else None)

    async def _try(self, form: WrongForm, event: str = "", *, distinctive: bool = False) -> Delivery:
        return await self._deliver(self._event(event, distinctive=distinctive), self._fault(form))

    async def _deliver(self, event: Event, *faults: ChosenFault | str | Mapping[str, Any]) -> Delivery:
        left = self._deadline - monotonic()
        if left <= 0 or self._made >= MOST_DELIVERIES:
            raise _StoppedError("time ran out" if left <= 0 else f"{self._made} deliveries are the limit")
        delivery = await self._context.deliver(event, *faults, timeout=min(left, self._context.timeout), patient=False)
        where = self._context.outside(delivery)
        if where:
            raise _StoppedError(f"the consumer is at {where} now, and wrong forms go to private addresses only")
        if delivery.error is not None and delivery.error.kind in NEVER_CONNECTED:
            raise _StoppedError(f"it is gone after {self._made} deliveries ({delivery.error.message})")
        if status_of(delivery) == 429:
            raise _StoppedError("it answers 429: it limits how often events may arrive")
        return delivery

    def _fault(self, form: WrongForm) -> ChosenFault:
        def apply(draft: Draft) -> None:
            headers = form.sign(self._signed(draft.event), draft.secret) or ()
            draft.set_header(SIGNATURE_HEADER)
            draft.headers += [(name, value.encode("ascii")) for name, value in headers]

        return defect(form.name, "headers", apply)

    def _signed(self, event: Event) -> Signed:
        return Signed(event.payload, f"msg_{self._context.seed}_{len(self._context.deliveries)}", int(time.time()))

    def _alike(self, one: Delivery, other: Delivery) -> bool:
        """Whether two deliveries were answered in the same way."""
        if one.delivered or other.delivered:
            return one.delivered and other.delivered
        return self._look(one) == self._look(other)

    def _look(self, delivery: Delivery) -> object:
        if delivery.error is not None:
            return delivery.error.kind
        return comparable(delivery) if self._repeats else status_of(delivery)


def _reaction(delivery: Delivery) -> str:
    """What came back, as a participle: ``answered 401``."""
    return answer_of(delivery).replace("gave no answer", "not answered")
