"""The limits of ``docs/limits.md``: the page compared with the code, and each reached.

Bodies of requests and readers of the stream reach theirs in tests/vendor_api and tests/control_api.
"""

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mockserver import UsageError
from mockserver.checks import diagnosis as doctor
from mockserver.control_api import check_runs, operations, stream
from mockserver.delivery.http1 import Http1Transport, answer
from mockserver.model import events, fields, retry_policies, targets
from mockserver.model.settings import Settings
from mockserver.replay import replay as replays
from mockserver.script import format as script_format
from mockserver.script import source, templates
from mockserver.server import http_host
from mockserver.vendor_api.calls import AnswerPlan
from mockserver.vendor_api.flows import engine
from mockserver.vendor_api.flows.creation import Rules
from tests.control_api.calling import AUTH, controlling
from tests.delivery.http1.raw_server import Behaviour, Peer, RawServer, keep_answering
from tests.receiving import Consumer, consuming
from tests.tables import each_row

PAGE = (Path(__file__).parent.parent / "docs" / "limits.md").read_text("utf-8")
KIB, MIB = 1024, 1024 * 1024
JSON = {**AUTH, "Content-Type": "application/json"}


def default(function: Callable[..., object], name: str) -> int:
    """The default of a parameter."""
    return int(inspect.signature(function).parameters[name].default)


FIXED = {
    "size of a script": (source.MAX_BYTES, MIB),
    "values in a script, aliases written out": (source.MAX_NODES, 0),
    "nesting of a script": (source.MAX_DEPTH, 0),
    "problems shown of a script": (fields.MOST_PROBLEMS, 0),
    "expressions in one text": (templates.MOST_EXPRESSIONS, 0),
    "characters of a URL that deliveries go to": (targets.LONGEST_URL, 0),
    "characters and items of one value in a template": (templates.LARGEST_VALUE, MIB),
    "characters and items that the templates of one event handle": (templates.LARGEST_EVENT, MIB),
    "characters and values of the data of one event": (events.LARGEST_DATA, MIB),
    "flows installed at once": (default(Rules, "limit"), 0),
    "flows under way at once": (engine.MOST_UNDER_WAY, 0),
    "turns of a run, by its flow": (script_format.MOST_TURNS, 0),
    "repeats of a step": (script_format.MOST_REPEATS, 0),
    "repeats of a step in one call of `/_mock/events`": (operations.MOST_REPEATS_OF_A_CALL, 0),
    "attempts of a delivery": (retry_policies.MOST_ATTEMPTS, 0),
    "recorded body of an answer": (default(Http1Transport, "record_limit"), KIB),
    "header of an answer": (answer.HEAD_LIMIT, KIB),
    "bytes read of an answer": (answer.READ_LIMIT, MIB),
    "deliveries of `mockserver check --diagnose`": (doctor.MOST_DELIVERIES, 0),
    "planned answers of the vendor API that wait": (default(AnswerPlan, "limit"), 0),
    "deliveries in one page of `/_mock/deliveries`": (operations.MOST_LISTED, 0),
    "replays in the background at once": (replays.MOST_RUNNING_REPLAYS, 0),
    "checks in the background at once": (check_runs._MOST_RUNNING, 0),
    "checks in the background that are over": (check_runs._KEPT, 0),
    "replays in the background that are over": (replays.MOST_ENDED_REPLAYS, 0),
    "events that wait for a reader of `/_mock/stream`": (stream.MOST_WAITING, 0),
    "bytes of events that wait for a reader of `/_mock/stream`": (stream.MOST_WAITING_BYTES, MIB),
    "bytes for a reader of `/_mock/stream` that are on their way": (stream.MOST_WRITTEN, KIB),
    "seconds until the head of a request is complete": (int(http_host.HEAD_PATIENCE), 0),
    "connections to the mock at once": (http_host.MOST_CONNECTIONS, 0),
}


def rows(heading: str) -> dict[str, str]:
    """The first two columns of the table below a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| (.+?) \| (.+?) \|", section, re.MULTILINE)[2:])


def test_the_page_tells_the_defaults() -> None:
    """Each setting that is a limit is on the page, with the default that it has."""
    told = {name.strip("`"): json.loads(value) for name, value in rows("Limits that are settings").items()}
    defaults = {name: getattr(Settings(), name) for name in Settings.__struct_fields__ if name.startswith("max_")}
    assert told == {**defaults, "timeout": Settings().timeout}


def test_the_page_tells_the_fixed_limits() -> None:
    """Each with the value that the code has."""
    units = {0: "", KIB: " KiB", MIB: " MiB"}
    values = {name: f"{value // (unit or 1):,}{units[unit]}" for name, (value, unit) in FIXED.items()}
    assert rows("Fixed limits") == values


Serve = Callable[..., RawServer]


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with consuming() as running:
        yield running


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts raw servers; they stop with the test."""
    servers: list[RawServer] = []

    def started(behaviour: Behaviour = keep_answering) -> RawServer:
        servers.append(RawServer(behaviour))
        return servers[-1]

    yield started
    for server in servers:
        await server.stop()


