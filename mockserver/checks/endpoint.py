"""Checks of the endpoint: that a valid event gets there at all, and nothing else does."""

from __future__ import annotations

from mockserver.checks.acceptances import judge_accepted
from mockserver.checks.context import CheckContext, GoneError, Variant, answer_of, status_of
from mockserver.checks.custom_faults import method
from mockserver.checks.model import Check, Judgement
from mockserver.checks.refusals import refusing
from mockserver.model.records import Delivery

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
    fix = f"register {where}, if that is where events are taken, or take them at the registered URL"
    return Judgement("fail", f"a correct event {answer_of(control)}, to {where}", (control,), fix)


async def _nothing_in_front(context: CheckContext) -> Judgement:
    control = context.deliveries[0]
    if control.delivered:
        return Judgement("pass", "a request without cookies, Origin and Referer gets through", (control,))
    status, page = status_of(control), (control.response.body.lower() if control.response else b"")
    login = any(word in page for word in _LOGIN) or any(word in _location(control) for word in (b"login", b"signin"))
    if status == 419 or (status in (302, 303, 307) and login) or (status in (401, 403) and login):
        return Judgement("fail", f"a correct event {answer_of(control)}, with a page for people", (control,))
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
        return Judgement("pass", f"there after each of {len(context.deliveries)} requests")
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
    fix="see the answer: a 404 is another path, a 403 may be something in front; a refused signature is"
    " what --diagnose is for",
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
        why="Senders do not follow redirects, or follow them with GET and without the body. The usual cause is a slash"
        " too many or too few, or http for https.",
        fix="register the URL at which events are really taken",
        procedure=_no_redirect,
    ),
    Check(
        id="PG004",
        name="nothing_in_front",
        severity="must",
        sends="Nothing of its own: it judges the answer to the control, which has no cookies, Origin or Referer.",
        good="2xx",
        why="Middleware made for browsers (CSRF protection, a login) runs before every route of an application, and"
        " turns senders away with 403, 419 or a redirect to a login page.",
        fix="exempt the webhook's route from CSRF protection and login: the signature is its protection",
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
        why="An event type that was never tried fails when the first one comes, in production.",
        fix="handle the event, or take it with a 2xx and ignore it",
        procedure=_every_event_type,
    ),
    Check(
        id="PG005",
        name="other_methods",
        severity="should",
        sends="A valid, signed event with the methods GET and PUT.",
        good="404, 405 or 501, and no effect",
        why="Events are POSTed. What a GET may do can be done by every link and image of a page.",
        fix="route POST only",
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
    sends="Nothing of its own: after each request that may end the consumer, a valid event shows whether it lives.",
    good="the consumer is there after every request",
    why="Requests come from strangers, and connections break. A process that ends at one of them loses every event"
    " until it is started again, and anyone can end it again.",
    fix="send the request below to a consumer that logs to a terminal, and catch what it raises: in Node.js, handle"
    " `error` on the request and the response, and every rejected promise",
    procedure=_survives,
)

STILL_WELL = Check(
    id="PG006",
    name="still_well",
    severity="must",
    sends="A valid event, when all else is over.",
    good="2xx, as at the beginning",
    why="What a check breaks it may break slowly: a pool of connections, a worker that hangs, a disk that is full.",
    fix="see the log of the consumer",
    procedure=_still_well,
)
