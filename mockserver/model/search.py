"""The search language for deliveries: one for the control API, Python and the dashboard.

Terms are separated by spaces, and all of them must match. A word matches bodies: the payload, what was sent, what came
back. ``key:value`` matches a property of the delivery. ``-`` before a term negates it, quotes keep spaces together:

.. code-block:: text

    event:run.failed status:4xx -fault:wrong_secret attempts:>1 "refund flow"
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from mockserver.errors import UsageError
from mockserver.model.expectations import matches_status
from mockserver.model.quantities import format_duration, parse_duration
from mockserver.model.records import RESENT, Delivery
from mockserver.model.wording import did_you_mean, shown

#: The longest search, in characters, and the most terms in it.
LONGEST_SEARCH = 2000
MOST_TERMS = 50

#: How many near misses an explanation shows.
_NEAREST = 3

#: Names whose values a caller may know, so that a typing error is one: events and faults.
Known = Mapping[str, Collection[str]]

_TERM = re.compile(r'\s*(?P<minus>-?)(?:(?P<key>[A-Za-z_]+):)?(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]\S*)(?=\s|$)')
_COMPARISON = re.compile(r"(>=|<=|>|<|=?)(.+)")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq, "": operator.eq,
}  # fmt: skip
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|[xX]{2})")

Fits = Callable[[Delivery], bool]


def _status(delivery: Delivery) -> int | None:
    return delivery.response.status if delivery.response else None


def _took(delivery: Delivery) -> float | None:
    return delivery.attempts[-1].exchange.total_ms / 1000 if delivery.attempts else None


#: What can follow ``is:``.
STATES: Mapping[str, Fits] = {
    "pending": lambda delivery: delivery.outcome == "pending",
    "delivered": lambda delivery: delivery.outcome == "delivered",
    "failed": lambda delivery: delivery.outcome == "failed",
    "unmet": lambda delivery: bool(delivery.unmet),
    "retried": lambda delivery: len(delivery.attempts) > 1,
    "resent": lambda delivery: delivery.source.startswith(RESENT),
    "faulty": lambda delivery: bool(delivery.faults),
}


class Term(msgspec.Struct, frozen=True):
    """One condition: a property (empty for a word), what ``fits`` it, and whether that is negated."""

    text: str
    key: str
    fits: Fits
    negated: bool = False

    def matches(self, delivery: Delivery) -> bool:
        """Whether a delivery meets the condition."""
        return self.fits(delivery) != self.negated


class Search(msgspec.Struct, frozen=True):
    """What deliveries are looked for: those that meet all terms, of one account or of all (None)."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    account: str | None = None

    def matches(self, delivery: Delivery) -> bool:
        """Whether a delivery is looked for."""
        return self.sees(delivery.account) and all(term.matches(delivery) for term in self.terms)

    def sees(self, account: str) -> bool:
        """Whether what belongs to an account is looked at."""
        return self.account in (None, account)

    def misses(self, delivery: Delivery) -> list[str]:
        """Return a sentence for each term that a delivery does not match."""
        return [_miss(term, delivery) for term in self.terms if not term.matches(delivery)]


class NearMiss(msgspec.Struct, frozen=True):
    """A delivery that was not looked for, and a sentence for each term that it does not match."""

    delivery: Delivery
    reasons: tuple[str, ...]


def nearest_misses(search: Search, deliveries: Iterable[Delivery], most: int = _NEAREST) -> tuple[NearMiss, ...]:
    """Return the deliveries that fail the fewest terms, the nearest first, and of equals the newest."""
    own = (each for each in deliveries if search.sees(each.account))
    missed = [(misses, each) for each in own if (misses := search.misses(each))]
    missed.sort(key=lambda pair: (len(pair[0]), -pair[1].number))
    return tuple(NearMiss(delivery, tuple(misses)) for misses, delivery in missed[:most])


