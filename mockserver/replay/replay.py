"""The replay of a script, also in the background: its steps in order, each event at its time, each accounted for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from mockserver.delivery.event_loop import monotonic
from mockserver.errors import UsageError
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.quantities import format_duration
from mockserver.model.records import OWN_WEBHOOK, Delivery
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.settings import Settings
from mockserver.model.webhooks import Recipients, Webhook
from mockserver.replay.clock import Clock, Group
from mockserver.replay.dispatcher import Dispatcher, Occurrence
from mockserver.replay.probe import ProbeError, Prober
from mockserver.replay.report import LOST, NO_STATE, STOPPED, Report
from mockserver.script.model import AwaitStep, EventStep, PauseStep, Step, TogetherStep
from mockserver.script.templates import TemplateError


class _Halted(Exception):  # noqa: N818 - not an error: the replay cannot go on, and the report says why
    """The replay cannot go on beyond a step; it has no number when that is by choice."""

    def __init__(self, reason: str, step: str = "") -> None:
        super().__init__(reason)
        self.step = step


class Replay:
    """One run of a script, which its report knows; the report is complete when :meth:`run` has ended, however it ended.

    While no webhook is registered, the events go to the script's own. The clock must show the ``start`` of the script.
    ``retry`` applies where the script does not say; with ``fail_fast``, no further step begins once one has a problem.
    """

    def __init__(
        self,
        report: Report,
        *,
        dispatcher: Dispatcher,
        prober: Prober,
        webhooks: Recipients,
        clock: Clock,
        settings: Settings,
        retry: RetryPolicy | None = None,
        fail_fast: bool = False,
    ) -> None:
        self._script = script = report.script
        self._dispatcher = dispatcher
        self._prober = prober
        self._webhooks = webhooks
        self._clock = clock
        self._settings = settings
        self._retry = script.retry or retry
        self._fail_fast = fail_fast
        own = script.webhook
        self._own = (Webhook(OWN_WEBHOOK, own.url, script.events, own.secret),) if own else ()
        self._causes = {
            step.number: (f"{script.seed}/{step.number}", f"{script.source}:{step.line}")
            for step in script.event_steps()
        }
        self._held: list[tuple[str, Occurrence]] = []  # with the numbers of their steps
        self._holds_clock = False
        self.report = report

    def hold_clock(self) -> None:
        """Let no time pass from now on except the script's own: for a replay that is about to run."""
        if not self._holds_clock:
            self._holds_clock = True
            self._clock.begin()

    def release_clock(self) -> None:
        """Release the clock, even if the replay was never run."""
        if self._holds_clock:
            self._holds_clock = False
            self._clock.end()

    async def run(self) -> Report:
        """Replay the script. The report accounts for every event, even when this is cancelled."""
        begun, scripted = monotonic(), self._clock.now()
        reason = STOPPED
        self.report.began = time.time()
        self.hold_clock()
        try:
            await (self._run_timed() if self._script.pacing == "timed" else self._run_settled())
            await self._release_held()
        except _Halted as halted:
            reason = str(halted)
            self.report.halt(reason, halted.step)
        finally:
            self.release_clock()
            self.report.close(reason)
            self.report.seconds = monotonic() - begun
            self.report.scripted_seconds = self._clock.now() - scripted
        return self.report

    async def _run_settled(self) -> None:
        for step in self._script.steps:
            self._stop_if_failed()
            await self._wait(_after(step))
            if isinstance(step, EventStep):
                await self._proved(step, self._repeat(step, self._clock.now()))
            elif isinstance(step, TogetherStep):
                await self._together(step)
            elif isinstance(step, AwaitStep):
                await self._await_registration(step)

    def _stop_if_failed(self) -> None:
        """Go no further if a step has a problem and the replay is to fail fast."""
        if self._fail_fast and self.report.first_unmet:
            raise _Halted(f"stopped after step {self.report.first_unmet}, which has a problem (fail-fast)")

    async def _together(self, step: TogetherStep) -> None:
        async with Group(self._clock) as group:
            for inner in step.steps:
                group.spawn(self._proved(inner, self._repeat(inner, self._clock.now())))

    async def _proved(self, step: EventStep, happening: Coroutine[Any, Any, None]) -> None:
        """Run a step, and check whether it has the effect on the consumer's state that it must have."""
        effect = step.expect.effect
        if effect is None:
            await self._timed(step, happening)
            return
        try:
            before = await self._prober.read(effect)
        except ProbeError as error:
            happening.close()
            self.report.explain(step.number, str(error))
            self.report.give_up(step.number, NO_STATE)
            return
        await self._timed(step, happening)
        try:
            unmet = await self._prober.why_not(effect, before)
        except ProbeError as error:
            unmet = str(error)
        if unmet:
            self.report.explain(step.number, unmet)

    async def _timed(self, step: EventStep, happening: Coroutine[Any, Any, None]) -> None:
        begun = monotonic()
        try:
            await happening
        finally:
            self.report.took(step.number, monotonic() - begun)

    async def _repeat(self, step: EventStep, begin: float) -> None:
        """Make an event happen as often as its step says, at most ``concurrency`` at once."""
        indexes = iter(range(step.repeat))
        if step.concurrency == 1:
            await self._work(step, indexes, begin)
            return
        async with Group(self._clock) as group:
            for _ in range(min(step.concurrency, step.repeat)):
                group.spawn(self._work(step, indexes, begin))

    async def _work(self, step: EventStep, indexes: Iterator[int], begin: float) -> None:
        for index in indexes:
            if step.every:
                await self._clock.sleep_until(begin + index * step.every)
            occurrence = self._occur(step, index)
            if occurrence is not None:
                deliveries: list[Delivery] = []
                try:  # as in _publish: a coroutine less for each event
                    await self._dispatcher.publish(occurrence, self._clock, deliveries)
                finally:
                    self.report.count(step.number, deliveries)
                if self._held:
                    await self._release_held()

    async def _run_timed(self) -> None:
        """Start each event at its own moment, however long earlier ones take."""
        moment = self._clock.now()
        halted: _Halted | None = None
        async with Group(self._clock) as group:
            for step in self._script.steps:
                moment += _after(step)
                await self._clock.sleep_until(moment)
                try:
                    self._stop_if_failed()
                    if isinstance(step, AwaitStep):
                        await self._await_registration(step)
                except _Halted as error:  # what is in flight is not cut off
                    halted = error
                    break
                moment = max(moment, self._clock.now()) if isinstance(step, AwaitStep) else moment
                for inner in _event_steps(step):
                    group.spawn(self._proved(inner, self._at_times(inner, moment)))
                moment += max(((inner.repeat - 1) * inner.every for inner in _event_steps(step)), default=0.0)
        if halted:
            raise halted

    async def _at_times(self, step: EventStep, begin: float) -> None:
        if step.concurrency > 1:
            await self._repeat(step, begin)
            return
        async with Group(self._clock) as group:
            for index in range(step.repeat):
                await self._clock.sleep_until(begin + index * step.every)
                await group.wait_below(self._settings.max_concurrency)
                group.spawn(self._work(step, iter((index,)), begin))

    def _occur(self, step: EventStep, index: int) -> Occurrence | None:
        """Make one event happen; None if nothing of it is to be published now."""
        webhooks = self._webhooks.subscribed_to(step.event) or (() if len(self._webhooks) else self._own)
        if not webhooks:
            self.report.count_not_sent(step.number, self._why_nobody(step.event))
            return None
        seed, source = self._causes[step.number]
        try:
            occurrence = self._dispatcher.occur(
                step, webhooks, self._clock.now(), seed=seed, source=source, index=index, retry=self._retry
            )
        except TemplateError as error:
            self.report.count_not_sent(step.number, str(error))
            return None
        plan = occurrence.options.plan
        if plan.lost:
            self.report.count_not_sent(step.number, LOST)
            return None
        if plan.swap_with_next and not self._held:
            self._held.append((step.number, occurrence))
            return None
        return occurrence

    async def _release_held(self) -> None:
        """Publish the events that were to change places with the one after them."""
        held, self._held = self._held, []
        for number, occurrence in held:
            await self._publish(number, occurrence)

    async def _publish(self, number: str, occurrence: Occurrence) -> None:
        deliveries: list[Delivery] = []
        try:
            await self._dispatcher.publish(occurrence, self._clock, deliveries)
        finally:
            self.report.count(number, deliveries)

    def _why_nobody(self, event: str) -> str:
        if len(self._webhooks):
            return f"no active webhook is subscribed to {event}"
        return "no webhook is registered, and the script names none"

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self._clock.sleep_until(self._clock.now() + seconds)

    async def _await_registration(self, step: AwaitStep) -> None:
        """Wait in real time, with the clock held: the application takes the time it takes."""
        changed, late = asyncio.Event(), asyncio.Event()
        unsubscribe = self._webhooks.subscribe(lambda _: changed.set())
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation, and the replay would go on.
        timers = [asyncio.get_running_loop().call_later(step.within, event.set) for event in (late, changed)]
        try:
            while not self._webhooks.serves(step.events):
                if late.is_set():
                    raise _Halted(self._why_not_registered(step), step.number)
                changed.clear()
                await self._clock.outside(changed.wait())
        finally:
            unsubscribe()
            for timer in timers:
                timer.cancel()

    def _why_not_registered(self, step: AwaitStep) -> str:
        what = f"no webhook for {', '.join(step.events)}" if step.events else "no webhook"
        served = sorted({event for webhook in self._webhooks.all() for event in webhook.events})
        there = f"registered are webhooks for {', '.join(served)}" if served else "nothing was registered"
        within = format_duration(step.within)
        return f"{self._script.source}:{step.line}: {what} was registered within {within} ({there})"


