"""Mistakes in verifying the signature."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

import hmac
import json
import logging
import os
import re

from tests.consumers.inbox import Answer, Inbox, MalformedEventError

_log = logging.getLogger(__name__)


class no_verification(Inbox):
    def is_signed(self, _body: bytes, _signature: str | None) -> bool:
        return True


class missing_signature_accepted(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        return not (signature and not super().is_signed(body, signature))


class logs_and_goes_on(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        if not self.is_signed(body, signature):
            _log.warning("bad signature")
        return self.accept(body)


class refuses_after_handling(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        answer = self.accept(body)
        return answer if self.is_signed(body, signature) else self.refuse(401)


class drops_silently(Inbox):
    def receive(self, body: bytes, signature: str | None) -> Answer:
        if not self.is_signed(body, signature):
            return self.answer(handled=True)
        return self.accept(body)


class prefix_compare(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        return bool(signature) and self.sign(body).startswith(signature or "")


class ignores_the_rest(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        return (signature or "").startswith(self.sign(body))


class crash_on_missing_header(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        return hmac.compare_digest(self.sign(body).encode(), signature.encode("utf-8", "surrogatepass"))  # type: ignore[union-attr]


class crash_on_malformed(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        if not signature:
            return False
        digest = re.fullmatch("sha256=([0-9a-f]{64})", signature)[1]  # type: ignore[index]
        return hmac.compare_digest(self.sign(body), "sha256=" + digest)


class crash_on_non_ascii(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        return hmac.compare_digest(self.sign(body), signature or "")


class dies_on_malformed(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        if signature and not re.fullmatch("sha256=[0-9a-f]{64}", signature):
            os._exit(1)  # as an extension written in C would end it, which trusts its input
        return super().is_signed(body, signature)


class any_algorithm(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        digest = (signature or "").partition("=")[2]
        return super().is_signed(body, "sha256=" + digest)


class weak_algorithm(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        algorithm, _, given = (signature or "").partition("=")
        if algorithm not in {"md5", "sha1", "sha256", "sha512"}:
            return False
        digest = hmac.new(self._secret.encode("utf-8", "surrogateescape"), body, algorithm).hexdigest()
        return hmac.compare_digest(digest.encode(), given.encode("utf-8", "surrogatepass"))


class empty_secret_accepted(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        secrets = [self._secret, os.environ.get("OLD_SECRET", "")]
        return any(Inbox(secret).is_signed(body, signature) for secret in secrets)


class verifies_some_events(Inbox):
    def is_signed(self, body: bytes, signature: str | None) -> bool:
        try:
            matters = json.loads(body)["event"] == "run.failed"
        except (ValueError, TypeError, LookupError, RecursionError):
            matters = True
        return not matters or super().is_signed(body, signature)


class marks_before_verifying(Inbox):
    def forget(self) -> None:
        super().forget()
        self._begun: set[object] = set()

    def receive(self, body: bytes, signature: str | None) -> Answer:
        is_new = self._begin(body)
        if not self.is_signed(body, signature):
            return self.refuse(401)
        return self.accept(body) if is_new else self.answer(handled=False)

    def accept(self, body: bytes) -> Answer:
        answer = super().accept(body)
        if answer.status == 500:  # not done after all
            with self._lock:
                self._begun.discard(self._key_of(body))
        return answer

    def _begin(self, body: bytes) -> bool:
        key = self._key_of(body)
        with self._lock:
            is_new = key is None or key not in self._begun
            self._begun.add(key)
            return is_new

    def _key_of(self, body: bytes) -> object:
        try:
            event = self.read_event(self.read_json(body))
        except MalformedEventError:
            return None
        return event and self.key(event)