def read_search(text: str, known: Known | None = None) -> Search:
    """Read a search as a person writes it, given the values that ``event`` and ``fault`` can have.

    A key that is left out of ``known`` takes any value. Raises a UsageError if the search cannot be read, or names a
    key or a value that does not exist.
    """
    if len(text) > LONGEST_SEARCH:
        raise UsageError(f"a search has at most {LONGEST_SEARCH} characters, not {len(text)}")
    terms: list[Term] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TERM.match(text, position)
        if match is None or match["value"] == "-":
            rest = text[position:].strip()
            why = "a quote is not closed" if '"' in rest else "there is nothing after the minus"
            raise UsageError(f"the search cannot be read at {shown(rest)}: {why}")
        terms.append(_term(match, known or {}))
        position = match.end()
        if len(terms) > MOST_TERMS:
            raise UsageError(f"a search has at most {MOST_TERMS} terms")
    return Search(text, tuple(terms))


def _term(match: re.Match[str], known: Known) -> Term:
    key, value = (match["key"] or "").lower(), match["value"]
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    text = match[0].strip()
    if key and key not in _KEYS:
        hint = did_you_mean(key, _KEYS)
        raise UsageError(
            f"unknown key {shown(key)} in the search; there are {', '.join(_KEYS)}{hint} "
            f'(to look for the text itself, quote it: "{text[:40]}")'
        )
    try:
        fits = _KEYS[key](value, known.get(key, ())) if key else _word(value)
    except ValueError as error:
        raise UsageError(f"{shown(text)} in the search: {error}") from None
    return Term(text, key, fits, bool(match["minus"]))


# --- what each key does with its value


def _word(word: str) -> Fits:
    needle = word.encode("utf-8", "surrogateescape").lower()

    def fits(delivery: Delivery) -> bool:
        if needle in delivery.event.payload.lower():
            return True
        for attempt in delivery.attempts:
            sent = attempt.request.body if attempt.request else b""
            if sent is not delivery.event.payload and needle in sent.lower():
                return True
            if attempt.response and needle in attempt.response.body.lower():
                return True
        return False

    return fits


def _choices(value: str, known: Collection[str], what: str) -> list[str]:
    """The names of a value with commas; each may have ``*`` in it."""
    names = [name for name in value.split(",") if name]
    if not names:
        raise ValueError(f"name {what}")
    for name in names:
        if known and not any(fnmatchcase(each, name) for each in known):
            raise ValueError(
                f"there is no {what} {shown(name)}; there are {', '.join(known)}{did_you_mean(name, known)}"
            )
    return names


def _is_one_of(name: str, wanted: Sequence[str]) -> bool:
    return any(fnmatchcase(name, each) for each in wanted)


def _by_event(value: str, known: Collection[str]) -> Fits:
    names = _choices(value, known, "event")
    return lambda delivery: _is_one_of(delivery.event.type, names)


def _by_fault(value: str, known: Collection[str]) -> Fits:
    names = _choices(value, known, "fault")
    return lambda delivery: any(_is_one_of(fault, names) for fault in delivery.faults)


def _by_webhook(value: str, _: Collection[str]) -> Fits:
    names = _choices(value, (), "webhook")
    return lambda delivery: _is_one_of(delivery.webhook_id, names)


def _by_id(value: str, _: Collection[str]) -> Fits:
    names = _choices(value, (), "delivery")
    return lambda delivery: _is_one_of(delivery.delivery_id, names)


def _by_state(value: str, _: Collection[str]) -> Fits:
    states = [STATES[name] for name in _choices(value.lower(), STATES, "state")]
    return lambda delivery: any(state(delivery) for state in states)


def _by_status(value: str, _: Collection[str]) -> Fits:
    compare = _COMPARISON.fullmatch(value)
    if compare and compare[1] and compare[2].isdecimal() and len(compare[2]) <= 3:
        test, number = _OPERATORS[compare[1]], int(compare[2])
        return lambda delivery: (status := _status(delivery)) is not None and test(status, number)
    wanted = value.lower().split(",")
    for each in wanted:
        if each != "none" and not _STATUS.fullmatch(each):
            raise ValueError("a status is 401, a class such as 4xx, a comparison such as >=500, or none")

    def fits(delivery: Delivery) -> bool:
        status = _status(delivery)
        return "none" in wanted if status is None else matches_status(wanted, status)

    return fits


