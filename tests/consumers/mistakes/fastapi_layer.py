"""Mistakes in what is around the inbox in FastAPI."""
# ruff: noqa: N801 - each class is called what WEBHOOK_MISTAKE calls it

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.consumers.inbox import WEBHOOK_PATH


def install(mistake: str | None, app: FastAPI) -> None:
    """Change an application so that it makes a mistake, if that is one of those below."""
    if mistake == get_accepted.__name__:
        get_accepted(app)
    elif mistake in _IN_FRONT:
        app.add_middleware(_IN_FRONT[mistake])


class _InFront:
    """Middleware that sees each delivery first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = None
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == WEBHOOK_PATH:
            response = self.answer(Request(scope))
        await (response or self._app)(scope, receive, send)

    def answer(self, request: Request) -> Response | None:
        """An answer in the application's place, or None."""
        raise NotImplementedError


class content_type_exact(_InFront):
    def answer(self, request: Request) -> Response | None:
        if request.headers.get("Content-Type") == "application/json":
            return None
        return JSONResponse({"error": "unsupported media type"}, 415)


class redirects(_InFront):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == WEBHOOK_PATH + "/":
            await self._app({**scope, "path": WEBHOOK_PATH}, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def answer(self, _request: Request) -> Response | None:
        return RedirectResponse(WEBHOOK_PATH + "/", 308)


class csrf(_InFront):
    def answer(self, request: Request) -> Response | None:
        token = request.cookies.get("csrftoken")
        if token is not None and token == request.headers.get("X-CSRFToken"):
            return None
        return HTMLResponse("<h1>Forbidden</h1><p>CSRF verification failed.</p>", 403)


class login_redirect(_InFront):
    def answer(self, request: Request) -> Response | None:
        return None if "session" in request.cookies else RedirectResponse("/login", 302)


def get_accepted(app: FastAPI) -> None:
    receive = next(route.endpoint for route in app.routes if isinstance(route, APIRoute) and route.path == WEBHOOK_PATH)
    app.add_api_route(WEBHOOK_PATH, receive, methods=["GET", "PUT"])


_IN_FRONT = {each.__name__: each for each in (content_type_exact, redirects, csrf, login_redirect)}
