"""Slots: first come, first served, and none is lost when a waiter gives up."""

from __future__ import annotations

import asyncio

from mockserver.replay.dispatcher import Slots


async def test_slots_go_to_those_who_wait_in_their_order() -> None:
    slots, got = Slots(1), []

    async def work(name: str) -> None:
        if not slots.take_free():
            await slots.wait()
        got.append(name)
        await asyncio.sleep(0)
        slots.give_back()

    await asyncio.gather(*(work(name) for name in "abc"))
    assert got == ["a", "b", "c"]
    assert slots.take_free()


async def test_a_slot_is_not_lost_with_a_waiter_that_gives_up() -> None:
    slots = Slots(1)
    assert slots.take_free()
    asleep, handed = (asyncio.ensure_future(slots.wait()) for _ in range(2))
    last = asyncio.ensure_future(slots.wait())
    await asyncio.sleep(0)
    asleep.cancel()
    slots.give_back()  # to the second, for the first has given up
    handed.cancel()  # before it has had its turn
    await asyncio.wait_for(last, 60)
    assert not slots.take_free()
    slots.give_back()
    assert slots.take_free()
