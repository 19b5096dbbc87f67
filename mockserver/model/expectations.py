"""Expectations: what a step says the consumer must answer, and the judgement of what it did answer.

Without an expectation, an ordinary event must be delivered (2xx), one with a defective signature must be refused
(4xx), and any other fault is on record but not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

import msgspec

from mockserver.model.json_values import NotJsonError, decode_json
from mockserver.model.messages import Response
from mockserver.model.quantities import format_duration, format_excess
from mockserver.model.records import Delivery
from mockserver.model.wording import shown

#: Any answer or none will do.
UNJUDGED: tuple[str, ...] = ("any",)

_NOTHING = object()


class BodyExpectation(msgspec.Struct, frozen=True):
    """What the body of the answer must be: the whole text, or a text or JSON that occurs in it.

    JSON objects may have more keys than are expected. None, or an absent ``json``, does not matter.
    """

    equals: str | None = None
    contains: str | None = None
    json: Any = msgspec.UNSET


class Effect(msgspec.Struct, frozen=True):
    """A change of the consumer's own state, seen by a probe before and after a step.

    The probe is a GET of ``url``, in whose answer ``json`` is the JSONPath of a value, or a function that the Python
    API registered. The number must have changed by ``change``, or the value be ``to`` afterwards, ``within`` seconds at
    most, for consumers that answer first and work later.
    """

    url: str = ""
    json: str = "$"
    probe: str = ""
    change: float | None = None
    to: Any = msgspec.UNSET
    within: float = 0.0

    def why_not(self, before: Any, after: Any) -> str | None:
        """Say how a change differs from the expected one; None if it does not."""
        if self.change is None:
            return None if same_json(after, self.to) else f"expected the effect {_shown(self.to)}, got {_shown(after)}"
        if not _is_number(before) or not _is_number(after):
            return f"expected a number before and after, got {_shown(before)} and {_shown(after)}"
        change = after - before
        # Decimal fractions are not exact: the difference of 0.3 and 0.1 is not quite 0.2.
        tolerance = 0.0 if isinstance(change, int) else max(abs(before), abs(after)) * 1e-15
        if abs(change - self.change) <= tolerance:
            return None
        seen = f"got {change:+.15g} (from {before:.15g} to {after:.15g})"
        return f"expected an effect of {self.change:+.15g}, {seen}"


class Expectation(msgspec.Struct, frozen=True):
    """What the consumer must answer.

    ``status`` is any of these: ``401``, ``4xx``, ``any``; empty is the default for the step's faults. ``attempts`` says
    after how many it must have succeeded; ``effect`` is that of the whole step. None does not matter; the rest concerns
    the last answer.
    """

    status: tuple[str, ...] = ()
    within: float | None = None
    body: BodyExpectation | None = None
    headers: Mapping[str, str] = {}
    attempts: int | None = None
    effect: Effect | None = None


#: What is expected of an ordinary event: that it is delivered, and nothing else.
DELIVERED = Expectation(status=("2xx",))


def default_status(*, signature_fault: bool, other_fault: bool) -> tuple[str, ...]:
    """Return the statuses that are expected when a step does not say, by the kinds of fault that it has."""
    if signature_fault:
        return ("4xx",)
    return UNJUDGED if other_fault else ("2xx",)


def judge(expectation: Expectation, delivery: Delivery) -> list[str]:
    """Return a sentence for each point in which a delivery, now that it is over, does not meet an expectation."""
    response = delivery.response if delivery.error is None else None
    unmet = _judge_status(expectation.status, delivery, response)
    if expectation.attempts is not None and (not delivery.delivered or len(delivery.attempts) != expectation.attempts):
        made = f"{len(delivery.attempts)} without success" if not delivery.delivered else str(len(delivery.attempts))
        unmet.append(f"expected success after {expectation.attempts} attempts, got {made}")
    if response is None:
        return unmet
    took = delivery.attempts[-1].exchange.total_ms / 1000
    if expectation.within is not None and took > expectation.within:
        limit, late = format_duration(expectation.within), format_excess(took, expectation.within)
        unmet.append(f"expected an answer within {limit}, got it after {late}")
    for name, value in expectation.headers.items():
        given = [actual for key, actual in response.headers if key == name.lower()]
        if value not in given:
            unmet.append(f"expected the header {name}: {value}, got {', '.join(given) or 'none'}")
    return unmet + (_judge_body(expectation.body, response) if expectation.body else [])


#: What an answer to a correctly signed event mostly means, where its author had not meant it.
_USUAL = {
    401: "its signature is right: compare the secret that is registered with that of the application, which must "
    "verify the bytes of the body as they came",
    404: "compare the path that is registered with that of the application",
    405: "the application takes no POST at this path",
    415: "the application reads another content type than application/json",
    422: "the application parses the body before it verifies it, and expects other fields",
}


def usual_cause(status: int) -> str:
    """Return what to look at first where an event without faults got this answer; empty if there is nothing to say."""
    return _USUAL.get(status, "")


def matches_status(wanted: Sequence[str], status: int) -> bool:
    """Return whether a status is one of those wanted: ``401``, a class such as ``4xx``, or ``any``."""
    return any(each in ("any", str(status), f"{status // 100}xx") for each in wanted)


def _judge_status(wanted: Sequence[str], delivery: Delivery, response: Response | None) -> list[str]:
    if "any" in wanted:
        return []
    if response is None:
        result = delivery.attempts[-1].result if delivery.attempts else "no attempt"
        return [f"expected status {' or '.join(wanted)}, got no answer: {result}"]
    if matches_status(wanted, response.status):
        return []
    return [f"expected status {' or '.join(wanted)}, got {response.status}"]


def _judge_body(expected: BodyExpectation, response: Response) -> list[str]:
    unmet = []
    if expected.equals is not None and response.text != expected.equals:
        unmet.append(f"expected the body {_shown(expected.equals)}, got {_shown(response.text)}")
    if expected.contains is not None and expected.contains not in response.text:
        unmet.append(f"expected a body that contains {_shown(expected.contains)}, got {_shown(response.text)}")
    if expected.json is not msgspec.UNSET:
        try:
            actual = decode_json(response.body)
        except NotJsonError as error:
            return [*unmet, f"expected a JSON body, got {_shown(response.text)} ({error})"]
        difference = json_difference(expected.json, actual)
        unmet += [f"expected another JSON body: {difference}"] if difference else []
    return unmet


def json_difference(expected: Any, actual: Any, where: str = "$") -> str | None:
    """Return the first difference between JSON values; objects may have more keys than expected. None if none."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        parts = ((value, actual.get(key, _NOTHING), f"{where}.{key}") for key, value in expected.items())
        return next(filter(None, starmap(json_difference, parts)), None)
    if isinstance(expected, (list, tuple)) and isinstance(actual, list) and len(expected) == len(actual):
        parts = ((value, actual[index], f"{where}[{index}]") for index, value in enumerate(expected))
        return next(filter(None, starmap(json_difference, parts)), None)
    if same_json(actual, expected):
        return None
    return f"{where} is {'missing' if actual is _NOTHING else _shown(actual)}, not {_shown(expected)}"


def same_json(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1, but 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return shown(value, 200)
