"""Mistakes in what the signature is computed over, and with which secret."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from tests.consumers.inbox import Inbox


def _written_again(body: bytes, **style: Any) -> bytes:
    """Parse a body and write it as ``json.dumps`` does; what is not JSON stays as it came."""
    try:
        return json.dumps(json.loads(body), **style).encode()
    except (ValueError, RecursionError):
        return body


class reserialised_compact(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(_written_again(body, separators=(",", ":"), ensure_ascii=False))


class reserialised_spaced(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(_written_again(body))


class reserialised_sorted(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(_written_again(body, separators=(",", ":"), ensure_ascii=False, sort_keys=True))


class strips_body(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(body.strip())


class latin1_body(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(body.decode("latin-1").encode())


class ascii_body(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(body.decode("ascii").encode())


class undecodable_crash(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(body.decode("utf-8").encode())


class secret_without_prefix(Inbox):
    def __init__(self, secret: str) -> None:
        super().__init__(secret.removeprefix("whsec_"))


class secret_base64_decoded(Inbox):
    def sign(self, body: bytes) -> str:
        return "sha256=" + hmac.new(self._key(), body, hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        """What JavaScript makes of it: nothing that is not base64 is an error."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        text = self._secret.removeprefix("whsec_").translate(str.maketrans("+/", "-_")).partition("=")[0]
        digits = "".join(char for char in text if char in alphabet)
        if len(digits) % 4 == 1:  # six bits, which make no byte
            digits = digits[:-1]
        return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4))


class secret_with_newline(Inbox):
    def __init__(self, secret: str) -> None:
        super().__init__(secret + "\n")


class other_header(Inbox):
    signature_header = "X-Hub-Signature-256"


class digest_without_prefix(Inbox):
    def sign(self, body: bytes) -> str:
        return super().sign(body).removeprefix("sha256=")


class base64_digest(Inbox):
    def sign(self, body: bytes) -> str:
        digest = bytes.fromhex(super().sign(body).removeprefix("sha256="))
        return "sha256=" + base64.b64encode(digest).decode()
