"""Mistakes in handling an event exactly once."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

import logging
import time

from tests.consumers.inbox import Answer, Event, Inbox, StoreError, error

_log = logging.getLogger(__name__)
_DATABASE_TAKES = 0.05  # seconds


class no_dedupe(Inbox):
    def handle_once(self, event: Event) -> bool:
        with self._lock:
            self.handle(event)
            return True


class duplicate_refused(Inbox):
    def answer(self, *, handled: bool) -> Answer:
        return super().answer(handled=True) if handled else error(409)


class check_then_act(Inbox):
    def handle_once(self, event: Event) -> bool:
        if self.key(event) in self._seen:
            return False
        time.sleep(_DATABASE_TAKES)
        self.handle(event)
        self._seen.add(self.key(event))
        return True


class dedupe_by_object(Inbox):
    def key(self, event: Event) -> object:
        return event.id


class dedupe_by_timestamp(Inbox):
    def key(self, event: Event) -> object:
        return (event.event, event.timestamp)


class lost_updates(Inbox):
    def forget(self) -> None:
        super().forget()
        self._count = 0

    def handle_once(self, event: Event) -> bool:
        if not super().handle_once(event):
            return False
        count = self._count
        time.sleep(_DATABASE_TAKES)
        self._count = count + 1
        return True

    def count(self) -> int:
        return self._count


class marks_before_success(Inbox):
    def handle_once(self, event: Event) -> bool:
        with self._lock:
            if self.key(event) in self._seen:
                return False
            self._seen.add(self.key(event))
            self.handle(event)
            return True


class swallows_errors(Inbox):
    def handle(self, event: Event) -> None:
        try:
            super().handle(event)
        except StoreError:
            _log.warning("could not handle %s of %s", event.event, event.id)


class half_done(Inbox):
    def handle(self, event: Event) -> None:
        self._effects.append(event)
        self.reach_store()


class last_write_wins(Inbox):
    def latest(self, events: list[Event]) -> Event:
        return events[-1]


class order_matters_500(Inbox):
    def handle(self, event: Event) -> None:
        handled = [one.event for one in self._effects if one.id == event.id]
        if event.event == "run.failed" and "run.completed" in handled:
            raise RuntimeError("invalid transition from completed to failed")
        super().handle(event)
