"""A replay that goes on while its caller does something else."""

from __future__ import annotations

import asyncio

from mockserver.core.report import Report
from mockserver.engine.replay import Replay


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
        self._task.add_done_callback(lambda _: replay.release_clock())

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
        self.report.close("the replay was stopped")  # for one that was stopped before it began
        return self.report

    def cancel(self) -> None:
        """End the replay at once; its report accounts for every event."""
        self._task.cancel()

    async def stop(self) -> Report:
        """End the replay at once, and return its report when it is over."""
        self.cancel()
        return await self.wait()