def _after(step: Step) -> float:
    """How long to wait before a step; a pause is nothing but that."""
    if isinstance(step, PauseStep):
        return step.seconds
    return 0.0 if isinstance(step, AwaitStep) else step.after


def _event_steps(step: Step) -> tuple[EventStep, ...]:
    if isinstance(step, TogetherStep):
        return step.steps
    return (step,) if isinstance(step, EventStep) else ()


#: The most replays that are over and can still be asked for.
MOST_ENDED_REPLAYS = 100

#: The most replays that may go on in the background at once.
MOST_RUNNING_REPLAYS = 1000

_logger = logging.getLogger("mockserver.replay")


class RunningReplay:
    """A replay in the background, started on a running event loop; ``size`` is how many bytes its script takes.

    Its clock is held from now on, so that no time passes before it has begun. ``account`` says whose webhooks
    its events go to; empty for all.
    """

    def __init__(
        self, replay_id: str, replay: Replay, when_over: Callable[[RunningReplay], None], account: str = ""
    ) -> None:
        self.replay_id = replay_id
        self.account = account
        self.size = replay.report.script.size
        self._replay = replay
        self._when_over = when_over
        replay.hold_clock()
        self._task = asyncio.get_running_loop().create_task(replay.run())
        self._task.add_done_callback(self._over)

    @property
    def report(self) -> Report:
        """What has happened so far; complete when :attr:`done`."""
        return self._replay.report

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._task.done()

    async def wait(self) -> Report:
        """Return the report when the replay is over, even if it was stopped."""
        await asyncio.wait([self._task])
        self.report.close(STOPPED)  # for one that was stopped before it began
        return self.report

    def _over(self, task: asyncio.Task[Report]) -> None:
        self._replay.release_clock()
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.report.halt(f"the replay failed: {failure!r}; the log says where")
            _logger.error("unexpected error in the replay %s", self.replay_id, exc_info=failure)
        self._when_over(self)

    def cancel(self) -> None:
        """End the replay at once; its report accounts for every event."""
        self._task.cancel()

    async def stop(self) -> Report:
        """End the replay at once, and return its report when it is over."""
        self.cancel()
        return await self.wait()


