"""Mistakes that webhook consumers make, for consumers that make one of them on purpose.

Each is one small piece of wrong code in place of the right one, and is called everywhere what ``WEBHOOK_MISTAKE`` calls
it: a class that overrides one piece of :class:`tests.consumers.inbox.Inbox`, a function that changes a framework's
application, or a class in one of the ``.mjs`` files beside them.
"""

from __future__ import annotations

from tests.consumers.inbox import Inbox
from tests.consumers.mistakes import answers, effects, payload, raw_body, signature
from tests.consumers.mistakes.catalogue import MISTAKES

__all__ = ["MISTAKES", "is_in_the_inbox", "make_inbox"]

_INBOXES = {
    name: value
    for module in (signature, raw_body, payload, effects, answers)
    for name, value in vars(module).items()
    if name in MISTAKES
}


def is_in_the_inbox(mistake: str) -> bool:
    """Whether a mistake is one of the inbox, and so the same in every consumer in Python."""
    return mistake in _INBOXES


def make_inbox(secret: str, mistake: str | None) -> Inbox:
    """Make the inbox of a consumer: the correct one, unless it is to make a mistake that lies in the inbox."""
    assert mistake is None or mistake in MISTAKES, mistake
    inbox: Inbox = _INBOXES.get(mistake or "", Inbox)(secret)
    return inbox