def answering(data: bytes) -> Behaviour:
    """A behaviour: each request is answered with these bytes, and the connection ends."""

    async def answer_once(peer: Peer) -> None:
        await peer.answer(data)

    return answer_once


# --- what is kept


async def test_webhooks() -> None:
    """At the limit a registration is refused, over HTTP and in Python; when one is deleted there is room again."""
    async with controlling(max_webhooks=2) as control:
        first = await control.register("https://a.example")
        control.mock.register("https://b.example")
        with pytest.raises(UsageError, match="2 webhooks are registered, which is the limit"):
            control.mock.register("https://c.example")
        body = {"url": "https://c.example", "events": ["run.failed"], "secret": "s"}
        refused = await control.call("POST", "/v1/webhooks", body, headers=JSON)
        assert 400 <= refused.status < 500
        assert "which is the limit" in refused.json["error"]["message"]
        await control.call("DELETE", f"/webhooks/{first}")
        await control.register("https://c.example")
        assert len(control.mock.webhooks) == 2


async def test_deliveries_on_record(consumer: Consumer) -> None:
    """The oldest go, counters say how many, and an id that is gone can still be gone on after."""
    async with controlling(max_deliveries=3) as control:
        await control.register(consumer.url)
        for _ in range(5):
            await control.event()
        listed = await control.get("/deliveries")
        assert [each["delivery_id"] for each in listed["deliveries"]] == ["dlv_000003", "dlv_000004", "dlv_000005"]
        assert (listed["dropped"], (await control.get("/health"))["dropped"]) == (2, 2)
        (await control.call("GET", "/deliveries/dlv_000002")).fails(404)
        assert len((await control.get("/deliveries?after=dlv_000001"))["deliveries"]) == 3
        assert len(control.mock.deliveries) == 3


async def test_recorded_bytes(serve: Serve) -> None:
    """Large answers push the oldest deliveries out; the newest stays, whatever its size."""
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000
    async with controlling(max_recorded_bytes=100_000) as control:
        await control.register(serve(answering(large)).url)
        for _ in range(5):
            await control.event()
        listed = await control.get("/deliveries")
        assert [each["delivery_id"] for each in listed["deliveries"]] == ["dlv_000004", "dlv_000005"]
        assert listed["dropped"] == 3
    async with controlling(max_recorded_bytes=1) as control:
        await control.register(serve(answering(large)).url)
        assert [(await control.event())["delivery_id"] for _ in range(2)] == ["dlv_000001", "dlv_000002"]
        assert len((await control.get("/deliveries"))["deliveries"]) == 1


async def test_recorded_calls() -> None:
    """Of the calls that the vendor API received the oldest go, by number and by size."""
    async with controlling(max_requests=3, max_recorded_bytes=50_000) as control:
        for _ in range(5):
            await control.call("GET", "/v1/webhooks", headers=AUTH)
        listed = await control.get("/requests")
        assert ([request["number"] for request in listed["requests"]], listed["dropped"]) == ([3, 4, 5], 2)
        for _ in range(2):
            await control.call("POST", "/v1/webhooks", b" " * 30_000, headers=JSON)
        listed = await control.get("/requests")
        assert ([request["number"] for request in listed["requests"]], listed["dropped"]) == ([7], 6)


async def test_planned_answers() -> None:
    """A thousand plans may wait; the next one is refused, and a reset makes room."""
    async with controlling() as control:
        for _ in range(1000):
            control.mock.fail_next()
        refused = await control.call("POST", "/faults", {"status": 500})
        assert refused.fails() == "1000 planned answers are waiting, which is the limit: clear some first"
        with pytest.raises(UsageError, match="which is the limit"):
            control.mock.fail_next()
        await control.post("/reset", status=204)
        await control.post("/faults", {"status": 500}, 204)


async def test_replays_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones can still be asked for; those before are forgotten."""
    monkeypatch.setattr(replays, "MOST_ENDED_REPLAYS", 3)
    script = "version: 1\nsteps: [event: run.failed]"
    async with controlling(speed="max") as control:
        for _ in range(6):
            await control.post("/replays?wait=true", script)
        known = [number for number in range(1, 7)
                 if (await control.call("GET", f"/replays/rpl_{number:06d}")).status == 200]  # fmt: skip
        assert known == [3, 4, 5, 6]  # the three that were over when the last one began, and that one


async def test_replays_that_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit one more is refused; when one has ended or was ended there is room again."""
    monkeypatch.setattr(replays, "MOST_RUNNING_REPLAYS", 3)
    script = "version: 1\nsteps: [{event: run.failed, after: 1h}]"
    async with controlling(speed="stepped") as control:
        for _ in range(3):
            await control.post("/replays", script, 202)
        refused = await control.call("POST", "/replays", script)
        assert refused.fails() == "3 replays are going on, which is the limit: reset ends them"
        await control.post("/clock/advance", {"by": "1h"})
        assert (await control.post("/replays", script, 202))["replay_id"] == "rpl_000004"


