"""Webhooks: what a registration must look like, the registered ones, and which of them an event goes to.

Documented (page "webhooks/create"): url, events and secret are required, the url must be HTTPS, four event names.
Ours: http for loopback hosts unless strict, the limits on lengths, our ``PATCH``, and every message but
"Missing required field: x".
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.model.identifiers import new_identifier
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.wording import cut_short, did_you_mean, listed

URL_MAX_LENGTH = 2048
SECRET_MAX_LENGTH = 1024

# Guessing takes time for each letter and each key: a hostile body must not hold up other callers.
_MAX_GUESSED_LENGTH = 64
_MAX_GUESSED_KEYS = 32

_FIELDS = ("url", "events", "secret")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PORT = r"(?::(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
_REST = r"(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*)?"


def _ipv6() -> str:
    group = "[0-9A-Fa-f]{1,4}"
    shortened = [f"(?:{group}:){{1,{7 - after}}}(?::{group}){{1,{after}}}" for after in range(1, 7)]
    forms = [f"(?:{group}:){{7}}{group}", *shortened, f"(?:{group}:){{1,7}}:", f":(?::{group}){{1,7}}"]
    return rf"\[(?:{'|'.join(forms)})\]"


class RegistrationRules(msgspec.Struct, frozen=True):
    """What registrations are measured against.

    ``strict`` allows only HTTPS, as the documentation says; otherwise http will do for loopback hosts and
    ``http_hosts``.
    """

    events: tuple[str, ...]
    strict: bool = False
    http_hosts: tuple[str, ...] = ()


@lru_cache(16)
def url_pattern(rules: RegistrationRules) -> str:
    """Return the regular expression for a webhook's url; the OpenAPI document publishes the same one."""
    https = rf"https://(?:{_LABEL}(?:\.{_LABEL})*|{_ipv6()})"
    names = "".join(f"|{re.escape(name)}" for name in rules.http_hosts)
    http = rf"http://(?:localhost|127(?:\.{_OCTET}){{3}}|\[::1\]{names})"
    return f"^{https if rules.strict else f'(?:{https}|{http})'}{_PORT}{_REST}$"


#: The regular expression for any URL that deliveries can go to.
TARGET_URL_PATTERN = (
    rf"^https?://(?:[A-Za-z0-9](?:[A-Za-z0-9_-]{{0,61}}[A-Za-z0-9])?(?:\.{_LABEL})*|{_ipv6()}){_PORT}{_REST}$"
)


@lru_cache(16)
def _url_form(rules: RegistrationRules) -> re.Pattern[str]:
    return re.compile(url_pattern(rules)[1:-1])


class Registration(msgspec.Struct, frozen=True):
    """A webhook as an application asks for it: the documented request fields."""

    url: str
    events: tuple[str, ...]
    secret: str

    def __repr__(self) -> str:
        return f"Registration({self.url} {', '.join(self.events)})"


class RegistrationError(ValueError):
    """A registration that is refused. The message names the field, the value and what is allowed."""


def read_registration(fields: Any, rules: RegistrationRules) -> Registration:
    """Check the decoded body of a registration.

    An event named twice is kept once, and unknown fields are ignored. Raises a RegistrationError if it is not an
    object, or a field is missing, of the wrong type or not allowed.
    """
    given = _as_object(fields)
    for name in _FIELDS:
        if name not in given:
            unknown = [key for key in islice(given, _MAX_GUESSED_KEYS) if key not in _FIELDS]
            guess = next((key for key in unknown if _guess(key, [name])), None)
            hint = f" (there is {guess!r}: was that meant?)" if guess else ""
            raise RegistrationError(f"Missing required field: {name}{hint}")
    return Registration(
        read_url(given["url"], rules), read_events(given["events"], rules), read_secret(given["secret"])
    )


def read_changes(fields: Any, rules: RegistrationRules) -> dict[str, Any]:
    """Return the fields that are given in the decoded body of our ``PATCH``: any of url, events, secret and active.

    Raises a RegistrationError if a field is unknown, of the wrong type or not allowed.
    """
    allowed = (*_FIELDS, "active")
    changes: dict[str, Any] = {}
    for name, value in _as_object(fields).items():
        if name == "url":
            changes[name] = read_url(value, rules)
        elif name == "events":
            changes[name] = read_events(value, rules)
        elif name == "secret":
            changes[name] = read_secret(value)
        elif name == "active":
            if not isinstance(value, bool):
                raise RegistrationError(f"active must be true or false, not {_shown(value)}")
            changes[name] = value
        else:
            hint = _guess(name, allowed)
            raise RegistrationError(f"Unknown field: {cut_short(name)}; allowed are {listed(allowed)}{hint}")
    return changes


