"""The outcome of one event that was sent at once: ``mock.send``."""

from __future__ import annotations

from collections.abc import Sequence

from mockserver.errors import DeliveryError, NobodySubscribedError, UsageError
from mockserver.model.messages import Response
from mockserver.model.records import Attempt, Delivery, seen
from mockserver.model.webhooks import Webhook


class SendResult:
    """What became of one event.

    Args:
        event: The event type.
        deliveries: Its deliveries; an event that is still due gets them later.
        webhooks: The webhooks that were registered, to explain why it went nowhere.
        lost: Whether it was lost on purpose.
        due: When the event is to happen, where that is later; empty otherwise.
    """

    def __init__(
        self,
        event: str,
        deliveries: Sequence[Delivery],
        webhooks: Sequence[Webhook],
        *,
        lost: bool = False,
        due: str = "",
    ) -> None:
        self.lost = lost
        self.event = event
        self._deliveries = deliveries
        self._due = due
        self._webhooks = tuple(webhooks)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """A delivery for each webhook that the event went to."""
        return seen(self._deliveries)

    @property
    def delivered(self) -> bool:
        """Whether there was at least one delivery, and all arrived."""
        return bool(self.deliveries) and all(delivery.delivered for delivery in self.deliveries)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts of the only delivery.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return self._only.attempts

    @property
    def response(self) -> Response | None:
        """The answer to the last attempt of the only delivery; None if none came.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return self._only.response

    @property
    def status(self) -> int | None:
        """The status of that answer; None if none came.

        Raises:
            UsageError: There is not exactly one delivery.
        """
        return None if self.response is None else self.response.status

    def raise_for_nobody(self) -> None:
        """Do nothing if the event went to a webhook, or was lost on purpose, or is still due.

        Raises:
            NobodySubscribedError: It went to none; the message shows what is registered.
        """
        if not (self._deliveries or self.lost or self._due):
            raise NobodySubscribedError(f"{self}. Where that is meant, say so: send(..., nobody_ok=True)")

    def raise_for_failures(self) -> None:
        """Do nothing if the event was delivered.

        Raises:
            DeliveryError: It was not; the message says what came back, or why it went nowhere.
        """
        if not self.delivered:
            raise DeliveryError(str(self))

    @property
    def _only(self) -> Delivery:
        if len(self.deliveries) != 1:
            raise UsageError(f"there is not exactly one delivery to look at: {self}")
        return self.deliveries[0]

    def __str__(self) -> str:
        if self._deliveries:
            return "\n".join(str(delivery) for delivery in self._deliveries)
        if self.lost:
            return f"{self.event} was lost on purpose"
        if self._due:
            return f"{self.event} is due at {self._due}: advance the clock"
        if not self._webhooks:
            return f"{self.event} went nowhere: no webhook is registered"
        subscribed = "; ".join(repr(webhook) for webhook in self._webhooks)
        return f"{self.event} went nowhere: no active webhook is subscribed to it. Registered: {subscribed}"

    def __repr__(self) -> str:
        return f"<SendResult {self}>"
