"""The lifespan of an ASGI application: https://asgi.readthedocs.io/en/latest/specs/lifespan.html."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mockserver.delivery.in_process.failures import may_be_ctrl_c
from mockserver.delivery.loop_thread import PATIENCE
from mockserver.model.messages import ExchangeError

_logger = logging.getLogger("mockserver.in_process")

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Lifespan:
    """One run of an application's lifespan: a task that lasts from its start to its end.

    Args:
        app: The application.

    Attributes:
        state: What the application keeps for its requests; each gets a copy.
    """

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._told_to_start = False
        self._failure: ExchangeError | None = None
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> ExchangeError | None:
        """Start it, and return why that failed, if it did. An application that knows no lifespan is fine."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._started.wait()
        return self._failure

    async def stop(self) -> None:
        """Let the application shut down, and wait until it has.

        Raises:
            asyncio.TimeoutError: It took more than ``PATIENCE``, and was cancelled.
        """
        if self._task is None:
            return
        self._stopping.set()
        patience = PATIENCE if self._started.is_set() else 0  # one that hangs in its start will not hear of it
        await asyncio.wait([self._task], timeout=patience)
        if self._task.cancel() and patience:
            raise asyncio.TimeoutError

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if may_be_ctrl_c(error):
                raise
            if self._started.is_set() and self._failure is None:
                _logger.warning("the lifespan of an application in this process failed", exc_info=error)
        finally:
            self._started.set()  # it raised or returned instead of starting: as servers do, take it to know no lifespan

    async def _receive(self) -> dict[str, str]:
        if not self._told_to_start:
            self._told_to_start = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._started.set()
        elif message["type"] == "lifespan.startup.failed":
            self._failure = _startup_failure(message.get("message", ""))
            self._started.set()
        elif message["type"] == "lifespan.shutdown.failed":
            _logger.warning("an application in this process failed to shut down: %s", message.get("message", ""))


def _startup_failure(message: str) -> ExchangeError:
    """The failure as an error. Starlette's message is a whole traceback, whose last line says what it was."""
    lines = message.strip().splitlines() or ["it gave no reason"]
    return ExchangeError("app", f"the application did not start: {lines[-1]}", message)
