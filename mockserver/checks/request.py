"""Checking a consumer with a mock: what a caller gives, and the run that comes of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mockserver.checks.context import Bench
from mockserver.checks.effects import AccessError, ConsumerAccess
from mockserver.checks.failure_hooks import HookError, post, run_command
from mockserver.checks.model import CheckReport
from mockserver.checks.registry import chosen_checks
from mockserver.checks.run import CheckRun, OnBegin, OnFinding
from mockserver.errors import UsageError
from mockserver.model.expectations import Effect
from mockserver.model.messages import Transport
from mockserver.model.redaction import Redactor
from mockserver.model.targets import Target
from mockserver.replay.probe import ProbeError
from mockserver.server.mock import Mock

#: The verdicts of a must check from which on it fails a build.
FAIL_ON = ("fail", "warn")

#: What stands for the id of an object in the URL of a state.
ID = "{id}"


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, and with what.

    Args:
        url: The consumer's URL, as it is registered; routes of the mock apply.
        secret: What it verifies with.
        events: The event types that it handles; none for the documented four.
        probe: Reads a number that grows with each event that is handled: a URL that answers JSON, or a function.
        probe_json: The JSONPath of the number in the answer of the URL.
        state: Reads the state of one object: a URL with ``{id}`` in it, or a function of the id.
        state_json: The JSONPath of the state in the answer of the URL.
        fail_once: Makes the consumer fail at the next event: a URL to POST to, a command of the shell, or a function.
        only: Ids or names of the checks to make; none for all.
        skip: Ids or names of those not to make.
        seed: Makes ids and orders repeatable; None for another one each time, as a consumer that remembers the ids of
            an earlier run takes them for duplicates.
        diagnose: Whether to look for the reason when a correct delivery is refused.
        time_limit: Seconds after which no further check is begun.
        effect_within: Seconds that an effect may take to show; None to learn it from the first one.
        fail_on: ``warn`` to make a failure of what a must check would warn of: of what it cannot prove.
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
    fail_on: str = "fail"


def prepare_check(
    service: Mock,
    request: CheckRequest,
    on_begin: OnBegin = lambda _: None,
    on_finding: OnFinding = lambda _: None,
) -> CheckRun:
    """Prepare a run of checks; nothing is sent yet.

    Args:
        service: The mock whose transports and routes are used. The deliveries do not go into its record.
        request: What is to be checked.
        on_begin: Called with each check before it is made.
        on_finding: Called with each finding.

    Raises:
        UsageError: A URL, an event type or the name of a check is not valid, or the secret is empty.
    """
    checks = chosen_checks(request.only, request.skip)
    if not request.secret:
        raise UsageError("a check needs the secret that the consumer verifies with")
    if request.probe is None and (request.state is not None or request.fail_once is not None):
        raise UsageError("--state and --fail-once need --probe as well: without it nobody sees what became of an event")
    if request.fail_on not in FAIL_ON:
        raise UsageError(f"fail_on is one of {', '.join(FAIL_ON)}, not {request.fail_on!r}")
    for event in request.events:
        service.catalog.check(event, service.settings.extra_events)
    target = service.routes.resolve(request.url)
    seed = secrets.randbelow(1_000_000_000) if request.seed is None else request.seed
    bench = Bench(
        target=target,
        url=request.url,
        secret=request.secret,
        events=request.events or service.catalog.names,
        catalog=service.catalog,
        transport=service.transport_to(target),
        access=_access(service, request),
        sender=service.settings.sender,
        timeout=service.settings.timeout,
        seed=seed,
        effect_within=request.effect_within,
    )
    report = CheckReport(request.url, seed, time.time())
    secrets_known = [request.secret, *(webhook.secret for webhook in service.webhooks.all())]
    report.redact = Redactor([*secrets_known, *service.settings.api_keys]).text
    return CheckRun(
        bench,
        checks,
        report,
        time_limit=request.time_limit,
        diagnosing=request.diagnose,
        strict=request.fail_on == "warn",
        on_begin=on_begin,
        on_finding=on_finding,
    )


def _access(service: Mock, request: CheckRequest) -> ConsumerAccess:
    return ConsumerAccess(
        count=None if request.probe is None else _count(service, request.probe, request.probe_json),
        state=None if request.state is None else _state(service, request.state, request.state_json),
        fail_once=None if request.fail_once is None else _fail_once(service, request.fail_once),
    )


def _count(service: Mock, probe: str | Callable[[], Any], path: str) -> Callable[[], Awaitable[Any]]:
    if isinstance(probe, str):
        effect = _effect(service, probe, path)
        return lambda: _read(service.prober.read(effect))
    return lambda: _read(service.prober.call(probe, "the probe"))


def _state(service: Mock, state: str | Callable[[str], Any], path: str) -> Callable[[str], Awaitable[Any]]:
    if not isinstance(state, str):
        return lambda object_id: _read(service.prober.call(state, "the state", object_id))
    if ID not in state:
        raise UsageError(f"the URL of the state needs {ID} where the id of an object goes, not {state!r}")
    _effect(service, state.replace(ID, "id"), path)
    return lambda object_id: _read(service.prober.read(Effect(url=state.replace(ID, object_id), json=path)))


def _effect(service: Mock, url: str, path: str) -> Effect:
    """A URL and a JSONPath, checked."""
    # Imported here: few checks have a probe by URL, and all others start faster.
    from jsonpath import JSONPathError, compile  # noqa: PLC0415, A004 - the library's name

    service.routes.resolve(url)
    try:
        compile(path)
    except JSONPathError as error:
        raise UsageError(f"{path!r} is not a JSONPath such as $.count: {str(error).splitlines()[0]}") from None
    return Effect(url=url, json=path)


async def _read(reading: Awaitable[Any]) -> Any:
    try:
        return await reading
    except ProbeError as error:
        raise AccessError(str(error)) from None


def _fail_once(service: Mock, hook: str | Callable[[], Any]) -> Callable[[], Awaitable[None]]:
    if not isinstance(hook, str):
        return lambda: _read(service.prober.call(hook, "fail_once"))
    if hook.lower().startswith(("http://", "https://")):
        target = service.routes.resolve(hook)
        return lambda: _post(service.transport_to(target), target, service)

    async def command() -> None:
        try:
            await run_command(hook)
        except HookError as error:
            raise AccessError(str(error)) from None

    return command


async def _post(transport: Transport, target: Target, service: Mock) -> None:
    try:
        await post(target, transport, service.settings.sender, service.settings.timeout)
    except HookError as error:
        raise AccessError(str(error)) from None
