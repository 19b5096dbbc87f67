"""One call of an operation, and the answers that operations give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from mockserver.model.identifiers import named_account
from mockserver.reports.serializers import encode_view
from mockserver.vendor_api.requests import code_of

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Call(msgspec.Struct, frozen=True):
    """One call of an operation, read and checked as far as its table goes.

    Args:
        request: The request.
        path: The parameters in its path.
        query: The parameters in its query.
        body: The body, if the operation takes one.
    """

    request: web.Request
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def account(self) -> str | None:
        """The name of the account that is asked for; None for all."""
        value = self.query.get("account")
        return None if value is None else named_account(value)


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Return an answer that carries a view as JSON."""
    return web.Response(body=encode_view(value), status=status, headers=_HEADERS)


def error_answer(status: int, message: str, **more: Any) -> web.Response:
    """Return an error: its code, its message, and what else there is to know."""
    return json_answer({"error": {"code": code_of(status), "message": message, **more}}, status)
