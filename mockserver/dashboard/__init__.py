"""The dashboard: a page at ``/_mock/ui/`` that shows what happens, on top of the control API.

- here: where it is mounted; small, because every server mounts it;
- :mod:`~mockserver.dashboard.files`: the files and their headers, imported when the page is opened;
- ``static/``: the page itself: HTML, CSS and ES modules as the browser reads them, without a build step.
"""

from __future__ import annotations

from aiohttp import web

from mockserver.server.mock import Mock

#: Where the page is.
PAGE = "/_mock/ui/"


class Dashboard:
    """Serves the page, and sends browsers to it that open ``/`` or ``/_mock``.

    Args:
        mock: Whose page it is.
    """

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
        # Imported when used: most servers run without anybody looking.
        from mockserver.dashboard.files import file_answer  # noqa: PLC0415 - start-up does without

        return file_answer(request, self._mock.settings)


class _Entrance(web.PlainResource):
    """A path that is there for browsers alone; everybody else gets the answer of the route that comes next."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Match a browser that opens a page."""
        if "text/html" not in request.headers.get("Accept", ""):
            return None, set()
        return await super().resolve(request)


async def _to_page(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": PAGE, "Cache-Control": "no-store"})
