"""What a check from Python is given: the consumer, the secret, and options by keyword."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypedDict
from urllib.parse import urljoin

from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.delivery.in_process import App, Interface, read_destination
from mockserver.errors import UsageError
from mockserver.model.redaction import Redactor
from mockserver.model.targets import Route
from mockserver.model.webhooks import Webhook
from mockserver.model.wording import did_you_mean
from mockserver.reports.check_report import CheckReport
from mockserver.server.mock import Mock

#: The secret where none is given and none is known, as in ``register()``.
TEST_SECRET = "whsec_test"  # noqa: S105 - a test secret

#: The URL that an application in this process sees as its own. Frameworks that look at the host let it pass in tests.
_HOST = "https://testserver"
_PATH = "/webhooks/playgent"

#: The options that take one or several.
_SEVERAL = {"events", "only", "skip"}


class CheckKeywords(TypedDict, total=False):
    """What can be chosen for a check, by keyword; each may be left out.

    Args:
        path: The path of the webhook, where the target is an application object; ``/webhooks/playgent`` by default.
        interface: How the application is called, where its shape does not show it: ``asgi`` or ``wsgi``.
        probe: Reads a number that grows with each event that the consumer handles: a function, or a URL that answers
            JSON. With it the effects are checked, and not the answers alone. A URL may be relative to the target's. A
            plain function is called in a thread, an async one on the loop of the test that awaits ``acheck``.
        probe_json: The JSONPath of the number in the answer of the URL; ``$`` by default.
        state: Reads the state of one object: a function of its id, or a URL with ``{id}`` in it.
        state_json: The JSONPath of the state in the answer of the URL; ``$`` by default.
        fail_once: Makes the consumer fail at the next event: a function, a URL to POST to, or a command of the shell.
        events: The event types that the consumer handles; by default those of the registered webhook, else all.
        only: Ids or names of the checks to make; all by default.
        skip: Ids or names of the checks not to make.
        seed: Makes ids and orders repeatable; by default they are others each time.
        diagnose: Whether to look for the reason when a correct delivery is refused.
        time_limit: Seconds after which no further check is begun; 120 by default.
        effect_within: Seconds that an effect may take to show; by default it is learned from the first one.
        fail_on: What fails the check: ``proven``; ``suspected`` (the default), which includes forgeries that
            are answered 2xx; or ``should``, which includes what should be met.
        large_body: The size of a forged body that must be refused before all of it is read, in bytes; none by default.
    """

    path: str
    interface: Interface | None
    probe: str | Callable[[], Any] | None
    probe_json: str
    state: str | Callable[[str], Any] | None
    state_json: str
    fail_once: str | Callable[[], Any] | None
    events: str | Sequence[str]
    only: str | Sequence[str]
    skip: str | Sequence[str]
    seed: int | None
    diagnose: bool
    time_limit: float
    effect_within: float | None
    fail_on: Literal["proven", "suspected", "should", "fail", "warn"]
    large_body: int


def checking(
    mock: Mock, target: object, secret: str | None, options: CheckKeywords
) -> Coroutine[Any, Any, CheckReport]:
    """Prepare a check, in the caller's own thread: an application belongs to the loop that runs there.

    Raises UsageError.
    """
    chosen = _read_options(options)
    path, interface = chosen.pop("path", None), chosen.pop("interface", None)
    destination = None if target is None else read_destination(target, interface)
    if path is not None and not isinstance(destination, App):
        raise UsageError("path is for an application object; that of a URL is in the URL")
    return _check(mock, destination, path or _PATH, secret, chosen)


async def _check(
    mock: Mock, destination: str | App | None, path: str, secret: str | None, chosen: dict[str, Any]
) -> CheckReport:
    with _address(mock, destination, path) as url:
        webhook = _registered(mock, url)
        secret = secret if secret is not None else webhook.secret if webhook else TEST_SECRET
        request = CheckOptions(
            url=url, secret=secret, **{"events": webhook.events if webhook else (), **chosen, **_absolute(url, chosen)}
        )
        known = (registered.secret for registered in mock.webhooks.all())
        report = CheckReport(Redactor.of(mock.settings, secret, *known))
        await prepare_check(mock, request, report).run()
        return report


def _read_options(options: CheckKeywords) -> dict[str, Any]:
    """Check the names of options; a string where several are allowed is one of them."""
    known = CheckKeywords.__annotations__
    for name in options:
        if name not in known:
            raise UsageError(f"check takes no {name!r}; it takes {', '.join(known)}{did_you_mean(name, known)}")
    chosen: dict[str, Any] = {**options}
    for name in _SEVERAL & chosen.keys():
        chosen[name] = (chosen[name],) if isinstance(chosen[name], str) else tuple(chosen[name])
    return chosen


def _absolute(url: str, chosen: Mapping[str, Any]) -> dict[str, str]:
    """The URLs that read the consumer, where they were given relative to its own."""
    given = {name: chosen[name] for name in ("probe", "state") if isinstance(chosen.get(name), str)}
    return {name: urljoin(url, value) for name, value in given.items() if value.startswith("/")}


@contextmanager
def _address(mock: Mock, destination: str | App | None, path: str) -> Iterator[str]:
    """Give the URL of what is to be checked; an application is routed for as long as that takes."""
    if not isinstance(destination, App):
        yield _only_webhook(mock).url if destination is None else destination
        return
    base = _free_host(mock)
    known = destination in mock.apps
    key = mock.apps.add(destination)
    mock.routes.add(Route(base, base, key))
    try:
        yield f"{base}/{path.removeprefix('/')}"
    finally:
        mock.routes.remove(base)
        if not known:
            mock.apps.remove(key)


def _free_host(mock: Mock) -> str:
    """An address that no route of the test redirects."""
    hosts = itertools.chain([_HOST], (f"{_HOST}:{port}" for port in itertools.count(8001)))
    return next(host for host in hosts if host not in mock.routes)


def _only_webhook(mock: Mock) -> Webhook:
    webhooks = _active(mock)
    if not webhooks:
        raise UsageError(
            "there is nothing to check: no webhook is registered. Register one, or say what to check: "
            'check("http://127.0.0.1:3000/webhooks/playgent") or check(app)'
        )
    if len(webhooks) > 1:
        urls = ", ".join(dict.fromkeys(webhook.url for webhook in webhooks))
        raise UsageError(f"{len(webhooks)} webhooks are registered: say which URL to check; they have {urls}")
    return webhooks[0]


def _registered(mock: Mock, url: str) -> Webhook | None:
    """The webhook with this URL; of several, the one registered last."""
    return next((webhook for webhook in reversed(_active(mock)) if webhook.url == url), None)


def _active(mock: Mock) -> list[Webhook]:
    return [webhook for webhook in mock.webhooks.all() if webhook.active]
