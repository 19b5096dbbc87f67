"""One account of bytes: whatever a mock is made to keep, the sum stays within its limit."""

import asyncio
import json
from collections.abc import Callable

import psutil
import pytest

from mockserver import UsageError
from mockserver.model.memory_budget import MemoryBudget, Share
from tests.control_api.calling import AUTH, controlling
from tests.delivery.http1.raw_server import Peer, RawServer
from tests.receiving import eventually

MIB = 1 << 20
JSON = {**AUTH, "Content-Type": "application/json"}


class Thing:
    """What may be kept by more than one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.keepers = 0


def a_part(budget: MemoryBudget) -> tuple[list[Thing], Callable[[Thing], None], Share]:
    """A part that keeps things, the oldest of which go."""
    things: list[Thing] = []

    def drop_oldest() -> None:
        share.release(things.pop(0))

    share = budget.share(drop_oldest)

    def keep(thing: Thing) -> None:
        things.append(thing)
        share.keep(thing)

    return things, keep, share


def test_the_largest_share_gives_up_its_oldest() -> None:
    """Not the one that the new thing belongs to; and what came last stays, whatever its size."""
    budget = MemoryBudget(100)
    large, keep_large, _ = a_part(budget)
    small, keep_small, _ = a_part(budget)
    for size in (30, 31, 32):
        keep_large(Thing(size))
    keep_small(Thing(20))
    assert ([thing.size for thing in large], [thing.size for thing in small]) == ([31, 32], [20])
    keep_small(Thing(1000))
    assert (large, [thing.size for thing in small], budget.used) == ([], [1000], 1000)


def test_what_two_parts_keep_counts_once() -> None:
    """Until both have let it go."""
    budget = MemoryBudget(100)
    first, keep_first, share = a_part(budget)
    second, keep_second, other = a_part(budget)
    for size in (40, 50):
        thing = Thing(size)
        keep_first(thing)
        keep_second(thing)
    assert (len(first), len(second), budget.used, share.size, other.size) == (2, 2, 90, 90, 90)
    keep_first(Thing(11))
    assert budget.used <= 100
    assert [thing.size for thing in first][-1] == 11


def test_a_part_that_leaves_keeps_nothing() -> None:
    """What another part keeps counts on; what it alone kept does not, and it gives up nothing any more."""
    budget = MemoryBudget(100)
    left, keep_left, leaving = a_part(budget)
    _, keep, _ = a_part(budget)
    shared = Thing(30)
    keep_left(Thing(50))
    keep_left(shared)
    keep(shared)
    leaving.close(left)
    assert (budget.used, shared.keepers) == (30, 1)
    keep(Thing(90))
    assert (budget.used, len(left)) == (90, 2)


def test_what_cannot_be_given_up_is_refused() -> None:
    """Only when nothing else that was given up would make room; and the first always has room."""
    budget = MemoryBudget(100)
    kept, keep, _ = a_part(budget)
    keep(Thing(90))
    fixed = budget.share()
    assert fixed.fits(60)
    fixed.add(60)
    assert (kept, budget.used) == ([], 60)
    assert not fixed.fits(41)
    assert budget.share().fits(1000)


async def with_large_headers(peer: Peer) -> None:
    lines = b"".join(b"X-%d: y\r\n" % line for line in range(2000))
    while await peer.request():
        await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % lines)


@pytest.mark.full
async def test_a_mock_that_is_filled_in_every_way_stays_within_its_limit() -> None:
    """Answers, replays, calls, resources, flows, webhooks, planned answers and readers that do not read."""
    limit = 8 * MIB
    server = RawServer(with_large_headers)
    async with controlling(max_recorded_bytes=limit, speed="max") as control:
        budget, before = control.mock._mock.budget, psutil.Process().memory_info().rss
        readers = [await asyncio.open_connection("127.0.0.1", control.port) for _ in range(20)]
        for _, writer in readers:
            writer.write(b"GET /_mock/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await control.register(server.url)
        for _ in range(5):
            await control.post("/replays?wait=true", "version: 1\nsteps: [{event: run.failed, repeat: 30}]")
        assert budget.used <= limit
        await control.call("DELETE", "/webhooks")
        values: list[list[None]] = [[]] * 20_000
        waiting = {"event": "run.failed", "after": "1h", "data": {"a": values}}
        with pytest.raises(UsageError, match="as many bytes as may be kept"):
            for _ in range(100):
                control.mock.fail_next(body="x" * 100_000)
        for path, body in [
            ("/flows", {"on": "POST /v1/runs", "when": {"config": values}}),
            ("/webhooks", {"url": "http://127.0.0.1:9/", "secret": "x" * 100_000}),
            ("/replays?speed=1", {"version": 1, "steps": [waiting]}),
        ]:
            answers = [await control.call("POST", path, json.dumps(body), headers=JSON) for _ in range(10)]
            assert answers[0].status < 300, path  # the first of each kind always has room
            assert "as many bytes as may be kept" in answers[-1].fails(), path
        await control.call("DELETE", "/faults")
        for _ in range(20):
            call = json.dumps({"test_case_id": "t", "config": {"a": values}})
            assert (await control.call("POST", "/v1/runs", call, headers=JSON)).status < 300
            await control.call("POST", "/v1/webhooks", json.dumps({"a": "x" * 500_000}), headers=JSON)
        assert budget.used <= 3 * limit
        assert psutil.Process().memory_info().rss - before < 12 * limit
        await control.post("/reset", status=204)
        for _, writer in readers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in readers), return_exceptions=True)
        await eventually(lambda: budget.fixed == 0)  # when the replay that was waiting has ended
    await server.stop()
