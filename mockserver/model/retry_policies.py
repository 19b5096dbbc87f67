"""Retry policies: when a delivery that failed is attempted again, and when a webhook is given up.

A policy is data. The named ones, with their sources, are in ``data/retry_policies.json``; scripts and the command line
name one of them, change one, or write a schedule of their own.
"""

from __future__ import annotations

import random
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.model.durations import parse_duration
from mockserver.model.fields import Duration, Schema
from mockserver.model.records import Attempt
from mockserver.model.retry_after import requested_wait
from mockserver.model.suggestions import did_you_mean, listed

#: The named policies, in the order of their data file.
POLICY_NAMES = ("none", "standard_webhooks", "svix", "shopify", "stripe", "github", "three_attempts")

#: More attempts of one delivery than this are a typing error.
MOST_ATTEMPTS = 100

#: The errors that no policy retries: the first would be refused again, the second is the end of the replay.
_NEVER_RETRIED = frozenset({"address", "stopped"})

_STATUS_CLASSES = ("3xx", "4xx", "5xx")
_STATUS = "[345][0-9]{2}"
_ON_FORMS = f"{listed([*_STATUS_CLASSES, 'network'])}, or a status from 300 to 599"
_SCHEDULE_FORM = "a schedule is the waits before each attempt, such as [0s, 1s, 4s]"


class RetryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a delivery that failed is attempted again.

    Args:
        name: Its name, as scripts say it.
        delays: Seconds from the end of each attempt to the next one; empty for a single attempt.
        jitter: A delay is multiplied by a factor drawn evenly from ``1 - jitter`` to ``1 + jitter``; 0 to 1.
        timeout: Seconds that an attempt may take; None for what the settings say.
        retry_on: What is retried: a class of statuses such as ``5xx``, a status such as ``429``, or ``network`` for
            every error that leaves no complete answer, but for a refused address and the end of the replay.
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
        """Return how long to wait before the next attempt.

        Args:
            attempts: The attempts of the delivery so far.
            chance: Where jitter comes from; seeded, the waits repeat. A policy without jitter draws nothing.

        Returns:
            Seconds from the end of the last attempt, 0 before the first one; None when there is no further attempt.
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

        Args:
            attempts: The attempts of that delivery.
            failures_in_a_row: How many deliveries to the webhook failed one after another, this one included.
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
    """Read the policy that a script or the command line means.

    Args:
        value: The name of a policy; a schedule, as a list of durations or as the text ``0s,1s,4s``; or an object with
            a ``schedule`` or the ``policy`` to change, and any of the other keys.
        named: The policies that there are, by name.

    Returns:
        The policy.

    Raises:
        ValueError: It is none of these; the message says what is wrong, what is allowed and what was probably meant.
    """
    if isinstance(value, str):
        return _schedule_text(value) if re.match(r"[\s\[]*[0-9]", value) else _named(value, named)
    if isinstance(value, (list, tuple)):
        return _own(value)
    if isinstance(value, Mapping):
        return _object(value, named)
    raise ValueError(
        f"{_shown(value)} is no retry policy; allowed are a name ({listed(named)}), a schedule such as [0s, 1s, 4s], "
        f"or an object such as {{policy: {next(iter(named))}, timeout: 1s}}"
    )


def _named(name: str, named: Mapping[str, RetryPolicy]) -> RetryPolicy:
    if name in named:
        return named[name]
    hint = _hint(name, named)
    raise ValueError(
        f"there is no retry policy {_shown(name)}; there are {', '.join(named)}, "
        f"or a schedule such as [0s, 1s, 4s]{hint}"
    )


def _schedule_text(text: str) -> RetryPolicy:
    return _own([part.strip() for part in text.strip().removeprefix("[").removesuffix("]").split(",")])


def _own(schedule: Any) -> RetryPolicy:
    return RetryPolicy(name="schedule", delays=_delays(schedule))


def _object(value: Mapping[Any, Any], named: Mapping[str, RetryPolicy]) -> RetryPolicy:
    for key in value:
        if key != "policy" and key not in _KEYS:
            allowed = ["policy", *_KEYS]
            hint = _hint(key, allowed)
            raise ValueError(f"unknown key {_shown(key)} in a retry policy; allowed are {listed(allowed)}{hint}")
    changes = {field: read(value[key]) for key, (field, read) in _KEYS.items() if key in value}
    if "policy" in value:
        name = value["policy"]
        if not isinstance(name, str):
            raise ValueError(f"policy: {_shown(name)} is not the name of a retry policy; there are {', '.join(named)}")
        base = _named(name, named)
        # Its source says something else now, and a record of it must not pass for the original.
        return msgspec.structs.replace(base, **changes, name=f"{name}, changed") if changes else base
    if "schedule" not in value:
        raise ValueError("a retry policy needs a schedule such as [0s, 1s, 4s], or the policy to change")
    return RetryPolicy(name="schedule", **changes)


def _delays(schedule: Any) -> tuple[float, ...]:
    if not isinstance(schedule, (list, tuple)) or not schedule:
        raise ValueError(f"schedule: {_shown(schedule)} is no list of durations; {_SCHEDULE_FORM}")
    if len(schedule) > MOST_ATTEMPTS:
        raise ValueError(f"schedule: {len(schedule)} attempts are more than the {MOST_ATTEMPTS} that are allowed")
    first, *delays = (_duration(f"entry {number} of the schedule", wait) for number, wait in enumerate(schedule, 1))
    if first:
        raise ValueError(f"schedule: the first attempt waits for nothing, so its entry must be 0; {_SCHEDULE_FORM}")
    return tuple(delays)


def _duration(place: str, value: Any) -> float:
    try:
        return parse_duration(value if isinstance(value, (str, int, float)) else _shown(value))
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _retry_on(value: Any) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and value:
        return tuple(map(_outcome, value))
    raise ValueError(f"on: {_shown(value)} is no list such as [5xx, 429, network]; allowed in it are {_ON_FORMS}")


def _outcome(value: Any) -> str:
    text = str(value) if isinstance(value, int) and 300 <= value <= 599 else value
    if isinstance(text, str) and (text in (*_STATUS_CLASSES, "network") or re.fullmatch(_STATUS, text)):
        return text
    hint = _hint(text, [*_STATUS_CLASSES, "network"])
    raise ValueError(f"on: {_shown(value)} is nothing that can be retried; allowed are {_ON_FORMS}{hint}")


def _jitter(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"jitter: {_shown(value)} is not a number from 0 to 1, such as 0.2 for 20 % more or less")
    return float(value)


def _timeout(value: Any) -> float | None:
    if value is None:
        return None
    seconds = _duration("timeout", value)
    if not seconds:
        raise ValueError("timeout: no attempt can be answered in no time; null takes the time-out of the settings")
    return seconds


def _deactivate_after(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError(f"deactivate_after: {_shown(value)} is not a whole number from 1; null deactivates never")


def _flag(key: str) -> Callable[[Any], bool]:
    def read(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValueError(f"{key}: {_shown(value)} is neither true nor false")

    return read


def _hint(value: Any, allowed: Iterable[str]) -> str:
    # Cut, for comparing takes long with a text that is no word at all.
    return did_you_mean(value[:64], allowed) if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    return reprlib.repr(value)


#: The keys of an object: the field that each one sets, and how its value is read.
_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "schedule": ("delays", _delays),
    "on": ("retry_on", _retry_on),
    "jitter": ("jitter", _jitter),
    "timeout": ("timeout", _timeout),
    "gone_deactivates": ("gone_deactivates", _flag("gone_deactivates")),
    "obeys_retry_after": ("obeys_retry_after", _flag("obeys_retry_after")),
    "deactivate_after": ("deactivate_after", _deactivate_after),
}


def retry_schema(names: Iterable[str]) -> Schema:
    """Return the JSON Schema of what :func:`read_retry` accepts.

    Args:
        names: The names of the policies that there are.
    """
    name = {"enum": list(names)}
    duration = Duration().schema()
    schedule = {
        "type": "array",
        "description": "the waits before each attempt; the first is 0",
        "items": duration,
        "minItems": 1,
        "maxItems": MOST_ATTEMPTS,
        "examples": [["0s", "1s", "4s"]],
    }
    text = {"type": "string", "pattern": r"^[\s\[]*[0-9]", "examples": ["0s,1s,4s"]}
    return {"anyOf": [name, schedule, text, _object_schema(name, schedule, duration)]}


def _object_schema(name: Schema, schedule: Schema, duration: Schema) -> Schema:
    outcome = {
        "anyOf": [
            {"type": "string", "pattern": f"^({'|'.join(_STATUS_CLASSES)}|network|{_STATUS})$"},
            {"type": "integer", "minimum": 300, "maximum": 599},
        ]
    }
    properties: dict[str, Schema] = {
        "policy": name | {"description": "the named policy that the other keys change"},
        "schedule": schedule,
        "on": {"type": "array", "description": "what is retried", "items": outcome, "minItems": 1},
        "jitter": {"type": "number", "description": "0.2: a wait is up to 20 % longer or shorter"}
        | {"minimum": 0, "maximum": 1},
        "timeout": {"description": "how long an attempt may take", "anyOf": [duration, {"type": "null"}]},
        "gone_deactivates": {"type": "boolean", "description": "whether a 410 deactivates the webhook"},
        "obeys_retry_after": {"type": "boolean", "description": "whether Retry-After lengthens the wait"},
        "deactivate_after": {"type": ["integer", "null"], "minimum": 1}
        | {"description": "how many failed deliveries in a row deactivate the webhook"},
    }
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": ["policy"]}, {"required": ["schedule"]}],
    }
