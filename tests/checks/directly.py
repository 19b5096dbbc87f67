"""A transport to a consumer that is a function, without a connection: the quickest way to hundreds of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from mockserver.delivery.in_process.call import Call
from mockserver.model.messages import Exchange, Request

#: Takes a request, and calls ``begin``, ``add`` and ``end`` of it with the answer.
Respond = Callable[[Call], Awaitable[None]]


class Directly:
    """What it carries arrives as at an application object, whose address it says is this machine's."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        call = Call(request)
        if not call.cut_short:  # a consumer is never asked about half of a body
            await asyncio.wait_for(self._respond(call), timeout)
        call.finish()
        return msgspec.structs.replace(call.exchange(timeout), address="127.0.0.1:80")

    async def close(self) -> None:
        """There is nothing to close."""
