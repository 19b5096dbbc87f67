"""Registered webhooks, kept in memory, and which of them an event goes to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from mockserver.errors import UsageError
from mockserver.model.identifiers import new_identifier
from mockserver.model.registrations import Registration


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


class WebhookLimitError(UsageError):
    """As many webhooks are registered as the settings allow."""


class WebhookRegistry:
    """The webhooks of one mock, in the order in which they were registered.

    Args:
        limit: How many there may be at once.
        seed: Makes their ids repeatable.
    """

    def __init__(self, limit: int = 100_000, seed: int = 0) -> None:
        self._limit = limit
        self._seed = seed
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

        Args:
            registration: What was asked for.
            account: Whose it is.

        Raises:
            WebhookLimitError: There are as many as the limit allows.
        """
        if len(self._webhooks) >= self._limit:
            raise WebhookLimitError(f"{self._limit} webhooks are registered, which is the limit: delete some first")
        webhook_id = new_identifier("wh", self._chance)
        while webhook_id in self._webhooks:
            webhook_id = new_identifier("wh", self._chance)
        url, events, secret = registration.url, registration.events, registration.secret
        return self._put(Webhook(webhook_id, url, events, secret, account=account))

    def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook with this id, or None."""
        return self._webhooks.get(webhook_id)

    def change(self, webhook_id: str, changes: dict[str, Any]) -> Webhook | None:
        """Replace fields of a webhook; None if there is none with this id."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        self._unindex(webhook)
        return self._put(msgspec.structs.replace(webhook, **changes))

    def remove(self, webhook_id: str) -> Webhook | None:
        """Forget a webhook and return it; None if there was none with this id."""
        webhook = self._webhooks.pop(webhook_id, None)
        if webhook is not None:
            self._unindex(webhook)
        return webhook

    def clear(self) -> None:
        """Forget every webhook, and begin the ids again."""
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
        known = self._subscribers.setdefault(event, {})
        subscribers = known.get(account)
        if subscribers is None:
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
        """Call a function with each webhook that is registered or changed.

        Returns:
            A function that ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _put(self, webhook: Webhook) -> Webhook:
        self._webhooks[webhook.webhook_id] = webhook
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


class Recipients(Protocol):
    """Where events go: every webhook, or those of one account."""

    def __len__(self) -> int:
        """How many webhooks there are."""
        ...

    def subscribed_to(self, event: str) -> tuple[Webhook, ...]:
        """Return the active webhooks that an event goes to."""
        ...

    def serves(self, events: Sequence[str]) -> bool:
        """Return whether each of these events has at least one active subscriber."""
        ...

    def all(self) -> tuple[Webhook, ...]:
        """Return the webhooks, in the order of registration."""
        ...

    def subscribe(self, listener: Callable[[Webhook], None]) -> Callable[[], None]:
        """Call a function with each webhook that is registered or changed."""
        ...


class AccountWebhooks:
    """The webhooks of one account, as :class:`Recipients`.

    Args:
        registry: The webhooks of all accounts.
        account: The name of the account.
    """

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
