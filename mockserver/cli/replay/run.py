"""The scripts of one ``mockserver replay``, one after another, each to its destination."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mockserver.cli.destinations import Destination
from mockserver.cli.failures import Reach
from mockserver.cli.readiness import Readiness
from mockserver.model.records import Delivery, WaitListener
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings, Speed
from mockserver.model.targets import Target
from mockserver.replay.report import STOPPED, Report
from mockserver.script.model import Script
from mockserver.server.mock import Mock

if TYPE_CHECKING:
    from mockserver.server.embedded_consumer import EmbeddedConsumer

#: A script, and where its events go; None is the embedded consumer.
Plan = tuple[Script, Destination | None]


class ReplayRun:
    """Replays scripts.

    Args:
        plans: The scripts and their destinations.
        settings: Everything else that can be chosen.
        speed: How fast.
        secret: The secret of the embedded consumer; None makes one up.
        fail_fast: Whether to send nothing more once a step has a problem.

    Raises:
        UsageError: A setting cannot be used.

    Attributes:
        reports: A report for each script, whatever becomes of it.
        receiver: The embedded consumer, if there is one.
        redactor: Hides every secret that this replay knows of.
    """

    def __init__(
        self, plans: Sequence[Plan], settings: Settings, speed: Speed, secret: str | None, *, fail_fast: bool = False
    ) -> None:
        self._plans = plans
        self._settings = settings
        self._mock = Mock(settings)
        self._speed = speed
        self._fail_fast = fail_fast
        self._secret = secret or secrets.token_urlsafe()
        self._reach = Reach()
        self._unreachable = ""
        self.reports = [Report(script) for script, _ in plans]
        self.receiver: EmbeddedConsumer | None = None
        self.redactor = Redactor.of(settings, self._secret, *_secrets(plans))

    async def run(
        self,
        on_delivery: Callable[[Delivery], None],
        readiness: Readiness,
        on_wait: WaitListener | None = None,
    ) -> None:
        """Replay every script; when this ends, however it ends, the reports account for every event.

        Args:
            on_delivery: Called with each delivery that has its outcome.
            readiness: What to wait for before the first event.
            on_wait: Called with each delivery whose next attempt has to wait.

        Raises:
            asyncio.CancelledError: It was stopped.
        """
        self._mock.records.subscribe(self._reach.note)
        self._mock.records.subscribe(on_delivery)
        if on_wait is not None:
            self._mock.records.subscribe_to_waits(on_wait)
        try:
            self._unreachable = await self._why_not_ready(readiness)
            if not self._unreachable:
                await self._replay_all()
        finally:
            for report in self.reports:
                report.close(self._unreachable or STOPPED)
            await self._stop()

    @property
    def why_unreachable(self) -> str:
        """Why not one delivery came to a consumer; empty if one did, or none was tried."""
        return self._unreachable or self._reach.why_not

    async def _why_not_ready(self, readiness: Readiness) -> str:
        urls = dict.fromkeys(destination.url for _, destination in self._plans if destination)
        reason = await readiness.why_not(self._mock, map(Target.parse, urls))
        return f"the target could not be reached: {reason}" if reason else ""

    async def _replay_all(self) -> None:
        for number, (script, destination) in enumerate(self._plans):
            where = destination or await self._embedded()
            webhook = self._mock.register(where.url, None, where.secret)
            replay = self._mock.replaying(script, self._speed, fail_fast=self._fail_fast)
            self.reports[number] = replay.report
            await replay.run()
            self._mock.webhooks.remove(webhook.webhook_id)
            if self._fail_fast and not replay.report.ok:
                self._halt_after(number, script.source)
                return

    def _halt_after(self, number: int, source: str) -> None:
        reason = f"not begun, as {source} has a problem (fail-fast)"
        for report in self.reports[number + 1 :]:
            report.halt(reason)
            report.close(reason)

    async def _embedded(self) -> Destination:
        """Start the embedded consumer, if it does not run yet."""
        if self.receiver is None:
            # Imported here: a replay to a target needs no server, and aiohttp takes long to import.
            from mockserver.server.embedded_consumer import EmbeddedConsumer  # noqa: PLC0415 - start-up does without

            receiver = EmbeddedConsumer(self._secret)
            await receiver.start()
            self.receiver = receiver
        return Destination(f"{self.receiver.url}/webhooks/playgent", self._secret)

    async def _stop(self) -> None:
        if self.receiver is not None:
            await self.receiver.stop()
        await self._mock.stop()


def _secrets(plans: Sequence[Plan]) -> Iterator[str]:
    for script, destination in plans:
        if script.webhook is not None:
            yield script.webhook.secret
        if destination is not None:
            yield destination.secret
