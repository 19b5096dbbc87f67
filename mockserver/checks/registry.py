"""Every check, in the order in which they are made: the harmless ones first, what may break the consumer last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mockserver.checks.body import BODY_CHECKS
from mockserver.checks.endpoint import BY_THE_CONTROL, ENDPOINT_CHECKS, STILL_WELL, SURVIVES
from mockserver.checks.idempotency import EFFECT_CHECKS
from mockserver.checks.model import Check
from mockserver.checks.order import ORDER_CHECKS
from mockserver.checks.response_checks import ANSWER_TIME, LEAK_CHECKS
from mockserver.checks.retry_checks import FAILURE_CHECKS
from mockserver.checks.signature import SIGNATURE_CHECKS
from mockserver.checks.transport import TRANSPORT_CHECKS
from mockserver.checks.untested import UNTESTED
from mockserver.errors import UsageError
from mockserver.model.wording import did_you_mean

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

    Args:
        only: Ids or names of those to make; empty for all.
        skip: Ids or names of those not to make.

    Raises:
        UsageError: There is no such check, or none is left.
    """
    wanted = {_found(name).id for name in only} or set(CHECKS)
    left = wanted - {_found(name).id for name in skip}
    if not left:
        raise UsageError("no check is left: look at only and skip")
    return tuple(check for check in CHECKS.values() if check.id in left or check.id == "PG001")


def _found(name: str) -> Check:
    for check in CHECKS.values():
        if name.upper() == check.id or name.lower().replace(" ", "_").replace("-", "_") == check.name:
            return check
    known = [*CHECKS, *(check.name for check in CHECKS.values())]
    raise UsageError(f"no check {name!r}; `mockserver check --list` shows them all{did_you_mean(name, known)}")
