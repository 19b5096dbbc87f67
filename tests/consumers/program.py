"""What makes a program of each Python consumer: settings from the environment, and registering at the vendor's API."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from typing import NamedTuple, NoReturn

from tests.consumers import mistakes
from tests.consumers.inbox import ID_FIELDS, WEBHOOK_PATH

HOST = "127.0.0.1"
_ATTEMPTS = 6
_BACK_OFF = 0.1  # seconds before the second attempt, twice as long before each one after it
_LONGEST_WAIT = 30.0  # seconds, whatever Retry-After asks for


class Settings(NamedTuple):
    """The program's configuration."""

    secret: str
    playgent_url: str
    public_url: str
    api_key: str
    events: tuple[str, ...]
    port: int
    mistake: str | None


def read_settings(consumer: str) -> Settings:
    """Read the environment; without a secret the program refuses to start, with exit code 2."""
    secret = os.environ.get("WEBHOOK_SECRET", "")
    if not secret:
        _stop("WEBHOOK_SECRET is not set: without it no delivery can be verified")
    port = os.environ.get("PORT") or "0"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        _stop(f"PORT is {port!r}, which is not a port number")
    mistake = os.environ.get("WEBHOOK_MISTAKE") or None
    try:
        mistakes.check(consumer, mistake)
    except mistakes.UnknownMistakeError as problem:
        _stop(f"WEBHOOK_MISTAKE: {problem}")
    return Settings(
        secret=secret,
        playgent_url=os.environ.get("PLAYGENT_URL", "").rstrip("/"),
        public_url=os.environ.get("PUBLIC_URL", ""),
        api_key=os.environ.get("PLAYGENT_API_KEY") or "test-key",
        events=tuple(filter(None, os.environ.get("EVENTS", "").split(","))) or tuple(ID_FIELDS),
        port=int(port),
        mistake=mistake,
    )


def exit_on_sigterm() -> None:
    """End the process in an orderly way, with exit code 0, when it is told to terminate."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))


def started(settings: Settings, port: int) -> None:
    """Tell that connections are accepted, then register in the background if there is somewhere to register."""
    own_url = f"http://{HOST}:{port}"
    print(f"listening on {own_url}", flush=True)
    if settings.playgent_url:
        webhook_url = settings.public_url or own_url + WEBHOOK_PATH
        threading.Thread(target=register, args=(settings, webhook_url), daemon=True).start()


def register(settings: Settings, webhook_url: str) -> None:
    """Register the webhook once; a vendor that is busy, failing or away for a moment is asked again."""
    body = {"url": webhook_url, "events": list(settings.events), "secret": settings.secret}
    request = urllib.request.Request(
        settings.playgent_url + "/v1/webhooks",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {settings.api_key}", "Content-Type": "application/json"},
        method="POST",
    )
    problem = ""
    for attempt in range(_ATTEMPTS):
        wait = _BACK_OFF * 2**attempt
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                print(f"registered {json.load(response)['webhook_id']}", flush=True)
                return
        except urllib.error.HTTPError as refusal:
            with refusal:
                problem = f"HTTP {refusal.code}"
                if refusal.code != 429 and refusal.code < 500:
                    break
                wait = _retry_after(refusal.headers.get("Retry-After"), wait)
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as trouble:
            problem = str(trouble) or type(trouble).__name__
        if attempt < _ATTEMPTS - 1:
            threading.Event().wait(wait)
    print(f"registration failed: {problem}", file=sys.stderr, flush=True)


def _retry_after(header: str | None, otherwise: float) -> float:
    with contextlib.suppress(ValueError):
        return min(max(float(header or ""), 0.0), _LONGEST_WAIT)
    return otherwise


def _stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)