# --- deliveries


async def test_deliveries_in_flight(serve: Serve) -> None:
    """A raw server never sees more connections at once than are allowed, and all deliveries arrive in the end."""
    open_now, most, full, go = 0, 0, asyncio.Event(), asyncio.Event()

    async def hold(peer: Peer) -> None:
        nonlocal open_now, most
        if not await peer.request():
            return
        open_now += 1
        most = max(most, open_now)
        if open_now == 4:
            full.set()
        await go.wait()
        open_now -= 1
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await peer.closed()

    server = serve(hold)
    async with controlling(max_concurrency=4) as control:
        for number in range(3):
            control.mock.register(f"{server.url}/{number}")
        replays = [{"version": 1, "steps": [{"event": "run.failed", "repeat": 10, "concurrency": 10}]}] * 2
        replaying = asyncio.gather(*(control.post("/replays?wait=true", replay) for replay in replays))
        sending = asyncio.gather(*(control.post("/events", {"event": "run.failed"}) for _ in range(5)))
        await asyncio.wait_for(full.wait(), 60)
        assert server.accepted == 4
        go.set()
        assert sum(replay["report"]["delivered"] for replay in await replaying) == 20
        assert all(sent["delivered"] for sent in await sending)
    assert most == 4
    assert server.accepted == 75


async def test_the_time_out_does_not_count_the_wait_for_a_place(serve: Serve) -> None:
    """A delivery that waited for others longer than its own time-out is sent all the same."""
    first, go = asyncio.Event(), asyncio.Event()

    async def slow(peer: Peer) -> None:
        while await peer.request():
            first.set()
            await go.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = serve(slow)
    async with controlling(max_concurrency=1, timeout=0.5) as control:
        await control.register(server.url)
        sending = [asyncio.ensure_future(control.event()) for _ in range(3)]
        outcomes = [delivery["attempts"][0]["error"]["kind"] for delivery in await asyncio.gather(*sending)]
        assert outcomes == ["timeout"] * 3  # each had its own 0.5 s: none was given up while it waited for its place
        assert server.accepted == 3
        go.set()


async def test_recorded_bodies_of_answers(serve: Serve) -> None:
    """64 KiB of an answer are kept, the rest is counted."""
    for size in (65_536, 65_537, 200_000):
        server = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size))
        async with controlling() as control:
            await control.register(server.url)
            response = (await control.event())["attempts"][0]["response"]
            assert (response["status"], len(response["body"]), response["body_size"]) == (200, min(size, 65_536), size)


# --- scripts


@each_row(
    ("text", "message"),
    [
        ("version: 1\nsteps:\n" + "- {event: run.failed}\n" * 130_000, "more than 250,000 values"),
        ("version: 1\nsteps: [{event: run.failed, repeat: 1000000001}]", "a whole number from 1 to 1000000000"),
        ("version: 1\nsteps: [{event: run.failed, retry: [" + "1s, " * 101 + "]}]", "100"),
    ],
)
async def test_scripts(text: str, message: str) -> None:
    """Each limit is an error in words, from the control API as from Python; nothing is sent."""
    async with controlling(max_request_bytes=32 * MIB, speed="max") as control:
        assert message in (await control.call("POST", "/replays", text)).fails()


async def test_problems_of_a_script() -> None:
    """After a hundred the rest is not looked for, and the last one says so."""
    text = "version: 1\nsteps:\n" + "- {? [a] : 1}\n" * 500
    async with controlling() as control:
        refused = await control.call("POST", "/replays", text)
        problems = refused.json["error"]["problems"]
        assert len(problems) == 101
        assert problems[-1]["message"].startswith("there are more problems from here on")


# --- the control API


async def test_pages_of_deliveries(consumer: Consumer) -> None:
    """A page holds at most a thousand."""
    async with controlling(speed="max") as control:
        await control.register(consumer.url)
        assert "from 1 to 1000" in (await control.call("GET", "/deliveries?limit=1001")).fails()
        await control.post("/events", {"event": "run.failed", "repeat": 1000})
        await control.event()
        page = await control.get("/deliveries?limit=1000")
        assert (len(page["deliveries"]), page["next"]) == (1000, "dlv_001000")
