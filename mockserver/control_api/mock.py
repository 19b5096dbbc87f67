"""What the control API controls, as far as it needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mockserver.model.events import Catalog
from mockserver.model.records import Delivery, RecordStore
from mockserver.model.settings import Settings, Speed
from mockserver.model.webhooks import WebhookRegistry
from mockserver.replay.clock import Clock
from mockserver.replay.report import Report
from mockserver.replay.send_result import Sent
from mockserver.script.model import EventStep, Script
from mockserver.vendor_api.calls import AnswerPlan, CallLog


class Running(Protocol):
    """A replay that goes on in the background."""

    replay_id: str

    @property
    def report(self) -> Report:
        """What has happened so far."""
        ...

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    async def wait(self) -> Report:
        """Return the report when it is over."""
        ...


class Mock(Protocol):
    """What the control API controls."""

    settings: Settings
    catalog: Catalog
    webhooks: WebhookRegistry
    records: RecordStore
    calls: CallLog
    plan: AnswerPlan

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def replays(self) -> Mapping[str, Running]:
        """The replays in the background, by id."""
        ...

    async def send(self, step: EventStep, source: str = "send") -> Sent:
        """Let one event happen now."""
        ...

    async def play(self, step: EventStep) -> Running:
        """Let an event step happen with all that it says of repeats, times and effects."""
        ...

    async def resend(self, delivery: Delivery, *, fresh: bool = False) -> Delivery:
        """Deliver once more what was delivered before."""
        ...

    def start_replay(self, script: Script, speed: Speed | None = None) -> Running:
        """Start a replay in the background."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...
