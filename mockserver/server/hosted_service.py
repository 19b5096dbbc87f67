"""A service on a thread of its own: how it starts and stops, and how callers reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from mockserver.delivery.in_process import noting_the_loop
from mockserver.errors import UsageError
from mockserver.model.settings import read_settings
from mockserver.server.composition import Service
from mockserver.server.loop_thread import LoopThread

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
Hosted = TypeVar("Hosted", bound="HostedService")


class HostedService:
    """A service whose event loop runs on a thread: usable as ``with`` and ``async with``.

    Args:
        **settings: The fields of :class:`mockserver.model.settings.Settings`.

    Raises:
        UsageError: An unknown setting, or a value that is not allowed.
    """

    def __init__(self, **settings: Any) -> None:
        self._service = Service(read_settings(**settings))
        self._thread: LoopThread | None = None

    def start(self) -> Self:
        """Start the server; returns when it accepts connections.

        Raises:
            StartError: The port is in use, or the address is not this machine's.
            UsageError: It runs already.
        """
        if self._thread is not None:
            raise UsageError("the server is running already")
        thread = LoopThread("mockserver")
        try:
            thread.wait(self._service.start())
        except BaseException:
            thread.close()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Stop the server and close every connection. Safe to call more than once."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.wait(self._service.stop())
                self._service.apps.settle()
            finally:
                thread.close()

    def __enter__(self: Hosted) -> Hosted:  # noqa: PYI019 - typing.Self needs Python 3.11
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self: Hosted) -> Hosted:  # noqa: PYI019 - typing.Self needs Python 3.11
        # Off the loop: starting imports aiohttp and takes some milliseconds.
        return await asyncio.get_running_loop().run_in_executor(None, self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.stop)

    @property
    def _running(self) -> LoopThread:
        if self._thread is None:
            raise UsageError("the server is not running: use `with MockServer() as mock:`, or call start()")
        self._service.touch()
        return self._thread

    async def _awaited(self, work: Coroutine[Any, Any, T]) -> T:
        with noting_the_loop():  # an application in this process runs on it
            future = self._running.submit(work)
        return await asyncio.wrap_future(future)