def read_url(value: Any, rules: RegistrationRules) -> str:
    """Check the url of a webhook; raises a RegistrationError if it cannot be delivered to, or is not HTTPS."""
    if not isinstance(value, str):
        raise RegistrationError(f"url must be a string, not {_shown(value)}")
    if len(value) > URL_MAX_LENGTH:
        raise RegistrationError(f"url is {len(value)} characters long; at most {URL_MAX_LENGTH} are allowed")
    if _url_form(rules).fullmatch(value):
        return value
    if value.startswith("http://"):
        raise RegistrationError(f"url must be HTTPS, not {_shown(value)}{'' if rules.strict else _about_http(rules)}")
    raise RegistrationError(
        f"url must be an absolute https:// URL in ASCII, without user name or fragment, not {_shown(value)}"
    )


def _about_http(rules: RegistrationRules) -> str:
    hosts = listed(["localhost", "127.0.0.0/8", "[::1]", *rules.http_hosts])
    return (
        f"; http:// is accepted for {hosts} only: allow the name of a container with --allow-http-host NAME, or "
        "register an https:// URL and lead it to the application with --route https://NAME=http://HOST:PORT"
    )


def read_events(value: Any, rules: RegistrationRules) -> tuple[str, ...]:
    """Check the events of a webhook; one named twice is kept once.

    Raises a RegistrationError if it is not a list of supported event types, or empty.
    """
    if not isinstance(value, list):
        raise _wrong_events(f"events must be an array of strings, not {_shown(value)}", rules)
    if not value:
        raise _wrong_events("events must not be empty", rules)
    for index, event in enumerate(value):
        if not isinstance(event, str):
            raise _wrong_events(f"events[{index}] must be a string, not {_shown(event)}", rules)
        if event not in rules.events:
            problem = f"events[{index}] is {_shown(event)}, which is not supported"
            raise _wrong_events(problem, rules, _guess(event, rules.events))
    return tuple(dict.fromkeys(value))


def _wrong_events(problem: str, rules: RegistrationRules, hint: str = "") -> RegistrationError:
    return RegistrationError(f"{problem}; supported events are {', '.join(rules.events)}{hint}")


def read_secret(value: Any) -> str:
    """Check the secret of a webhook. The value is never shown.

    Raises a RegistrationError if it is not a string, empty or longer than 1,024 characters.
    """
    if not isinstance(value, str):
        raise RegistrationError(f"secret must be a string, not {_kind(value)}")
    if not value:
        raise RegistrationError("secret must not be empty")
    if len(value) > SECRET_MAX_LENGTH:
        raise RegistrationError(f"secret is {len(value)} characters long; at most {SECRET_MAX_LENGTH} are allowed")
    return value


def _as_object(fields: Any) -> Mapping[str, Any]:
    if not isinstance(fields, dict):
        raise RegistrationError(f"The request body must be a JSON object, not {_kind(fields)}")
    return fields


_KINDS = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS[type(value)]


def _shown(value: Any) -> str:
    """A value for a message: strings quoted and cut short, anything else by its kind."""
    if not isinstance(value, str):
        return _kind(value)
    return repr(cut_short(value))


def _guess(word: str, allowed: Iterable[str]) -> str:
    return did_you_mean(word, allowed) if len(word) <= _MAX_GUESSED_LENGTH else ""


class Webhook(msgspec.Struct, frozen=True, gc=False):
    """A registered endpoint: the documented response fields, and the secret, which no answer shows.

    Args:
        webhook_id: For example ``wh_abc123``.
        url: Where deliveries are posted to.
        events: The event types it is subscribed to, in the order they were sent.
        secret: The key of its signatures.
        active: Whether it receives deliveries.
        account: Whose it is; empty unless each API key is an account.
    """

    webhook_id: str
    url: str
    events: tuple[str, ...]
    secret: str
    active: bool = True
    account: str = ""

    def __repr__(self) -> str:
        return f"Webhook({self.webhook_id} {self.url} {', '.join(self.events)}{'' if self.active else ' inactive'})"


#: For how many accounts the subscribers of an event are remembered.
_MOST_REMEMBERED = 1_000


class WebhookLimitError(UsageError):
    """As many webhooks are registered as the settings allow."""


