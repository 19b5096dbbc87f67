"""Mistakes in what is answered, and when."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

import time
import traceback

from tests.consumers.inbox import Answer, Inbox, MalformedEventError, render


class slow_handler(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        time.sleep(1.5)
        return super().receive(body, signature)


class leaks_expected_signature(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        answer = super().receive(body, signature)
        if answer.status == 401:
            return render(401, {"error": "invalid signature", "expected": self.sign(body), "given": signature})
        return answer


class leaks_secret(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        answer = super().receive(body, signature)
        if answer.status == 401:
            return render(401, {"error": f"{signature} was not made with {self._secret}"})
        return answer


class leaks_trace(Inbox):
    def accept(self, body: bytes) -> Answer:
        try:
            self.read_event(self.read_json(body))
        except MalformedEventError:
            self.refuse(400)
            return render(400, {"error": traceback.format_exc()})
        return super().accept(body)
