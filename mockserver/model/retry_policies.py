"""Retry policies: when a delivery that failed is attempted again, and when a webhook is given up.

A policy is data. The named ones, with their sources, are in ``data/retry_policies.json``; scripts and the command line
name one of them, change one, or write a schedule of their own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import msgspec

from mockserver.model.fields import (
    INVALID,
    Duration,
    Field,
    Fields,
    Kind,
    ListOf,
    Node,
    Number,
    OrNull,
    Reading,
    Schema,
    Whole,
    YesOrNo,
    described,
    hint_for,
    object_schema,
    read_object,
    read_plain,
)
from mockserver.model.messages import Headers
from mockserver.model.records import Attempt
from mockserver.model.settings import NO_RETRIES
from mockserver.model.wording import listed

#: The longest wait that a header can ask for, in seconds: one day.
LONGEST_WAIT = 86400.0

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

#: The three spellings of RFC 9110, section 5.6.7, all of which a recipient must read.
_SPELLINGS = (
    rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


def requested_wait(headers: Headers, at: float) -> float:
    """Return how many seconds an answer's Retry-After asks to wait, at most :data:`LONGEST_WAIT` (RFC 9110, 10.2.3).

    The header is the consumer's, so nothing in it can raise: what is not a number of seconds or an HTTP date asks for
    nothing. A date counts from the answer's own Date header, so that a consumer whose clock differs from the mock's
    gets the wait it means; without one, from ``at``, when the attempt was made.
    """
    value = _first(headers, "retry-after")
    if re.fullmatch("[0-9]+", value):
        # As a float: Python refuses to make an int of thousands of digits.
        return min(float(value), LONGEST_WAIT)
    until = _http_date(value)
    if until is None:
        return 0.0
    answered = _http_date(_first(headers, "date"))
    return min(max(until - (at if answered is None else answered), 0.0), LONGEST_WAIT)


def _first(headers: Headers, name: str) -> str:
    return next((value.strip() for key, value in headers if key.lower() == name), "")


def _http_date(value: str) -> float | None:
    """Read an HTTP date as seconds since 1970. By hand: strptime depends on the locale, and email.utils can raise."""
    match = next(filter(None, (re.fullmatch(spelling, value) for spelling in _SPELLINGS)), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"]),
            tzinfo=timezone.utc,
        )
    except ValueError:  # the calendar has no such day, or the day no such time
        return None
    return moment.timestamp()


#: The named policies, in the order of their data file.
POLICY_NAMES = (NO_RETRIES, "standard_webhooks", "svix", "shopify", "stripe", "github", "three_attempts")

#: More attempts of one delivery than this are a typing error.
MOST_ATTEMPTS = 100

#: The errors that no policy retries: the first would be refused again, the second is the end of the replay.
_NEVER_RETRIED = frozenset({"address", "stopped"})

_STATUS_CLASSES = ("3xx", "4xx", "5xx")
_OUTCOME = f"{'|'.join(_STATUS_CLASSES)}|network|[345][0-9]{{2}}"
_SCHEDULE_FORM = "a schedule is the waits before each attempt, such as [0s, 1s, 4s]"


class RetryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a delivery that failed is attempted again.

    Args:
        name: Its name, as scripts say it.
        delays: Seconds from the end of each attempt to the next one; empty for a single attempt.
        jitter: A delay is multiplied by a factor drawn evenly from ``1 - jitter`` to ``1 + jitter``; 0 to 1.
        timeout: Seconds that an attempt may take; None for what the settings say.
        retry_on: What is retried: a class of statuses such as ``5xx``, a status such as ``429``, or ``network`` for
            every error that leaves no complete answer, except a refused address and the end of the replay.
        gone_deactivates: Whether a 410 ends the delivery and deactivates the webhook.
        obeys_retry_after: Whether the Retry-After header of an answer lengthens the wait, up to one day.
        deactivate_after: How many failed deliveries in a row deactivate the webhook; None for never.
        source: Where the numbers come from: a URL of the sender's documentation.
        date: When they were taken from there, as ``YYYY-MM-DD``.
        note: What of it is ours, where the source leaves something open.
    """

    name: str
    delays: tuple[float, ...]
    jitter: float = 0.0
    timeout: float | None = None
    retry_on: tuple[str, ...] = ("5xx", "4xx", "3xx", "network")
    gone_deactivates: bool = False
    obeys_retry_after: bool = False
    deactivate_after: int | None = None
    source: str = ""
    date: str = ""
    note: str = ""

    @property
    def max_attempts(self) -> int:
        """How many attempts a delivery has at most."""
        return len(self.delays) + 1

    def wait_before_next(self, attempts: Sequence[Attempt], chance: random.Random) -> float | None:
        """Return the seconds from the end of the last attempt to the next, 0 before the first; None for no next.

        Jitter is drawn from ``chance``; a policy without jitter draws nothing.
        """
        if not attempts:
            return 0.0
        last = attempts[-1]
        if len(attempts) > len(self.delays) or not self._retries(last):
            return None
        delay = self.delays[len(attempts) - 1]
        if self.jitter:
            delay *= chance.uniform(1 - self.jitter, 1 + self.jitter)
        return max(delay, self._requested_wait(last))

    def deactivates(self, attempts: Sequence[Attempt], failures_in_a_row: int) -> bool:
        """Return whether the webhook is deactivated, now that a delivery has its final outcome.

        ``failures_in_a_row`` counts the failed deliveries to it, one after another, this one included.
        """
        if not attempts or attempts[-1].delivered:
            return False
        if self._is_gone(attempts[-1]):
            return True
        return self.deactivate_after is not None and failures_in_a_row >= self.deactivate_after

    def _retries(self, attempt: Attempt) -> bool:
        return not self._is_gone(attempt) and any(name in self.retry_on for name in _failure_classes(attempt))

    def _is_gone(self, attempt: Attempt) -> bool:
        return self.gone_deactivates and "410" in _failure_classes(attempt)

    def _requested_wait(self, attempt: Attempt) -> float:
        if not self.obeys_retry_after or attempt.error is not None or attempt.response is None:
            return 0.0
        return requested_wait(attempt.response.headers, attempt.at)


