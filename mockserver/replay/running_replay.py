"""Replays that go on while their caller does something else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from mockserver.errors import UsageError
from mockserver.replay.replay import Replay
from mockserver.replay.report import STOPPED, Report

#: The most replays that are over and can still be asked for.
MOST_ENDED_REPLAYS = 100

#: The most replays that may go on in the background at once.
MOST_RUNNING_REPLAYS = 1000

_logger = logging.getLogger("mockserver.replay")


class RunningReplay:
    """A replay in the background, started on a running event loop.

    Args:
        replay_id: Its id.
        replay: What to run. Its clock is held from now on, so that no time passes before it has begun.
    """

    def __init__(self, replay_id: str, replay: Replay) -> None:
        self.replay_id = replay_id
        self._replay = replay
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
        """Return the report when the replay is over, also when it was stopped."""
        await asyncio.wait([self._task])
        self.report.close(STOPPED)  # for one that was stopped before it began
        return self.report

    def _over(self, task: asyncio.Task[Report]) -> None:
        self._replay.release_clock()
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.report.halt(f"the replay failed: {failure!r}; the log says where")
            _logger.error("unexpected error in the replay %s", self.replay_id, exc_info=failure)

    def cancel(self) -> None:
        """End the replay at once; its report accounts for every event."""
        self._task.cancel()

    async def stop(self) -> Report:
        """End the replay at once, and return its report when it is over."""
        self.cancel()
        return await self.wait()


class RunningReplays(Mapping[str, RunningReplay]):
    """The replays of one mock in the background, by id: those that go on, and the last ones that are over.

    Args:
        max_bytes: How many bytes of deliveries those hold together that are over; the oldest are forgotten.
    """

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._replays: dict[str, RunningReplay] = {}
        self._begun = 0

    def __getitem__(self, replay_id: str) -> RunningReplay:
        return self._replays[replay_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._replays)

    def __len__(self) -> int:
        return len(self._replays)

    def start(self, prepare: Callable[[], Replay]) -> RunningReplay:
        """Start a replay, and forget the oldest that are over.

        Args:
            prepare: Makes the replay; what it raises is raised.

        Raises:
            UsageError: Too many replays are going on.
        """
        self._forget_oldest()
        if sum(not running.done for running in self._replays.values()) >= MOST_RUNNING_REPLAYS:
            raise UsageError(f"{MOST_RUNNING_REPLAYS} replays are going on, which is the limit: reset ends them")
        replay = prepare()
        self._begun += 1
        running = RunningReplay(f"rpl_{self._begun:06d}", replay)
        self._replays[running.replay_id] = running
        return running

    def _forget_oldest(self) -> None:
        held = 0
        ended = [running for running in self._replays.values() if running.done]
        for kept, running in enumerate(reversed(ended), 1):
            held += running.report.size
            if kept > MOST_ENDED_REPLAYS or held > self._max_bytes:
                del self._replays[running.replay_id]

    def reset(self) -> None:
        """End every replay, forget it, and begin the ids again."""
        for running in self._replays.values():
            running.cancel()
        self._replays.clear()
        self._begun = 0

    async def stop(self) -> None:
        """End every replay, and return when it is over."""
        for running in tuple(self._replays.values()):
            await running.stop()