class WebhookRegistry:
    """The webhooks of one mock, in the order in which they were registered, with ids repeatable by seed."""

    def __init__(self, limit: int = 100_000, seed: int = 0, budget: MemoryBudget | None = None) -> None:
        self._limit = limit
        self._seed = seed
        self._share = (budget or MemoryBudget()).share()
        self._webhooks: dict[str, Webhook] = {}
        self._by_event: dict[str, dict[str, Webhook]] = {}
        # What subscribed_to has answered since the last change, by event and account.
        self._subscribers: dict[str, dict[str | None, tuple[Webhook, ...]]] = {}
        self._chance = random.Random(seed)  # noqa: S311 - ids are repeatable on purpose
        self._listeners: list[Callable[[Webhook], None]] = []

    def __len__(self) -> int:
        return len(self._webhooks)

    def add(self, registration: Registration, account: str = "") -> Webhook:
        """Keep a new webhook. The same URL twice gives two webhooks, each of them served.

        Raises a WebhookLimitError if there are as many as the limit allows, or they take too many bytes.
        """
        if len(self._webhooks) >= self._limit:
            raise WebhookLimitError(f"{self._limit} webhooks are registered, which is the limit: delete some first")
        size = _size(registration)
        if not self._share.fits(size):
            raise WebhookLimitError("the webhooks take as many bytes as may be kept: delete some first")
        webhook_id = new_identifier("wh", self._chance)
        while webhook_id in self._webhooks:
            webhook_id = new_identifier("wh", self._chance)
        url, events, secret = registration.url, registration.events, registration.secret
        return self._put(Webhook(webhook_id, url, events, secret, account=account), size)

    def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook with this id, or None."""
        return self._webhooks.get(webhook_id)

    def change(self, webhook_id: str, changes: dict[str, Any]) -> Webhook | None:
        """Replace fields of a webhook; None if there is none with this id."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        self._unindex(webhook)
        self._share.remove(_size(webhook))
        changed = msgspec.structs.replace(webhook, **changes)
        return self._put(changed, _size(changed))

    def remove(self, webhook_id: str) -> Webhook | None:
        """Forget a webhook and return it; None if there was none with this id."""
        webhook = self._webhooks.pop(webhook_id, None)
        if webhook is not None:
            self._unindex(webhook)
            self._share.remove(_size(webhook))
        return webhook

    def clear(self) -> None:
        """Forget every webhook, and restart the ids."""
        for webhook in self._webhooks.values():
            self._share.remove(_size(webhook))
        self._webhooks.clear()
        self._by_event.clear()
        self._subscribers.clear()
        self._chance = random.Random(self._seed)  # noqa: S311 - ids are repeatable on purpose

    def all(self, account: str | None = None) -> tuple[Webhook, ...]:
        """Return every webhook, or those of an account, in the order of registration."""
        webhooks = tuple(self._webhooks.values())
        return webhooks if account is None else tuple(each for each in webhooks if each.account == account)

    def subscribed_to(self, event: str, account: str | None = None) -> tuple[Webhook, ...]:
        """Return the active webhooks that an event goes to: all of them, or those of an account."""
        known = self._subscribers.get(event)
        subscribers = None if known is None else known.get(account)
        if subscribers is None:
            known = self._subscribers.setdefault(event, {})
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            active = (webhook for webhook in self._by_event.get(event, {}).values() if webhook.active)
            subscribers = tuple(webhook for webhook in active if account in (None, webhook.account))
            known[account] = subscribers
        return subscribers

    def serves(self, events: Sequence[str], account: str | None = None) -> bool:
        """Return whether each of these events has at least one active subscriber (any webhook at all, for none)."""
        if not events:
            return any(webhook.active for webhook in self.all(account))
        return all(self.subscribed_to(event, account) for event in events)

    def subscribe(self, listener: Callable[[Webhook], None]) -> Callable[[], None]:
        """Call a function with each webhook that is registered or changed; what is returned ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _put(self, webhook: Webhook, size: int) -> Webhook:
        self._webhooks[webhook.webhook_id] = webhook
        self._share.add(size)
        for event in webhook.events:
            self._by_event.setdefault(event, {})[webhook.webhook_id] = webhook
            self._subscribers.pop(event, None)
        for listener in tuple(self._listeners):
            listener(webhook)
        return webhook

    def _unindex(self, webhook: Webhook) -> None:
        for event in webhook.events:
            self._by_event[event].pop(webhook.webhook_id, None)  # an event may be named twice
            self._subscribers.pop(event, None)


def _size(texts: Webhook | Registration) -> int:
    return len(texts.url) + len(texts.secret) + sum(map(len, texts.events))


class AccountWebhooks:
    """The webhooks of one account."""

    def __init__(self, registry: WebhookRegistry, account: str) -> None:
        self._registry = registry
        self._account = account

    def __len__(self) -> int:
        return len(self.all())

    def subscribed_to(self, event: str) -> tuple[Webhook, ...]:
        """Return the active webhooks of the account that an event goes to."""
        return self._registry.subscribed_to(event, self._account)

    def serves(self, events: Sequence[str]) -> bool:
        """Return whether each of these events has at least one active subscriber in the account."""
        return self._registry.serves(events, self._account)

    def all(self) -> tuple[Webhook, ...]:
        """Return the webhooks of the account, in the order of registration."""
        return self._registry.all(self._account)

    def subscribe(self, listener: Callable[[Webhook], None]) -> Callable[[], None]:
        """Call a function with each webhook that is registered or changed, of whichever account."""
        return self._registry.subscribe(listener)


#: Where events go: every webhook, or those of one account.
Recipients = WebhookRegistry | AccountWebhooks