def _failure_classes(attempt: Attempt) -> tuple[str, ...]:
    """Return the words of ``retry_on`` that an attempt's failure goes by; none if it is no failure to retry."""
    if attempt.delivered:
        return ()
    if attempt.error is not None and attempt.error.kind in _NEVER_RETRIED:
        return ()
    if attempt.error is not None or attempt.response is None:
        return ("network",)
    status = attempt.response.status
    return (str(status), f"{status // 100}xx")


def read_retry(value: Any, named: Mapping[str, RetryPolicy]) -> RetryPolicy:
    """Read a policy from a plain value, given the policies that may be named.

    It is the name of a policy; a schedule, as a list of durations or as the text ``0s,1s,4s``; or an object with a
    ``schedule`` or the ``policy`` to change, and any of the other keys. A ValueError says what is wrong, what is
    allowed and what was probably meant.
    """
    policy: RetryPolicy = read_plain(value, Retry(), Reading([], policies=named))
    return policy


class _Schedule(Kind):
    """The waits before each attempt."""

    _waits = ListOf(Duration(), non_empty=True, most=MOST_ATTEMPTS)

    def read(self, node: Node, reading: Reading) -> Any:
        waits = self._waits.read(node, reading)
        if waits is INVALID or not waits:
            return INVALID
        if waits[0] and len(waits) == len(node.value):  # type: ignore[arg-type]  # what has waits is a list
            reading.problem(node, f"the first attempt waits for nothing, so its entry must be 0; {_SCHEDULE_FORM}")
            return INVALID
        return waits[1:]

    def schema(self) -> Schema:
        return {**self._waits.schema(), "examples": [["0s", "1s", "4s"]]}


class _Outcome(Kind):
    """What can be retried: a class of statuses, a status, or every error of the network."""

    expected = f"{listed([*_STATUS_CLASSES, 'network'])}, or a status from 300 to 599"

    def read(self, node: Node, reading: Reading) -> Any:
        text = str(node.value) if isinstance(node.value, int) else node.value
        if isinstance(text, str) and re.fullmatch(_OUTCOME, text):
            return text
        hint = hint_for(text, [*_STATUS_CLASSES, "network"])
        reading.problem(node, f"expected {self.expected}, not {described(node)}{hint}")
        return INVALID

    def schema(self) -> Schema:
        return {"type": ["integer", "string"], "minimum": 300, "maximum": 599, "pattern": f"^({_OUTCOME})$"}


