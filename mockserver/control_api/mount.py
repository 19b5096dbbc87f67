"""Where the control API is mounted: what answers is imported and made by its first request.

Many a mock that is served is only registered with and delivers, and does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from mockserver.control_api.routes import Routes
    from mockserver.server.mock import Mock


class ControlApi:
    """The routes under ``/_mock``."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._routes: Routes | None = None

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_route("*", "/_mock{path:(/.*)?}", self._answer)
        app.on_shutdown.append(self._end)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._routes is None:
            from mockserver.control_api.routes import Routes  # noqa: PLC0415 - start-up does without

            self._routes = Routes(self._mock)
        return await self._routes.answer(request)

    async def _end(self, _: web.Application) -> None:
        if self._routes is not None:
            await self._routes.end()
