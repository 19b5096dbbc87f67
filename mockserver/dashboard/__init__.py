"""The dashboard: a page at ``/_mock/ui/`` that shows what happens, on top of the control API.

``static/`` holds the page itself: HTML, CSS and ES modules as the browser reads them, without a build step.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from aiohttp import web

from mockserver.model.settings import Settings
from mockserver.server.mock import Mock
from mockserver.vendor_api.requests import why_foreign

STATIC = Path(__file__).parent / "static"

#: The kinds of files that there are, by suffix.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: Nothing from elsewhere, nothing inline, no frame around it, and no text that becomes markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}


def file_answer(request: web.Request, settings: Settings) -> web.Response:
    """Answer with a file of the page."""
    reason = why_foreign(request.headers, request.scheme, settings)
    if reason is not None:
        return web.Response(status=403, text=reason, headers=HEADERS)
    name = request.match_info["file"] or "index.html"
    found = _read(name) if name in _names() else None
    if found is None:
        return web.Response(status=404, text="The page has no such file.", headers=HEADERS)
    content, tag = found
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, headers={**headers, "Content-Type": TYPES[Path(name).suffix]})


@lru_cache(1)
def _names() -> frozenset[str]:
    """The files that there are: a path that is asked for is only ever compared with these."""
    return frozenset(file.name for file in STATIC.iterdir() if file.suffix in TYPES)


@lru_cache(64)
def _read(name: str) -> tuple[bytes, str]:
    content = (STATIC / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:24]}"'


#: Where the page is.
PAGE = "/_mock/ui/"


class Dashboard:
    """Serves the page, and sends browsers to it that open ``/`` or ``/_mock``."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application, before those of others that take every path."""
        for path in ("/", "/_mock", "/_mock/"):
            entrance = _Entrance(path)
            entrance.add_route("GET", _to_page)
            app.router.register_resource(entrance)
        app.router.add_get("/_mock/ui", _to_page)
        app.router.add_get(PAGE + "{file:.*}", self._file)

    async def _file(self, request: web.Request) -> web.Response:
        return file_answer(request, self._mock.settings)


class _Entrance(web.PlainResource):
    """A path for browsers alone; every other client gets the answer of the route that comes next."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Match a browser that opens a page."""
        if "text/html" not in request.headers.get("Accept", ""):
            return None, set()
        return await super().resolve(request)


async def _to_page(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": PAGE, "Cache-Control": "no-store"})
