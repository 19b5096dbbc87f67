"""Mistakes in what is around the inbox in Flask."""

from __future__ import annotations

from io import BytesIO

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from tests.consumers.inbox import WEBHOOK_PATH


def install(mistake: str | None, app: Flask) -> None:
    """Change an application so that it makes a mistake, if that is one of those below."""
    change = _CHANGES.get(mistake or "")
    if change is not None:
        change(app)


def is_threaded(mistake: str | None) -> bool:
    """Whether each connection has a thread; for the mistake ``one_at_a_time`` none has."""
    return mistake != "one_at_a_time"


def content_length_only(app: Flask) -> None:
    @app.before_request
    def read() -> None:
        body = request.environ["wsgi.input"].read(request.content_length or 0)
        request.environ["wsgi.input"] = BytesIO(body)


def content_type_exact(app: Flask) -> None:
    @app.before_request
    def look_at_the_type() -> None:
        if _is_delivery() and request.headers.get("Content-Type") != "application/json":
            raise UnsupportedMediaType


def redirects(app: Flask) -> None:
    app.add_url_rule(WEBHOOK_PATH + "/", "with_slash", app.view_functions["receive"], methods=["POST"])

    @app.before_request
    def add_slash() -> AnyResponse | None:
        return redirect(WEBHOOK_PATH + "/", 308) if _is_delivery() else None


def csrf(app: Flask) -> None:
    @app.before_request
    def look_for_token() -> AnyResponse | None:
        token = request.cookies.get("csrftoken")
        if _is_delivery() and (token is None or token != request.headers.get("X-CSRFToken")):
            return Response("<h1>Forbidden</h1><p>CSRF verification failed.</p>", 403)
        return None


def login_redirect(app: Flask) -> None:
    @app.before_request
    def look_for_session() -> AnyResponse | None:
        return redirect("/login", 302) if _is_delivery() and "session" not in request.cookies else None


def get_accepted(app: Flask) -> None:
    app.add_url_rule(WEBHOOK_PATH, "any_method", app.view_functions["receive"], methods=["GET", "PUT"])


def _is_delivery() -> bool:
    return request.method == "POST" and request.path == WEBHOOK_PATH


_CHANGES = {
    change.__name__: change
    for change in (content_length_only, content_type_exact, redirects, csrf, login_redirect, get_accepted)
}