class RunningReplays(Mapping[str, RunningReplay]):
    """The replays of one mock in the background, by id: those that go on, and the last ones that are over.

    Of those that are over, the oldest are forgotten when their scripts take too many bytes.
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self._going_on = budget.share()
        self._ended = budget.share(self._forget_oldest)
        self._replays: dict[str, RunningReplay] = {}
        self._over: dict[str, RunningReplay] = {}
        self._begun = 0

    def __getitem__(self, replay_id: str) -> RunningReplay:
        return self._replays[replay_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._replays)

    def __len__(self) -> int:
        return len(self._replays)

    def start(self, prepare: Callable[[], Replay], account: str = "") -> RunningReplay:
        """Start a replay, of an account or of all, and forget the oldest that are over.

        Raises a UsageError if too many replays are going on, or their scripts take too many bytes.
        """
        while len(self._over) > MOST_ENDED_REPLAYS:
            self._forget_oldest()
        if self._going_on.things >= MOST_RUNNING_REPLAYS:
            raise UsageError(f"{MOST_RUNNING_REPLAYS} replays are going on, which is the limit: reset ends them")
        replay = prepare()
        if not self._going_on.fits(replay.report.script.size):
            raise UsageError(
                "the scripts of the replays that are going on take as many bytes as may be kept: wait until one is "
                "over, or reset ends them"
            )
        self._begun += 1
        running = RunningReplay(f"rpl_{self._begun:06d}", replay, self._note_over, account)
        self._going_on.add(running.size)
        self._replays[running.replay_id] = running
        return running

    def _note_over(self, running: RunningReplay) -> None:
        self._going_on.remove(running.size)
        if self._replays.get(running.replay_id) is running:
            self._over[running.replay_id] = running
            self._ended.add(running.size)
        else:
            running.report.leave_budget()

    def _forget_oldest(self) -> None:
        self._forget(next(iter(self._over.values())))

    def _forget(self, over: RunningReplay) -> None:
        del self._over[over.replay_id], self._replays[over.replay_id]
        self._ended.remove(over.size)
        over.report.leave_budget()

    def forget(self, account: str) -> None:
        """End and forget the replays of one account."""
        for running in [each for each in self._replays.values() if each.account == account]:
            if running.replay_id in self._over:
                self._forget(running)
            else:
                running.cancel()
                del self._replays[running.replay_id]

    def reset(self) -> None:
        """End every replay, forget it, and restart the ids."""
        while self._over:
            self._forget_oldest()
        for running in self._replays.values():
            running.cancel()
        self._replays.clear()
        self._begun = 0

    async def stop(self) -> None:
        """End every replay, and return when it is over."""
        for running in tuple(self._replays.values()):
            await running.stop()
