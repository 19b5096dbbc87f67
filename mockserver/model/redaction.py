"""Redaction: what must not be in any output, wherever it came from.

Secrets are hidden in every spelling in which a consumer may echo them: as they are, in JSON, in a URL, in HTML or XML;
also the beginning of one where a text was cut off in its middle. A short secret, such as ``failed``, is hidden where it
is a value (of a header, a field, a query), and nowhere else: keys and our own words stay readable.

A record is cleaned once, by :meth:`Redactor.delivery`, before it becomes part of a report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from mockserver.model.messages import Exchange, Headers, Request, Response
from mockserver.model.records import Attempt, Delivery
from mockserver.model.settings import Settings, read_header

#: Headers whose values are private, in lower case.
PRIVATE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"}
)

HIDDEN = "***"

#: A shorter secret is hidden only where it is a whole value.
SHORTEST = 8
#: This much of a secret's beginning is worth hiding.
_BEGINNING = 12
#: What follows where a text was cut off.
_CUT = "..."
#: Headers, in lower case, that are no secret when a user adds them.
_OPEN_HEADERS = ("user-agent", "accept", "accept-language")
#: What ends a sentence or closes a bracket after a URL is not a part of it.
_PRIVATE_PARAMETER = r"(?i)([?&](?:secret|api_?key|token|access_token|key|password)=)[^&#\s\"'<>]*[^&#\s\"'<>)\]},;:.]"


def without_tokens(text: str) -> str:
    """Return a text without the tokens and keys in the queries of its URLs."""
    return re.sub(_PRIVATE_PARAMETER, rf"\1{HIDDEN}", text) if "=" in text else text


class Redactor:
    """Hides secrets: given values wherever they appear, and the values of headers that are private."""

    def __init__(self, secrets: Iterable[str] = (), headers: Iterable[str] = ()) -> None:
        known = [secret for secret in secrets if secret]
        self._headers = PRIVATE_HEADERS | {name.lower() for name in headers}
        # The longest first: one secret may be part of another.
        long = sorted({one for secret in known if len(secret) >= SHORTEST for one in _spellings(secret)}, key=_length)
        short = sorted({one for secret in known if len(secret) < SHORTEST for one in _spellings(secret)}, key=_length)
        self._cut_off = tuple(spelling for spelling in long if len(spelling) > _BEGINNING)
        self._long = re.compile("|".join(map(re.escape, long))) if long else None
        values = "|".join(map(re.escape, short))
        self._short = re.compile(rf"""([:=]\s?["']?|^["']?)(?:{values})(?=["'&;,\s}}\])]|$)""") if short else None

    @classmethod
    def of(cls, settings: Settings, *secrets: str) -> Redactor:
        """Return what hides everything that settings hold in private, and other secrets, such as those of webhooks."""
        added = [read_header(line) for line in settings.headers]
        private = [(name, value) for name, value in added if name.lower() not in _OPEN_HEADERS]
        values = [word for _, value in private for word in (value, value.split()[-1])]
        return cls([*secrets, *settings.api_keys, *values], [name for name, _ in private])

    def text(self, text: str) -> str:
        """Return a text of ours without the secrets that may be quoted in it."""
        if self._long is not None:
            text = self._without_beginnings(self._long.sub(HIDDEN, text))
        return without_tokens(text)

    def message_text(self, text: str) -> str:
        """Return a part of a message without the secrets; short ones are hidden where they are values."""
        text = self.text(text)
        return self._short.sub(rf"\1{HIDDEN}", text) if self._short is not None else text

    def headers(self, headers: Headers) -> list[tuple[str, str]]:
        """Return headers without private values."""
        return [(name, self._header(name, value)) for name, value in headers]

    def value(self, value: Any) -> Any:
        """Return JSON without the secrets that may be quoted in its strings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, (list, tuple)) else value

    def delivery(self, delivery: Delivery) -> Delivery:
        """Return a copy of a delivery without secrets: what every report and the control API show.

        Where a message held a secret, ``***`` is in its place: the request cannot be sent again from it.
        """
        event = delivery.event
        return msgspec.structs.replace(
            delivery,
            event=msgspec.structs.replace(event, type=self.text(event.type), payload=self._bytes(event.payload)),
            url=self.message_text(delivery.url),
            source=self.text(delivery.source),
            unmet=tuple(map(self.text, delivery.unmet)),
            attempts=tuple(map(self._attempt, delivery.attempts)),
        )

    def _attempt(self, attempt: Attempt) -> Attempt:
        request = attempt.request and self.request(attempt.request)
        return msgspec.structs.replace(attempt, request=request, exchange=self._exchange(attempt.exchange))

    def request(self, request: Request) -> Request:
        """Return a request without secrets."""
        target = msgspec.structs.replace(request.target, path=self.message_text(request.target.path))
        return msgspec.structs.replace(
            request,
            target=target,
            head=self._head(request.head),
            body=self._bytes(request.body),
            plan=tuple(self._bytes(step) if isinstance(step, bytes) else step for step in request.plan),
        )

    def _exchange(self, exchange: Exchange) -> Exchange:
        response, error = exchange.response, exchange.error
        return msgspec.structs.replace(
            exchange,
            response=response and self._response(response),
            error=error
            and msgspec.structs.replace(error, message=self.text(error.message), detail=self.text(error.detail)),
        )

    def _response(self, response: Response) -> Response:
        return msgspec.structs.replace(
            response,
            reason=self.text(response.reason),
            headers=tuple(self.headers(response.headers)),
            body=self._bytes(response.body),
        )

    def _head(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        return "\r\n".join([self.message_text(first), *map(self._header_line, lines)]).encode("latin-1")

    def _header_line(self, line: str) -> str:
        name, colon, value = line.partition(":")
        if not colon:
            return line
        space = value[: len(value) - len(value.lstrip())]
        return f"{name}:{space}{self._header(name, value.strip())}"

    def _header(self, name: str, value: str) -> str:
        return HIDDEN if name.lower() in self._headers and value else self.message_text(value)

    def _bytes(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        clean = self.message_text(text)
        return data if clean == text else clean.encode("utf-8", "surrogateescape")

    def _without_beginnings(self, text: str) -> str:
        """Hide the beginning of a secret at the end of a text, or of a part of it that was cut off."""
        if not any(secret[:_BEGINNING] in text for secret in self._cut_off):
            return text
        return _CUT.join(map(self._without_beginning, text.split(_CUT)))

    def _without_beginning(self, text: str) -> str:
        for secret in self._cut_off:
            begin = text.find(secret[:_BEGINNING], max(len(text) - len(secret), 0))
            while begin >= 0:
                if secret.startswith(text[begin:]):
                    return text[:begin] + HIDDEN
                begin = text.find(secret[:_BEGINNING], begin + 1)
        return text


def _spellings(secret: str) -> Iterable[str]:
    texts = (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    urls = (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return {*texts, *urls, escape(secret), escape(secret, quote=False)}


def _length(spelling: str) -> tuple[int, str]:
    return -len(spelling), spelling
