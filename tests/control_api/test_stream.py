"""``GET /_mock/stream``: server-sent events as they come, read by real clients."""

import asyncio
import gc
import json
import socket
from typing import Any

import pytest
from aiohttp import ClientResponse

from mockserver.control_api import stream as stream_module
from mockserver.delivery.event_loop import PATIENCE
from tests.control_api.calling import AUTH, Control, Start, controlling
from tests.receiving import Consumer, eventually


class Reader:
    """Reads a stream with aiohttp's client."""

    def __init__(self, response: ClientResponse) -> None:
        self._content = response.content

    async def block(self) -> bytes:
        """What comes up to the next empty line."""
        return (await asyncio.wait_for(self._content.readuntil(b"\n\n"), 60)).removesuffix(b"\n\n")

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next event: its name and its data."""
        name, data = (await self.block()).decode().split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def opened(control: Control) -> tuple[ClientResponse, Reader]:
    """A stream that is open: what happens from now on is in it; no browser or proxy may give it again."""
    response = await control.session.get(f"{control.url}/_mock/stream")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    reader = Reader(response)
    assert await reader.block() == b": connected"
    return response, reader


def listeners(control: Control) -> list[int]:
    """How many listen to what happens in a mock, beside itself."""
    mock = control.mock._mock
    return [len(part._listeners) for part in (mock.records, mock.webhooks, mock.calls)]


async def test_everything_as_it_comes(control: Control, consumer: Consumer) -> None:
    """A registration, the call that made it, and a delivery: the same views as elsewhere."""
    response, reader = await opened(control)
    webhook_id = await control.register(consumer.url, secret="whsec_private")
    assert await reader.event() == ("webhook", await control.get(f"/webhooks/{webhook_id}"))
    assert await reader.event() == ("request", (await control.get("/requests"))["requests"][0])
    delivery = await control.event()
    name, data = await reader.event()
    assert (name, data["unmet"]) == ("delivery", [])
    assert data == delivery
    assert "private" not in json.dumps(data)
    response.close()


async def test_every_reader_sees_everything(control: Control, consumer: Consumer) -> None:
    """Two readers do not take events from each other."""
    streams = [await opened(control) for _ in range(2)]
    await control.register(consumer.url)
    for response, reader in streams:
        assert [(await reader.event())[0] for _ in range(2)] == ["webhook", "request"]
        response.close()


async def test_the_order_is_that_of_what_happened(control: Control, consumer: Consumer) -> None:
    """Many deliveries come in their order, none missing."""
    await control.register(consumer.url)
    response, reader = await opened(control)
    await control.post("/events", {"event": "run.failed", "repeat": 300})
    ids = [(await reader.event())[1]["delivery_id"] for _ in range(300)]
    assert ids == [f"dlv_{number:06d}" for number in range(1, 301)]
    response.close()


async def test_a_reader_that_goes_leaves_nothing_behind(control: Control, consumer: Consumer) -> None:
    """Its subscriptions end soon, even when nothing happens any more."""
    before = listeners(control)
    response, _ = await opened(control)
    assert listeners(control) == [count + 1 for count in before]
    response.close()
    await eventually(lambda: listeners(control) == before)
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is stream_module.EventStream]  # no proxy is asked
    await control.register(consumer.url)
    assert (await control.event())["outcome"] == "delivered"


async def test_a_reader_that_resets_leaves_nothing_behind(control: Control, consumer: Consumer) -> None:
    """Nor does one whose connection breaks while events are written to it."""
    before = listeners(control)
    await control.register(consumer.url)
    reading = socket.create_connection(("127.0.0.1", control.port))
    reading.sendall(b"GET /_mock/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await eventually(lambda: listeners(control) != before)
    events = asyncio.ensure_future(control.post("/events", {"event": "run.failed", "repeat": 200}))
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    reading.close()
    assert (await events)["delivered"] is True
    await eventually(lambda: listeners(control) == before)


async def test_a_sign_of_life(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens, a comment shows that the stream is alive."""
    monkeypatch.setattr(stream_module, "_HEARTBEAT", 0.0)
    monkeypatch.setattr(stream_module, "_LOOK", 0.01)
    response, reader = await opened(control)
    assert [await reader.block() for _ in range(2)] == [b": still here"] * 2
    response.close()


