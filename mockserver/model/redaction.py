"""Redaction: what must not be in any report, whoever put it there.

Secrets are hidden in every spelling in which a consumer may echo them: as they are, in JSON, in a URL, in HTML or XML;
also the beginning of one where a text was cut off in its middle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from mockserver.model.messages import Headers

#: Headers whose values are private, in lower case.
PRIVATE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"}
)

HIDDEN = "***"

#: Shorter secrets are hidden where they stand as words of their own: ``1`` would hide half of every report.
_SHORT = 6
#: So much of a secret's beginning tells something of it.
_BEGINNING = 12
#: What stands where a text was cut off.
_CUT = "..."


class Redactor:
    """Hides secrets.

    Args:
        secrets: Values that must not appear, such as the secrets of webhooks and API keys.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may be part of another.
        spellings = sorted({each for secret in secrets if secret for each in _spellings(secret)}, key=len, reverse=True)
        self._long = tuple(spelling for spelling in spellings if len(spelling) > _BEGINNING)
        self._pattern = re.compile("|".join(map(_alternative, spellings))) if spellings else None

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        if self._pattern is None:
            return text
        return self._without_beginnings(self._pattern.sub(HIDDEN, text))

    def headers(self, headers: Headers) -> list[tuple[str, str]]:
        """Return headers without private values."""
        return [(name, HIDDEN if name.lower() in PRIVATE_HEADERS else self.text(value)) for name, value in headers]

    def value(self, value: Any) -> Any:
        """Return JSON without the secrets: every string in it is redacted, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, (list, tuple)) else value

    def _without_beginnings(self, text: str) -> str:
        """Hide the beginning of a secret at the end of a text, or of a part of it that was cut off."""
        if not any(secret[:_BEGINNING] in text for secret in self._long):
            return text
        return _CUT.join(map(self._without_beginning, text.split(_CUT)))

    def _without_beginning(self, text: str) -> str:
        for secret in self._long:
            for length in range(len(secret) - 1, _BEGINNING - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length] + HIDDEN
        return text


def _spellings(secret: str) -> Iterable[str]:
    texts = (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    urls = (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return {*texts, *urls, escape(secret), escape(secret, quote=False)}


def _alternative(spelling: str) -> str:
    pattern = re.escape(spelling)
    return pattern if len(spelling) >= _SHORT else rf"(?<!\w){pattern}(?!\w)"
