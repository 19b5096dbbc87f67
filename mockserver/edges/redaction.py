"""Redaction: what must not be in any report, whoever put it there."""

from __future__ import annotations

from collections.abc import Iterable

from mockserver.core.messages import Headers

#: Headers whose values are private, in lower case.
PRIVATE_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_HIDDEN = "***"


class Redactor:
    """Hides secrets.

    Args:
        secrets: Values that must not appear, such as the secrets of webhooks; a consumer may have echoed one.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may be part of another.
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def headers(self, headers: Headers) -> list[tuple[str, str]]:
        """Return headers without private values."""
        return [(name, _HIDDEN if name.lower() in PRIVATE_HEADERS else self.text(value)) for name, value in headers]
