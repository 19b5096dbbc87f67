"""The ledger of a load: what was sent, what came of it, and what the consumer made of it in the end.

Every process counts for itself; the master adds up. Counts are of *events* (an event and its deliberate copies are
one), so that the ledger can be held against the consumer's own count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import requests
from locust.web import WebUI

from mockserver.errors import UsageError
from mockserver.model.json_values import find_all


class Counts(msgspec.Struct):
    """What one process has counted so far.

    Args:
        planned: Events that were to be sent.
        sent: Requests that went out, deliberate copies included.
        accepted: Events that were answered as they should be, and none of the following.
        refused_rightly: Forged events that were refused, as they should be.
        failures: Events whose answer was not the expected one, by reason.
        forged_accepted: Forged events answered 2xx.
        not_sent: Events that were planned and not sent, by reason.
        unjudged: Events with a fault of which no one can say what comes of it.
        due: The effects that the consumer must show for what it accepted.
        maybe: The most effects that events without a clear outcome may have had besides.
    """

    planned: int = 0
    sent: int = 0
    accepted: int = 0
    refused_rightly: int = 0
    forged_accepted: int = 0
    unjudged: int = 0
    due: int = 0
    maybe: int = 0
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    not_sent: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add what another process counted."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures = dict(Counter(self.failures) + Counter(other.failures))
        self.not_sent = dict(Counter(self.not_sent) + Counter(other.not_sent))

    def fail(self, reason: str, count: int = 1) -> None:
        """Count events with a wrong answer, or none."""
        self.failures[reason] = self.failures.get(reason, 0) + count

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count events that are not sent."""
        self.not_sent[reason] = self.not_sent.get(reason, 0) + count


_NUMBERS = tuple(field.name for field in msgspec.structs.fields(Counts) if field.type is int)


