"""What makes a program of each Python consumer: settings from the environment, and registering at the vendor's API."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.request
from typing import NamedTuple

from tests.consumers.inbox import ID_FIELDS, WEBHOOK_PATH

HOST = "127.0.0.1"


class Settings(NamedTuple):
    """The program's configuration."""

    secret: str
    playgent_url: str
    mistake: str | None


def read_settings() -> Settings:
    """Read the environment, as :func:`tests.consumers.launch.launch` sets it."""
    return Settings(
        secret=os.environ["WEBHOOK_SECRET"],
        playgent_url=os.environ["PLAYGENT_URL"].rstrip("/"),
        mistake=os.environ["WEBHOOK_MISTAKE"] or None,
    )


def exit_on_sigterm() -> None:
    """End the process in an orderly way, with exit code 0, when it is told to terminate."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))


def started(settings: Settings, port: int) -> None:
    """Tell that connections are accepted, then register in the background if there is somewhere to register."""
    own_url = f"http://{HOST}:{port}"
    print(f"listening on {own_url}", flush=True)
    if settings.playgent_url:
        threading.Thread(target=register, args=(settings, own_url + WEBHOOK_PATH), daemon=True).start()


def register(settings: Settings, webhook_url: str) -> None:
    """Register the webhook."""
    body = {"url": webhook_url, "events": list(ID_FIELDS), "secret": settings.secret}
    request = urllib.request.Request(
        settings.playgent_url + "/v1/webhooks",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer test-key", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        print(f"registered {json.load(response)['webhook_id']}", flush=True)
