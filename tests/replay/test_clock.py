"""The clock: at speed max nothing sleeps, and order and times are those of real time."""

import asyncio
import time

import pytest

from mockserver.replay.clock import Group, RealClock, SkippingClock, SteppedClock, make_clock
from tests.tables import each_row

START = 1_734_343_200.0
DAY = 86_400.0


def skipping() -> SkippingClock:
    """A clock on which this test itself holds a token, as a replay does."""
    clock = SkippingClock(START)
    clock.begin()
    return clock


async def test_a_skipping_clock_jumps_over_days() -> None:
    """Three days pass in no time, and the clock shows them."""
    clock = skipping()
    await asyncio.wait_for(clock.sleep_until(START + 3 * DAY), 60)
    assert clock.now() == START + 3 * DAY


async def test_a_skipping_clock_starts_now_unless_told_otherwise() -> None:
    """Without a start it shows the present."""
    assert abs(SkippingClock().now() - time.time()) < 60
    assert abs(make_clock(1.0).now() - time.time()) < 60


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    """Sleeping until the past changes nothing."""
    clock = skipping()
    await clock.sleep_until(START - DAY)
    assert clock.now() == START


async def test_sleepers_wake_in_the_order_of_their_moments() -> None:
    """Many sleepers wake at their own moments, in order; ties in the order in which they went to sleep."""
    clock = skipping()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep_until(START + seconds)
        woken.append((name, clock.now() - START))

    async with Group(clock) as group:
        for name, seconds in [("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0)]:
            group.spawn(sleeper(name, seconds))
    assert woken == [("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("c", 3.0)]


async def test_the_clock_stands_still_while_something_goes_on() -> None:
    """However long real work takes, and through however many turns of the loop, no sleeper is woken past it."""
    clock = skipping()
    log: list[str] = []
    answered = asyncio.Event()

    async def delivery() -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        await answered.wait()
        log.append(f"answered at {clock.now() - START}")

    async def later() -> None:
        await clock.sleep_until(START + 5)
        log.append(f"later at {clock.now() - START}")

    async with Group(clock) as group:
        group.spawn(later())
        group.spawn(delivery())
        for _ in range(20):
            await asyncio.sleep(0)
        assert log == []
        answered.set()
    assert log == ["answered at 0.0", "later at 5.0"]


async def test_joining_a_group_hands_over_without_a_jump() -> None:
    """Between the end of a group's last task and the next step of the one who waited, another sleeper does not wake."""
    clock = skipping()
    seen: list[float] = []

    async def idle() -> None:
        await clock.sleep_until(START + DAY)

    async def steps() -> None:
        for _ in range(3):
            async with Group(clock) as inner:
                inner.spawn(asyncio.sleep(0))
                inner.spawn(clock.sleep_until(clock.now() + 1))
            seen.append(clock.now() - START)

    async with Group(clock) as group:
        group.spawn(idle())
        group.spawn(steps())
    assert seen == [1.0, 2.0, 3.0]
    assert clock.now() == START + DAY


async def test_wait_below_bounds_what_is_in_flight() -> None:
    """A group never runs more tasks than it has room for."""
    clock = skipping()
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await clock.sleep_until(clock.now() + 1)
        running -= 1

    async with Group(clock) as group:
        for _ in range(20):
            await group.wait_below(3)
            group.spawn(work())
    assert (running, most) == (0, 3)


async def test_a_failing_task_ends_its_group() -> None:
    """The first exception cancels the others and comes out."""
    clock = skipping()
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with Group(clock) as group:
            group.spawn(forever())
            group.spawn(fail())
    assert cancelled.is_set()


async def test_leaving_a_group_by_an_exception_cancels_its_tasks() -> None:
    """Nothing of a group outlives it."""
    clock = skipping()
    ended: list[str] = []

    async def forever() -> None:
        try:
            await clock.sleep_until(START + DAY)
        finally:
            ended.append("ended")

    with pytest.raises(RuntimeError, match="stop"):
        async with Group(clock) as group:
            group.spawn(forever())
            await asyncio.sleep(0)
            raise RuntimeError("stop")
    assert ended == ["ended"]


@each_row("turns", [1, 2, 3, 5])
async def test_cancelling_keeps_the_clocks_account(turns: int) -> None:
    """After a group was cancelled at any point, its clock still jumps and still holds as it should."""
    clock = skipping()

    async def work() -> None:
        async with Group(clock) as inner:
            inner.spawn(clock.sleep_until(START + DAY))
            inner.spawn(asyncio.Event().wait())
            await inner.wait_below(1)

    async def whole() -> None:
        clock.begin()
        try:
            await work()
        finally:
            clock.end()

    task = asyncio.create_task(whole())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    now = clock.now()
    await clock.sleep_until(now + 1)
    assert clock.now() == now + 1


async def test_cancelled_right_after_waking_the_token_is_kept() -> None:
    """A sleeper that is cancelled in the moment it is woken gives its token back exactly once."""
    clock = skipping()

    async def sleeper() -> None:
        try:
            await clock.sleep_until(START + 1)
        finally:
            clock.end()

    clock.begin()
    task = asyncio.create_task(sleeper())
    await asyncio.sleep(0)
    clock.end()  # the last token: the clock jumps, the sleeper is woken but has not run yet
    assert clock.now() == START + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.begin()
    await clock.sleep_until(START + 2)
    assert clock.now() == START + 2


async def test_a_real_clock_runs_at_its_speed() -> None:
    """At 3,600 times real time, an hour takes about a second and never less."""
    clock = make_clock(3600.0, START)
    assert isinstance(clock, RealClock)
    begun = time.monotonic()
    await clock.sleep_until(START + 360)
    assert clock.now() >= START + 360
    assert time.monotonic() - begun >= 0.099


async def test_real_time_needs_no_tokens() -> None:
    """The same code runs on both clocks."""
    clock = RealClock(START, speed=1000.0)
    async with Group(clock) as group:
        group.spawn(clock.sleep_until(START + 1))
        await group.wait_below(1)
    assert clock.now() >= START + 1


async def test_a_stepped_clock_runs_exactly_what_becomes_due() -> None:
    """Advanced by five minutes, what is due by then happens in order at its own time, and nothing after it."""
    clock = SteppedClock(START)
    log: list[tuple[str, float]] = []

    async def sleeper(name: str, *moments: float) -> None:
        for moment in moments:
            await clock.sleep_until(START + moment)
            log.append((name, clock.now() - START))

    async def whole() -> None:
        clock.begin()
        try:
            async with Group(clock) as group:
                group.spawn(sleeper("a", 60, 120, 600))
                group.spawn(sleeper("b", 300, 301))
        finally:
            clock.end()

    running = asyncio.create_task(whole())
    await asyncio.sleep(0)
    await clock.advance(59)
    assert (log, clock.now()) == ([], START + 59)
    await clock.advance(241)
    assert log == [("a", 60.0), ("a", 120.0), ("b", 300.0)]
    assert clock.now() == START + 300
    await asyncio.gather(clock.advance(1), clock.advance(299))
    assert log[3:] == [("b", 301.0), ("a", 600.0)]
    await running
    assert clock.now() == START + 600


async def test_advancing_waits_for_what_goes_on() -> None:
    """Work that takes real time is over when advance returns."""
    clock = SteppedClock(START)
    done: list[float] = []

    async def work() -> None:
        clock.begin()
        try:
            await clock.sleep_until(START + 1)
            for _ in range(20):
                await asyncio.sleep(0)
            done.append(clock.now())
        finally:
            clock.end()

    running = asyncio.create_task(work())
    await asyncio.sleep(0)
    await clock.advance(10)
    assert done == [START + 1]
    await running


async def test_waiting_for_the_consumer_does_not_hold_a_stepped_clock() -> None:
    """While a script awaits the application, time can be advanced; a skipping clock stands still."""
    stepped = SteppedClock(START)
    stepped.begin()
    came = asyncio.Event()
    waiting = asyncio.create_task(stepped.outside(came.wait()))
    await asyncio.sleep(0)
    await stepped.advance(60)
    came.set()
    await waiting
    stepped.end()
    assert stepped.now() == START + 60
    clock = skipping()
    assert await clock.outside(asyncio.sleep(0, "result")) == "result"
    assert await RealClock().outside(asyncio.sleep(0, "result")) == "result"
