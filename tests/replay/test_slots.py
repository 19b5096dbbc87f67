"""Slots: a limit that is kept exactly, in order, whoever gives up waiting."""

import asyncio

import pytest

from mockserver.replay.slots import Slots
from tests.receiving import eventually


async def hold(slots: Slots, name: str, log: list[str], release: asyncio.Event) -> None:
    if not slots.take():
        await slots.turn()
    log.append(name)
    try:
        await release.wait()
    finally:
        slots.give_back()


async def test_the_limit_is_kept_and_the_line_is_served_in_order():
    """Two at once; the others follow one by one in the order in which they came."""
    slots, log = Slots(2), []
    releases = {name: asyncio.Event() for name in "abcd"}
    tasks = [asyncio.create_task(hold(slots, name, log, releases[name])) for name in "abcd"]
    await eventually(lambda: len(log) == 2)
    assert log == ["a", "b"]
    releases["b"].set()
    await eventually(lambda: len(log) == 3)
    assert log == ["a", "b", "c"]
    for release in releases.values():
        release.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "b", "c", "d"]
    assert [slots.take(), slots.take(), slots.take()] == [True, True, False]


async def test_who_gives_up_waiting_costs_no_slot():
    """One that is cancelled in line is passed over; one that is cancelled as its turn comes gives the slot on."""
    slots = Slots(1)
    assert slots.take()
    waiting = [asyncio.create_task(slots.turn()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    slots.give_back()  # to the second
    waiting[1].cancel()  # in the very moment: it goes on to the third
    for cancelled in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    await waiting[2]
    slots.give_back()
    assert slots.take()
