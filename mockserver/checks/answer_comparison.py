"""Comparing answers: does a consumer answer one delivery as it answers another?

Without a look into the consumer its answers are all there is. What differs from one answer to the next by nature (ids,
counters, moments) is left out of the comparison.
"""

from __future__ import annotations

import re

import msgspec

from mockserver.model.records import Delivery, Event

#: What changes from answer to answer: moments, UUIDs and other long hexadecimal ids, numbers.
_VARYING = re.compile(rb"[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+(?:[.:T-]\d+)*Z?")
_TEXT = re.compile(rb'"([^"\\]{4,})"')


class Answer(msgspec.Struct, frozen=True):
    """What is compared of an answer: its status, and its body without what varies."""

    status: int
    body: bytes


def comparable(delivery: Delivery) -> Answer | None:
    """Return what is compared of the last answer to a delivery; None if there was none."""
    response = delivery.response if delivery.error is None else None
    if response is None:
        return None
    return Answer(response.status, _VARYING.sub(b"#", _without_values(response.body, delivery.event)))


def _without_values(body: bytes, event: Event) -> bytes:
    """An answer without what it repeats of the event."""
    values = sorted({found[1] for found in _TEXT.finditer(event.payload) if any(map(_is_digit, found[1]))}, key=len)
    for value in reversed(values):
        body = body.replace(value, b"#")
    return body


def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


class ResponseBaseline(msgspec.Struct, frozen=True):
    """How a consumer answers what is known to be right, learned from the controls.

    Args:
        fresh: Its answer to a valid event that it did not know; None if that is not the same every time.
        known: Its answer to one that it knew already.
    """

    fresh: Answer | None = None
    known: Answer | None = None

    @property
    def tell_duplicates(self) -> bool:
        """Whether the answer says if an event was known already."""
        return self.fresh is not None and self.known is not None and self.fresh != self.known