async def test_a_slow_reader_learns_what_it_missed(control: Control) -> None:
    """A reader that does not read costs bounded memory; then it learns how many events were left out, and goes on."""
    reading = socket.socket()
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reading.connect(("127.0.0.1", control.port))
    reading.sendall(b"GET /_mock/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    before = listeners(control)
    await eventually(lambda: listeners(control) > before or listeners(control)[0] > 0)
    body = json.dumps({"text": "x" * 200_000})
    for _ in range(160):  # 32 MB: more than any socket takes, and more than is kept
        await control.call("POST", "/v1/webhooks", body, headers={**AUTH, "Content-Type": "application/json"})
    stream: Any = getattr(control.mock._mock.calls._listeners[-1], "__self__", None)
    assert stream.size <= stream_module.MOST_WAITING_BYTES
    text = bytearray()
    loop = asyncio.get_running_loop()
    reading.setblocking(False)
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    while b'"number":160' not in text[-300_000:]:  # the last event is no longer than that
        text += await asyncio.wait_for(loop.sock_recv(reading, 1 << 20), 60)
    reading.close()
    dropped = json.loads(text.partition(b"event: dropped\ndata: ")[2].partition(b"\n")[0])["events"]
    assert dropped > 0
    assert text.count(b"event: request") + dropped == 160


def registering(control: Control, count: int) -> list[str]:
    """Register that many webhooks in one turn of the mock's loop, so that no reader comes between; their ids."""
    register = control.mock._mock.register
    made = control.mock._running.call(lambda: [register("http://127.0.0.1:9/", None, "s") for _ in range(count)])
    return [webhook.webhook_id for webhook in made]


async def test_too_many_events_at_once(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit all are kept; beyond it the newest are, and how many are missing is sent first, and once."""
    monkeypatch.setattr(stream_module, "MOST_WAITING", 5)
    response, reader = await opened(control)
    for webhook_id in registering(control, 5):
        name, data = await reader.event()
        assert (name, data["webhook_id"]) == ("webhook", webhook_id)
    newest = registering(control, 20)[-5:]
    assert await reader.event() == ("dropped", {"events": 15})
    assert [(await reader.event())[1]["webhook_id"] for _ in range(5)] == newest
    (last,) = registering(control, 1)
    assert (await reader.event())[1]["webhook_id"] == last
    response.close()


async def test_too_many_bytes_at_once(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many events are kept as fit; what has been read counts no more, and the newest stays whatever its size."""
    response, reader = await opened(control)
    registering(control, 1)
    size = len(await reader.block()) + 2
    monkeypatch.setattr(stream_module, "MOST_WAITING_BYTES", 2 * size)
    for _ in range(3):
        registering(control, 2)
        assert [(await reader.event())[0] for _ in range(2)] == ["webhook"] * 2
    newest = registering(control, 10)[-2:]
    assert await reader.event() == ("dropped", {"events": 8})
    assert [(await reader.event())[1]["webhook_id"] for _ in range(2)] == newest
    monkeypatch.setattr(stream_module, "MOST_WAITING_BYTES", 1)
    newest = registering(control, 3)[-1:]
    assert await reader.event() == ("dropped", {"events": 2})
    assert [(await reader.event())[1]["webhook_id"]] == newest
    response.close()


async def test_stopping_ends_the_stream_at_once() -> None:
    """The reader sees an orderly end, long before the next sign of life would be due."""
    async with controlling() as control, control.session.get(f"{control.url}/_mock/stream") as response:
        await Reader(response).block()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await loop.run_in_executor(None, control.mock.stop)
        assert loop.time() - begun < PATIENCE
        assert await response.content.read() == b""
        assert sum(listeners(control)) == 0


async def test_stopping_with_a_reader_that_does_not_read(start: Start) -> None:
    """A reader that hangs does not hold up the end."""
    control = await start()
    reading = socket.create_connection(("127.0.0.1", control.port))
    reading.sendall(b"GET /_mock/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await eventually(lambda: listeners(control)[0] > 0)
    body = json.dumps({"text": "x" * 500_000})
    for _ in range(20):
        await control.call("POST", "/v1/webhooks", body, headers={**AUTH, "Content-Type": "application/json"})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await loop.run_in_executor(None, control.mock.stop)
    assert loop.time() - begun < PATIENCE
    assert sum(listeners(control)) == 0
    reading.close()
