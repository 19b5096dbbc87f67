"""Checking a consumer with a mock: the options, and the run that is made of them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import IO, Any, Protocol

import msgspec

from mockserver.checks.context import CheckContext
from mockserver.checks.effects import AccessError, ConsumerAccess
from mockserver.checks.model import CheckResult, FailOn
from mockserver.checks.registry import chosen_checks
from mockserver.checks.run import CheckRun, OnBegin, OnFinding
from mockserver.errors import UsageError
from mockserver.model.events import Catalog
from mockserver.model.expectations import Effect
from mockserver.model.json_values import check_path
from mockserver.model.messages import Request, Transport
from mockserver.model.settings import SenderHeaders, Settings, header_lines
from mockserver.model.targets import Routes, Target
from mockserver.replay.probe import ProbeError, Prober

# ---------------------------------------------------------------- hooks that make a consumer fail once

#: Seconds that a command may take.
_PATIENCE = 30.0
#: The most characters of what a command says that are shown.
_SHOWN = 200


async def run_command(command: str) -> None:
    """Run a command of the shell.

    It gets a session of its own: when it takes too long, or is not waited for any more, all that it started is ended.
    Raises AccessError.
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
            raise AccessError(f"the command {command!r} took longer than {_PATIENCE:g} s")
        if process.returncode:
            said = _end_of(err) or _end_of(out)
            raise AccessError(
                f"the command {command!r} ended with exit code {process.returncode}" + (f": {said}" if said else "")
            )


async def _started(command: str, out: IO[bytes], err: IO[bytes]) -> asyncio.subprocess.Process:
    """Start a shell; if it is cancelled before it has begun, end it with everything that it started."""
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
    """POST nothing to a URL; raises AccessError."""
    head = f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{header_lines(sender)}"
    request = Request(target, f"{head}Content-Length: 0\r\n\r\n".encode("ascii"), b"")
    exchange = await transport.exchange(request, timeout)
    if exchange.error is not None or exchange.response is None:
        raise AccessError(f"POST {target.url} got no answer: {exchange.error.message if exchange.error else 'none'}")
    if not exchange.response.ok:
        raise AccessError(f"POST {target.url} answered {exchange.response.status}")


# ---------------------------------------------------------------- options, and the run

#: What fails a build; ``fail`` and ``warn`` are the words of version 0.1.
FAIL_ON: Mapping[str, FailOn] = {
    "proven": "proven",
    "suspected": "suspected",
    "should": "should",
    "fail": "proven",
    "warn": "suspected",
}

#: The placeholder for the id of an object in the URL of a state.
ID = "{id}"


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, and with what; :class:`~mockserver.testing.check_target.CheckKeywords` has more on each.

    Here events, checks to make and checks to leave out are tuples, where none stands for all; a seed of None is another
    one each time, as a consumer that remembers the ids of an earlier run takes them for duplicates.
    """

    url: str
    secret: str
    events: tuple[str, ...] = ()
    probe: str | Callable[[], Any] | None = None
    probe_json: str = "$"
    state: str | Callable[[str], Any] | None = None
    state_json: str = "$"
    fail_once: str | Callable[[], Any] | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    seed: int | None = None
    diagnose: bool = False
    time_limit: float = 120.0
    effect_within: float | None = None
    fail_on: str = "suspected"
    large_body: int = 0


class CheckHost(Protocol):
    """The parts of a mock that a check works with."""

    @property
    def settings(self) -> Settings:
        """How requests travel."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The event types with their samples."""
        ...

    @property
    def routes(self) -> Routes:
        """Where requests for a URL really go."""
        ...

    @property
    def prober(self) -> Prober:
        """Reads the consumer's state."""
        ...

    def transport_to(self, target: Target) -> Transport:
        """Return what carries requests to a target."""
        ...