class _PolicyName(Kind):
    """The name of a policy."""

    def read(self, node: Node, reading: Reading) -> Any:
        value = node.value
        if isinstance(value, str) and value in reading.policies:
            return reading.policies[value]
        known = ", ".join(reading.policies)
        hint = hint_for(value, reading.policies)
        reading.problem(
            node,
            f"there is no retry policy {described(node)}; there are {known}, or a schedule such as [0s, 1s, 4s]{hint}",
        )
        return INVALID

    def schema(self) -> Schema:
        return {"enum": list(POLICY_NAMES)}


#: The keys of a policy that a script writes out.
POLICY_FIELDS: Fields = {
    "policy": Field(_PolicyName(), "the named policy that the other keys change"),
    "schedule": Field(_Schedule(), "the waits before each attempt; the first is 0"),
    "on": Field(ListOf(_Outcome(), non_empty=True), "what is retried: 5xx, 4xx, 3xx, a status, or network"),
    "jitter": Field(Number(0, 1), "0.2: a wait is up to 20 % longer or shorter"),
    "timeout": Field(OrNull(Duration(0.001)), "how long an attempt may take; null: as the settings say"),
    "gone_deactivates": Field(YesOrNo(), "whether a 410 deactivates the webhook"),
    "obeys_retry_after": Field(YesOrNo(), "whether Retry-After lengthens the wait"),
    "deactivate_after": Field(OrNull(Whole(1)), "how many failed deliveries in a row deactivate the webhook"),
}


class Retry(Kind):
    """A retry policy: the name of one, a schedule, or an object."""

    def read(self, node: Node, reading: Reading) -> Any:
        value = node.value
        if isinstance(value, str) and re.match(r"[\s\[]{0,99}[0-9]", value):
            parts = value.strip().removeprefix("[").removesuffix("]").split(",")
            node = Node(node.line, node.column, [Node(node.line, node.column, part.strip()) for part in parts])
        elif isinstance(value, str):
            return _PolicyName().read(node, reading)
        elif isinstance(value, dict):
            return self._object(node, reading)
        elif not isinstance(value, list):
            allowed = f"a name ({listed(reading.policies)}), a schedule such as [0s, 1s, 4s]"
            changed = "or an object such as {policy: stripe, timeout: 1s}"
            reading.problem(node, f"expected a retry policy: {allowed}, {changed}, not {described(node)}")
            return INVALID
        delays = _Schedule().read(node, reading)
        return delays if delays is INVALID else RetryPolicy(name="schedule", delays=delays)

    def _object(self, node: Node, reading: Reading) -> Any:
        known = len(reading.problems)
        values = read_object(node, POLICY_FIELDS, reading, "a retry policy") or {}
        if len(reading.problems) > known:
            return INVALID
        base = values.pop("policy", None)
        changes = {_FIELD_OF.get(key, key): value for key, value in values.items()}
        if base is not None:
            # Its source says something else now, and a record of it must not pass for the original.
            return msgspec.structs.replace(base, **changes, name=f"{base.name}, changed") if changes else base
        if "delays" not in changes:
            message = "a retry policy needs a schedule such as [0s, 1s, 4s], or the policy to change"
            reading.problem(node, message)
            return INVALID
        return RetryPolicy(name="schedule", **changes)

    def schema(self) -> Schema:
        text = {"type": "string", "pattern": r"^[\s\[]*[0-9]", "examples": ["0s,1s,4s"]}
        written_out = {**object_schema(POLICY_FIELDS), "anyOf": [{"required": ["policy"]}, {"required": ["schedule"]}]}
        return {"anyOf": [_PolicyName().schema(), _Schedule().schema(), text, written_out]}


#: The fields of a policy that scripts know by another name.
_FIELD_OF = {"schedule": "delays", "on": "retry_on"}