class Ledger(msgspec.Struct, kw_only=True):
    """What a load came to.

    Args:
        user: The name of the user class.
        seed: Set as the class's seed, it gives the same events again.
        counts: The counts of all processes.
        effects: By how much the consumer's own count grew; None without a probe.
        drain_seconds: From the last answer until the count stopped growing; None without a probe.
        problem: Why the probe gave no count; empty when it did.
        missed: The thresholds that were missed, a sentence each.
    """

    user: str
    seed: int
    counts: Counts
    effects: float | None = None
    drain_seconds: float | None = None
    problem: str = ""
    missed: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """How many events were accepted and have no effect."""
        return 0 if self.effects is None else max(0, round(self.counts.due - self.effects))

    @property
    def doubled(self) -> int:
        """How many effects are too many: more than accepted events, and those of unclear outcome, can have had."""
        if self.effects is None:
            return 0
        return max(0, round(self.effects - self.counts.due - self.counts.maybe))

    @property
    def ok(self) -> bool:
        """Whether nothing is lost or doubled, no forgery was accepted, the probe works and every threshold is met."""
        wrong = self.lost or self.doubled or self.counts.forged_accepted or self.problem or self.missed
        return not wrong and self.counts.sent > 0

    def as_json(self) -> dict[str, Any]:
        """Return the ledger as JSON values."""
        values: dict[str, Any] = {
            "user": self.user,
            "seed": self.seed,
            "ok": self.ok,
            **msgspec.to_builtins(self.counts),
        }
        if self.effects is not None:
            values |= {"effects": self.effects, "lost": self.lost, "doubled": self.doubled}
            values["drain_seconds"] = self.drain_seconds
        if self.problem:
            values["problem"] = self.problem
        return values | {"missed": list(self.missed)}

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the ledger: what, and how many."""
        counts = self.counts
        yield "seed", str(self.seed)
        yield "planned", f"{counts.planned:,}"
        yield "sent", f"{counts.sent:,} requests"
        yield "accepted", f"{counts.accepted:,}"
        for name, count in (
            ("forged, refused", counts.refused_rightly),
            ("forged, ACCEPTED", counts.forged_accepted),
            ("not judged", counts.unjudged),
        ):
            if count:
                yield name, f"{count:,}"
        yield from _reasons("failed", counts.failures)
        yield from _reasons("not sent", counts.not_sent)
        if self.problem:
            yield "effects", f"unknown: {self.problem}"
        if self.effects is not None:
            yield "effects", f"{self.effects:,.0f} of {counts.due:,} that are due"
            unclear = f" (up to {counts.maybe:,} events have no clear outcome)" if counts.maybe else ""
            yield "lost", f"{self.lost:,}"
            yield "doubled", f"{self.doubled:,}{unclear}"
            yield "drained", f"{self.drain_seconds or 0:.1f} s after the last answer"
        for missed in self.missed:
            yield "missed", missed

    def text(self) -> str:
        """Return the ledger as it is printed."""
        lines = [f"  {name:<18}{value}" for name, value in self.rows()]
        verdict = "ok" if self.ok else "NOT OK"
        if not self.counts.sent:
            verdict = "NOT OK: nothing was sent"
        elif self.effects is None and not self.problem:
            verdict += " (no probe: whether each event had its effect is not known)"
        return "\n".join([f"Ledger of {self.user}", *lines, f"  {'verdict':<18}{verdict}"])


def _reasons(what: str, reasons: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for reason, count in sorted(reasons.items(), key=lambda each: -each[1]):
        yield what, f"{count:,}: {reason}"


# ---------------------------------------------------------------- the consumer's own count


class LoadProbeError(Exception):
    """The count cannot be read; the message says why."""


def read_count(url: str, path: str | None, timeout: float = 10.0) -> float:
    """Read the count; raises LoadProbeError."""
    with requests.Session() as session:
        session.trust_env = False  # the consumer is on this machine or network: no proxy
        try:
            answer = session.get(url, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise LoadProbeError(f"the probe {url} got no answer: {type(error).__name__}") from None
    if not 200 <= answer.status_code < 300:
        raise LoadProbeError(f"the probe {url} answered {answer.status_code}")
    try:
        document = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError):
        raise LoadProbeError(f"the probe {url} did not answer JSON") from None
    found = _at_path(document, path) if path else _only_numbers(document)
    if len(found) != 1 or isinstance(found[0], bool) or not isinstance(found[0], (int, float)):
        raise LoadProbeError(f"the probe {url} answers {_shown(found, path)}: set probe_json to the path of its count")
    return float(found[0])


def _at_path(document: Any, path: str) -> list[Any]:
    try:
        return find_all(path, document)
    except ValueError as error:
        raise UsageError(f"probe_json {path!r} is not a JSONPath: {error}") from None


def _only_numbers(document: Any) -> list[Any]:
    values = document.values() if isinstance(document, dict) else [document]
    return [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]


def _shown(found: list[Any], path: str | None) -> str:
    where = f" at {path}" if path else ""
    return f"{len(found)} values{where}, not one number" if len(found) != 1 else f"no number{where}"


# ---------------------------------------------------------------- the tab of Locust's page

_KEY = "webhook-ledger"
_COLUMNS = (("user", "User"), ("what", "What"), ("value", "Value"))


def add_tab(web_ui: WebUI, ledgers: Callable[[], list[Ledger]]) -> None:
    """Add the tab."""
    structure = [{"key": key, "title": title} for key, title in _COLUMNS]
    web_ui.template_args["extended_tabs"] = [
        *web_ui.template_args.get("extended_tabs", ()),
        {"title": "Ledger", "key": _KEY},
    ]
    web_ui.template_args["extended_tables"] = [
        *web_ui.template_args.get("extended_tables", ()),
        {"key": _KEY, "structure": structure},
    ]

    def with_ledgers(response: Any) -> Any:
        from flask import request  # noqa: PLC0415 - Locust brings it, and only its web page needs it

        if request.path.endswith("/stats/requests") and response.json is not None:
            rows = [
                {"user": ledger.user, "what": what, "value": value}
                for ledger in ledgers()
                for what, value in ledger.rows()
            ]
            shown = [*response.json.get("extended_stats", ()), {"key": _KEY, "data": rows}]
            response.set_data(json.dumps({**response.json, "extended_stats": shown}))
        return response

    def as_json() -> Any:
        from flask import jsonify  # noqa: PLC0415 - as above

        return jsonify([ledger.as_json() for ledger in ledgers()])

    assert web_ui.app is not None  # noqa: S101 - it has one once it was made
    web_ui.app.after_request(with_ledgers)
    web_ui.app.add_url_rule("/ledger.json", "ledger_json", web_ui.auth_required_if_enabled(as_json))