def prepare_check(
    host: CheckHost,
    options: CheckOptions,
    report: CheckResult | None = None,
    on_begin: OnBegin = lambda _: None,
    on_finding: OnFinding = lambda _: None,
) -> CheckRun:
    """Prepare a run of checks that fills a report; nothing is sent yet. Raises UsageError."""
    checks = chosen_checks(options.only, options.skip)
    if not options.secret:
        raise UsageError("a check needs the secret that the consumer verifies with")
    if options.probe is None and (options.state is not None or options.fail_once is not None):
        raise UsageError(
            "--state and --fail-once need --probe as well: without it what became of an event cannot be seen"
        )
    chosen = [check for check in checks if options.only and check.id != "PG001"]
    if chosen and options.probe is None and all(check.level >= 1 for check in chosen):
        names = ", ".join(check.id for check in chosen)
        raise UsageError(f"without --probe, which shows effects, nothing of what was chosen can be tested: {names}")
    if options.fail_on not in FAIL_ON:
        raise UsageError(f"fail_on is one of proven, suspected and should, not {options.fail_on!r}")
    for event in options.events:
        host.catalog.check(event, host.settings.extra_events)
    target = host.routes.resolve(options.url)
    seed = secrets.randbelow(1_000_000_000) if options.seed is None else options.seed
    context = CheckContext(
        target=target,
        url=options.url,
        secret=options.secret,
        events=options.events or host.catalog.names,
        catalog=host.catalog,
        transport=host.transport_to(target),
        access=_access(host, options),
        sender=host.settings.sender,
        timeout=host.settings.timeout,
        seed=seed,
        effect_within=options.effect_within,
        large_body=options.large_body,
    )
    report = CheckResult() if report is None else report
    report.target, report.seed, report.began = options.url, seed, time.time()
    return CheckRun(
        context,
        checks,
        report,
        time_limit=options.time_limit,
        diagnosing=options.diagnose,
        fail_on=FAIL_ON[options.fail_on],
        on_begin=on_begin,
        on_finding=on_finding,
    )


def _access(host: CheckHost, options: CheckOptions) -> ConsumerAccess:
    return ConsumerAccess(
        count=None if options.probe is None else _count(host, options.probe, options.probe_json),
        state=None if options.state is None else _state(host, options.state, options.state_json),
        fail_once=None if options.fail_once is None else _fail_once(host, options.fail_once),
    )


def _count(host: CheckHost, probe: str | Callable[[], Any], path: str) -> Callable[[], Awaitable[Any]]:
    if isinstance(probe, str):
        effect = _effect(host, probe, path)
        return lambda: _read(host.prober.read(effect))
    return lambda: _read(host.prober.call(probe, "the probe"))


def _state(host: CheckHost, state: str | Callable[[str], Any], path: str) -> Callable[[str], Awaitable[Any]]:
    if not isinstance(state, str):
        return lambda object_id: _read(host.prober.call(state, "the state", object_id))
    if ID not in state:
        raise UsageError(f"the URL of the state needs {ID} where the id of an object goes, not {state!r}")
    _effect(host, state.replace(ID, "id"), path)
    return lambda object_id: _read(host.prober.read(Effect(url=state.replace(ID, object_id), json=path)))


def _effect(host: CheckHost, url: str, path: str) -> Effect:
    """A URL and a JSONPath, checked."""
    host.routes.resolve(url)
    try:
        check_path(path)
    except ValueError as error:
        raise UsageError(f"{path!r} is not a JSONPath such as $.count: {error}") from None
    return Effect(url=url, json=path)


async def _read(reading: Awaitable[Any]) -> Any:
    try:
        return await reading
    except ProbeError as error:
        raise AccessError(str(error)) from None


def _fail_once(host: CheckHost, hook: str | Callable[[], Any]) -> Callable[[], Awaitable[None]]:
    if not isinstance(hook, str):
        return lambda: _read(host.prober.call(hook, "fail_once"))
    if hook.lower().startswith(("http://", "https://")):
        target = host.routes.resolve(hook)
        return lambda: post(target, host.transport_to(target), host.settings.sender, host.settings.timeout)
    return lambda: run_command(hook)
