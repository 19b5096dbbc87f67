"""Every check, in the order in which they are made: the harmless ones first, what may break the consumer last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mockserver.checks.body import BODY_CHECKS
from mockserver.checks.endpoint import ANSWER_TIME, BY_THE_CONTROL, ENDPOINT_CHECKS, LEAK_CHECKS, STILL_WELL, SURVIVES
from mockserver.checks.idempotency import EFFECT_CHECKS, FAILURE_CHECKS
from mockserver.checks.model import Check
from mockserver.checks.order import ORDER_CHECKS
from mockserver.checks.signature import SIGNATURE_CHECKS
from mockserver.checks.transport import TRANSPORT_CHECKS
from mockserver.errors import UsageError
from mockserver.model.wording import did_you_mean

UNTESTED = (
    Check(
        id="PG090",
        name="constant_time_comparison",
        severity="note",
        sends="Nothing: differences of nanoseconds cannot be measured reliably over HTTP.",
        good="`hmac.compare_digest`, `crypto.timingSafeEqual` or the like",
        why="A comparison that stops at the first wrong digit shows an attacker how much of a guess was right.",
        fix="look at the code: the comparison must take constant time",
    ),
    Check(
        id="PG091",
        name="starts_without_secret",
        severity="note",
        sends="Nothing: the consumer would have to be started without its secret.",
        good="it refuses to start, or refuses every event",
        why="`os.environ.get('SECRET', '')` yields an empty key where the variable is missing, and anyone can sign.",
        fix="start the consumer once without its secret, and send an event signed with the empty one",
    ),
    Check(
        id="PG092",
        name="registers_once",
        severity="note",
        sends="Nothing: the consumer would have to be started twice.",
        good="one webhook, however often it starts",
        why="A consumer that registers at every start gets every event as many times as it was deployed.",
        fix="start it twice against `mockserver serve`, and look at GET /_mock/webhooks",
    ),
)


_ALL = (
    *BY_THE_CONTROL,
    ANSWER_TIME,
    *ENDPOINT_CHECKS,
    *EFFECT_CHECKS,
    *ORDER_CHECKS,
    *SIGNATURE_CHECKS,
    *BODY_CHECKS,
    *TRANSPORT_CHECKS,
    *FAILURE_CHECKS,
    *LEAK_CHECKS,
    SURVIVES,
    STILL_WELL,
    *UNTESTED,
)

#: The checks by id, in the order in which they are made.
CHECKS: Mapping[str, Check] = MappingProxyType({check.id: check for check in _ALL})


def chosen_checks(only: Iterable[str] = (), skip: Iterable[str] = ()) -> tuple[Check, ...]:
    """Return the checks to make. The control is always among them: nothing can be judged without it.

    Raises UsageError.
    """
    wanted = {_found(name).id for name in only} or set(CHECKS)
    left = wanted - {_found(name).id for name in skip}
    if not left:
        raise UsageError("no check is left: see only and skip")
    return tuple(check for check in CHECKS.values() if check.id in left or check.id == "PG001")


def _found(name: str) -> Check:
    for check in CHECKS.values():
        if name.upper() == check.id or name.lower().replace(" ", "_").replace("-", "_") == check.name:
            return check
    known = [*CHECKS, *(check.name for check in CHECKS.values())]
    raise UsageError(f"no check {name!r}; `mockserver check --list` shows them all{did_you_mean(name, known)}")
