"""Hooks that make a consumer fail once: a command of the shell, or a URL to POST to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO

from mockserver.model.messages import Request, Transport
from mockserver.model.settings import SenderHeaders, header_lines
from mockserver.model.targets import Target

#: Seconds that a command may take.
_PATIENCE = 30.0
#: The most characters of what a command says that are shown.
_SHOWN = 200


class HookError(Exception):
    """The hook does not work; the message says why."""


async def run_command(command: str) -> None:
    """Run a command of the shell.

    It gets a session of its own: when it takes too long, or is not waited for any more, all that it started is ended.

    Args:
        command: The command, as one would type it.

    Raises:
        HookError: It cannot be run, fails, or takes longer than half a minute.
    """
    # Into files: what a command leaves running in the background would keep a pipe open, and be waited for.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = await _started(command, out, err)
        ending = asyncio.ensure_future(process.wait())
        try:
            # Not wait_for: until Python 3.12 it loses a cancellation that comes when the command ends.
            await asyncio.wait([ending], timeout=_PATIENCE)
        finally:
            in_time = ending.done()
            await _end(process)
            await ending
        if not in_time:
            raise HookError(f"the command {command!r} took longer than {_PATIENCE:g} s")
        if process.returncode:
            said = _end_of(err) or _end_of(out)
            raise HookError(
                f"the command {command!r} ended with exit code {process.returncode}" + (f": {said}" if said else "")
            )


async def _started(command: str, out: IO[bytes], err: IO[bytes]) -> asyncio.subprocess.Process:
    """Start a shell; one that is not wanted any more before it has begun is ended with all that it started."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_shell(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _end(await starting)
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):  # it has ended at this very moment
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # pragma: no cover - Windows, which has no groups of processes
            process.kill()
    await process.wait()


def _end_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").strip()[-_SHOWN:]


async def post(target: Target, transport: Transport, sender: SenderHeaders, timeout: float) -> None:
    """POST nothing to a URL.

    Args:
        target: The URL.
        transport: What carries the request.
        sender: The headers that say who sends it, and what the user adds.
        timeout: Seconds until it must be answered.

    Raises:
        HookError: The answer is not 2xx.
    """
    head = f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{header_lines(sender)}"
    request = Request(target, f"{head}Content-Length: 0\r\n\r\n".encode("ascii"), b"")
    exchange = await transport.exchange(request, timeout)
    if exchange.error is not None or exchange.response is None:
        raise HookError(f"POST {target.url} got no answer: {exchange.error.message if exchange.error else 'none'}")
    if not exchange.response.ok:
        raise HookError(f"POST {target.url} answered {exchange.response.status}")
