"""Stepped time, and reset in the middle of everything."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from mockserver.delivery.event_loop import PATIENCE
from mockserver.model.settings import read_settings
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_event_step, read_script
from mockserver.server.mock import Mock
from tests.control_api.calling import Control, Start
from tests.delivery.http1.raw_server import Peer, Serve
from tests.receiving import Consumer
from tests.tables import each_row

EMPTY = {"webhooks": 0, "deliveries": 0, "dropped": 0}


def moment(answer: dict[str, Any]) -> datetime:
    """The time in an answer."""
    return datetime.fromisoformat(answer["time"].replace("Z", "+00:00"))


@each_row(("by", "seconds"), [("5m", 300), (1, 1), (0.5, 0.5), ("0", 0), ("1d", 86400), ("1m30s", 90)])
async def test_time_passes_as_requested(stepped: Control, by: float | str, seconds: float) -> None:
    """The clock stands still but for what it is advanced by."""
    before = moment(await stepped.get("/health"))
    after = moment(await stepped.post("/clock/advance", {"by": by}))
    assert abs((after - before) - timedelta(seconds=seconds)) <= timedelta(seconds=1)
    assert moment(await stepped.get("/health")) == after


async def test_a_replay_goes_on_as_time_passes(stepped: Control, consumer: Consumer) -> None:
    """A script in the background does what has become due, and the timestamps follow."""
    await stepped.register(consumer.url)
    script = "version: 1\nsteps: [{event: run.failed}, {event: run.failed, after: 1h, repeat: 2, every: 1h}]"
    replay = await stepped.post("/replays", script, 202)
    counts = []
    for by in ("0", "59m", "1m", "1h"):
        await stepped.post("/clock/advance", {"by": by})
        counts.append((await stepped.get(f"/replays/{replay['replay_id']}"))["report"]["delivered"])
    assert counts == [1, 1, 2, 3]
    stamps = [datetime.fromisoformat(received.payload["timestamp"][:-1]) for received in consumer.received]
    assert stamps[2] - stamps[0] == timedelta(hours=2)


async def test_a_step_answers_with_what_is_due(stepped: Control, consumer: Consumer) -> None:
    """The call does not wait for time that only its caller can let pass; what is for later is not sent before."""
    await stepped.register(consumer.url)
    answer = await stepped.post("/events", {"event": "run.failed", "after": "1h"})
    assert (answer["delivered"], answer["deliveries"]) == (False, [])
    answer = await stepped.post("/events", {"event": "run.failed", "repeat": 2, "every": "2h"})
    assert (answer["delivered"], len(answer["deliveries"])) == (False, 1)
    for by, count in (("59m", 1), ("1m", 2), ("1h", 3)):
        await stepped.post("/clock/advance", {"by": by})
        assert len(consumer.received) == count


@each_row(
    ("body", "message"),
    [
        (None, """the body needs the key 'by': how much time passes, such as {"by": "5m"}"""),
        ({"by": True}, "by: expected a duration such as 250ms, 2s, 1m30s or 2h, or a number of seconds, not true"),
        ({"by": -1}, "by: expected a duration"),
        ({"by": "11000d"}, "(ten years at most), not '11000d'"),
        ({"by": 1, "to": 2}, "unknown key 'to' in the body"),
    ],
)
async def test_bad_times(stepped: Control, body: dict[str, Any] | None, message: str) -> None:
    """The clock does not move for what is no duration."""
    before = await stepped.get("/health")
    assert message in (await stepped.call("POST", "/clock/advance", body)).fails()
    assert await stepped.get("/health") == before


async def test_a_clock_that_runs_by_itself_is_not_advanced(control: Control) -> None:
    """The message says how to get one that can be."""
    answer = await control.call("POST", "/clock/advance", {"by": "1s"})
    assert answer.fails() == "the clock runs by itself: to advance it by hand, choose speed='stepped'"


async def test_the_end_of_the_calendar(stepped: Control) -> None:
    """Ten years at a time, the clock comes to the end of the calendar, and says so."""
    answer = await stepped.call("POST", "/clock/advance", {"by": "3660d"})
    while answer.status == 200:
        answer = await stepped.call("POST", "/clock/advance", {"by": "3660d"})
    assert "stops at the end of 9998" in answer.fails()
    assert (await stepped.get("/health"))["time"] < "9999"


# --- reset


async def test_reset_forgets_everything(control: Control, consumer: Consumer) -> None:
    """Webhooks, deliveries, calls, plans and replays are gone, and ids begin again."""
    first = await control.register(consumer.url)
    await control.event()
    await control.post("/replays?wait=true", "version: 1\nsteps: [event: run.failed]")
    await control.post("/faults", {"status": 500}, 204)
    await control.post("/reset", status=204)
    assert EMPTY.items() <= (await control.get("/health")).items()
    assert await control.get("/requests") == {"requests": [], "dropped": 0}
    assert (await control.get("/deliveries"))["deliveries"] == []
    (await control.call("GET", "/replays/rpl_000001")).fails(404)
    assert await control.register(consumer.url) == first
    assert (await control.event())["delivery_id"] == "dlv_000001"
    replay = await control.post("/replays?wait=true", "version: 1\nsteps: [event: run.failed]")
    assert replay["replay_id"] == "rpl_000001"


class Hanging(NamedTuple):
    """Where a server listens that never answers, who has asked it, and whether a client has hung up."""

    url: str
    asked: asyncio.Queue[Peer]
    gone: asyncio.Event


@pytest.fixture
async def hanging(serve_raw: Serve) -> Hanging:
    """A raw server that reads requests and never answers."""
    asked: asyncio.Queue[Peer] = asyncio.Queue()
    gone = asyncio.Event()

    async def hang(peer: Peer) -> None:
        await peer.request()
        asked.put_nowait(peer)
        await peer.closed()
        gone.set()

    return Hanging((await serve_raw(hang)).url, asked, gone)


@pytest.mark.parametrize("speed", [1.0, "max", "stepped"])
async def test_reset_ends_a_delivery_that_hangs(
    start: Start, hanging: Hanging, consumer: Consumer, speed: float | str
) -> None:
    """A call that waits for it is answered at once: it was stopped. The record begins again."""
    control = await start(speed=speed, timeout=600)
    await control.register(hanging.url)
    sending = asyncio.ensure_future(control.event())
    await asyncio.wait_for(hanging.asked.get(), 60)
    await control.post("/reset", status=204)
    stopped = await asyncio.wait_for(sending, 60)
    assert stopped["outcome"] == "interrupted"
    assert stopped["attempts"][0]["error"]["kind"] == "stopped"
    assert EMPTY.items() <= (await control.get("/health")).items()
    await control.register(consumer.url)
    assert (await control.event())["outcome"] == "delivered"


@pytest.mark.parametrize("speed", [1.0, "stepped"])
async def test_reset_ends_a_resend_that_hangs(start: Start, hanging: Hanging, speed: float | str) -> None:
    """The call says that the mock was reset under it."""
    control = await start(speed=speed, timeout=600)
    await control.register(hanging.url)
    sending = asyncio.ensure_future(control.event())
    peer = await asyncio.wait_for(hanging.asked.get(), 60)
    peer.end()
    assert (await sending)["outcome"] == "failed"
    resending = asyncio.ensure_future(control.call("POST", "/deliveries/dlv_000001/resend"))
    await asyncio.wait_for(hanging.asked.get(), 60)
    await control.post("/reset", status=204)
    answer = await asyncio.wait_for(resending, 60)
    assert answer.fails() == "dlv_000001 was being sent again when the mock was reset"


@pytest.mark.parametrize("speed", [1.0, "max", "stepped"])
async def test_reset_ends_a_replay(start: Start, hanging: Hanging, speed: float | str) -> None:
    """Its report accounts for every event: what was in flight is interrupted, the rest was not sent."""
    control = await start(speed=speed, timeout=600)
    await control.register(hanging.url)
    script = "version: 1\nsteps: [{event: run.failed, repeat: 5}]"
    replaying = asyncio.ensure_future(control.post("/replays?wait=true", script))
    await asyncio.wait_for(hanging.asked.get(), 60)
    await control.post("/reset", status=204)
    replay = await asyncio.wait_for(replaying, 60)
    report = replay["report"]
    assert replay["done"] is True
    assert (report["planned"], report["failed"], report["not_sent"], report["interrupted"]) == (5, 0, 5, 1)
    assert report["reasons"] == {"the replay was stopped": 4, "interrupted, outcome unknown": 1}


async def test_reset_ends_time_that_is_being_advanced(start: Start, hanging: Hanging, consumer: Consumer) -> None:
    """The clock is free again afterwards."""
    control = await start(speed="stepped", timeout=600)
    await control.register(hanging.url)
    await control.post("/replays", "version: 1\nsteps: [{event: run.failed, after: 1m}]", 202)
    advancing = asyncio.ensure_future(control.post("/clock/advance", {"by": "1h"}))
    await asyncio.wait_for(hanging.asked.get(), 60)
    await control.post("/reset", status=204)
    await asyncio.wait_for(advancing, 60)
    await control.register(consumer.url)
    await control.post("/replays", "version: 1\nsteps: [{event: run.failed, after: 1m}]", 202)
    await control.post("/clock/advance", {"by": "1m"})
    assert len(consumer.received) == 1


async def test_work_that_is_ended_before_it_began_leaves_the_clock_free() -> None:
    """Reset in the very moment of a call: no token of the clock is lost."""
    mock = Mock(read_settings(speed="stepped"))
    mock.register("http://127.0.0.1:9/", None, "s")
    step = read_event_step("event: run.failed", load_catalog())
    sending = asyncio.ensure_future(mock.send(step))
    await asyncio.sleep(0)
    mock.start_replay(read_script("version: 1\nsteps: [event: run.failed]", load_catalog()))
    mock.reset()
    assert (await asyncio.wait_for(sending, 60)).delivered is False
    await asyncio.wait_for(mock.advance(60), 60)
    await mock.stop()


async def test_a_caller_that_gives_up_ends_its_work(hanging: Hanging) -> None:
    """A cancelled send cuts its connection; nothing goes on behind anybody's back."""
    mock = Mock(read_settings(timeout=600))
    mock.register(hanging.url, None, "s")
    sending = asyncio.ensure_future(mock.send(read_event_step("event: run.failed", load_catalog())))
    await asyncio.wait_for(hanging.asked.get(), 60)
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    await asyncio.wait_for(hanging.gone.wait(), 60)
    (delivery,) = mock.records.all()
    assert delivery.outcome == "interrupted"
    await mock.stop()


async def test_stopping_ends_what_hangs(start: Start, hanging: Hanging) -> None:
    """A mock that is stopped in the middle of a delivery does not wait for its time-out."""
    control = await start(timeout=600)
    await control.register(hanging.url)
    sending = asyncio.ensure_future(control.call("POST", "/events", {"event": "run.failed"}))
    await asyncio.wait_for(hanging.asked.get(), 60)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await loop.run_in_executor(None, control.mock.stop)
    assert loop.time() - begun < PATIENCE
    await asyncio.wait_for(hanging.gone.wait(), 60)
    await asyncio.wait([sending])