def _by_text_of(read: Callable[[Delivery], str]) -> Callable[[str, Collection[str]], Fits]:
    """A key whose value may occur anywhere in a text, in capitals or not."""

    def by_text(value: str, _: Collection[str]) -> Fits:
        needle = value.lower()
        return lambda delivery: needle in read(delivery).lower()

    return by_text


def _error_text(delivery: Delivery) -> str:
    return f"{delivery.error.kind} {delivery.error.message}" if delivery.error else ""


def _by_attempts(value: str, _: Collection[str]) -> Fits:
    sign, digits = _compared(value)
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 9):
        raise ValueError("give a number of attempts such as 2 or >1")
    test, number = _OPERATORS[sign], int(digits)
    return lambda delivery: test(len(delivery.attempts), number)


def _by_duration(value: str, _: Collection[str]) -> Fits:
    sign, text = _compared(value)
    test, seconds = _OPERATORS[sign], parse_duration(text)
    return lambda delivery: (took := _took(delivery)) is not None and test(took, seconds)


def _compared(value: str) -> tuple[str, str]:
    match = _COMPARISON.fullmatch(value)
    return (match[1], match[2]) if match else ("", value)


_KEYS: Mapping[str, Callable[[str, Collection[str]], Fits]] = {
    "event": _by_event,
    "status": _by_status,
    "is": _by_state,
    "fault": _by_fault,
    "webhook": _by_webhook,
    "url": _by_text_of(lambda delivery: delivery.url),
    "attempts": _by_attempts,
    "took": _by_duration,
    "error": _by_text_of(_error_text),
    "source": _by_text_of(lambda delivery: delivery.source),
    "id": _by_id,
}

#: Every key, with an example and what it means: for the documentation, the page and error messages.
KEYS: Mapping[str, tuple[str, str]] = {
    "event": ("event:run.failed", "the event type; event:run.* for several"),
    "status": ("status:4xx", "the status of the last answer: 401, 4xx, >=500, or none"),
    "is": ("is:failed", "pending, delivered, failed, unmet (not what its step expects), retried, resent or faulty"),
    "fault": ("fault:wrong_secret", "a deliberate defect"),
    "webhook": ("webhook:wh_abc123", "the webhook it goes to"),
    "url": ("url:localhost:3000", "text in the URL it goes to"),
    "attempts": ("attempts:>1", "how many attempts were made"),
    "took": ("took:>500ms", "how long the last attempt took"),
    "error": ("error:timeout", "text in the reason why there is no answer"),
    "source": ("source:refund", "text in its cause: a script and line, send, or resend of a delivery"),
    "id": ("id:dlv_000001", "its id"),
}


# --- why not

_ACTUAL: Mapping[str, Callable[[Delivery], str]] = {
    "event": lambda delivery: f"its event is {delivery.event.type}",
    "status": lambda delivery: f"its status is {_status(delivery) or 'none'}",
    "is": lambda delivery: f"it is {', '.join(name for name, fits in STATES.items() if fits(delivery))}",
    "fault": lambda delivery: f"its faults are {', '.join(delivery.faults)}" if delivery.faults else "it has no fault",
    "webhook": lambda delivery: f"its webhook is {delivery.webhook_id}",
    "url": lambda delivery: f"its URL is {delivery.url}",
    "attempts": lambda delivery: f"attempts made: {len(delivery.attempts)}",
    "took": lambda delivery: _spoken_time(_took(delivery)),
    "error": lambda delivery: f"its error is {delivery.error.message}" if delivery.error else "it has no error",
    "source": lambda delivery: f"its source is {delivery.source}",
    "id": lambda delivery: f"its id is {delivery.delivery_id}",
}


def _spoken_time(seconds: float | None) -> str:
    return "it was not attempted" if seconds is None else f"it took {format_duration(seconds)}"


def _miss(term: Term, delivery: Delivery) -> str:
    if term.key:
        return f"{term.text}: {_ACTUAL[term.key](delivery)}"
    return f"{term.text}: {'a' if term.negated else 'no'} body has it"
