"""The embedded consumer, and waiting for a target, in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mockserver import sign
from mockserver.delivery.http1.dial import why_unreachable
from mockserver.model.targets import Target
from mockserver.server.embedded_consumer import EmbeddedConsumer, Received
from tests.cli.program import SECRET
from tests.consumers.post import Answer, post

BODY = b'{"event":"run.failed"}'


class Receiver(EmbeddedConsumer):
    """A consumer that keeps what it received."""

    def __init__(self, status: int = 202) -> None:
        self.received: list[Received] = []
        super().__init__(SECRET, status, self.received.append)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def ask(receiver: Receiver, body: bytes | list[bytes], signature: str | None = None, **more: Any) -> Answer:
    return await asyncio.to_thread(post, f"{receiver.url}/hooks", body, signature, **more)


async def test_a_verified_delivery(receiver: Receiver) -> None:
    """A delivery with the right signature is counted, printed, and answered as asked."""
    answer = await ask(receiver, BODY, sign(BODY, SECRET))
    assert (answer.status, answer.json) == (202, {"status": "verified"})
    (received,) = receiver.received
    assert (received.verified, received.event, received.path, received.body) == (True, "run.failed", "/hooks", BODY)
    assert (receiver.verified, receiver.refused) == (1, 0)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "there is no X-Playgent-Signature header"),
        ([("X-Playgent-Signature", "a"), ("X-Playgent-Signature", "b")], "there is more than one"),
        ([("X-Playgent-Signature", sign(BODY, SECRET)[7:])], "does not begin with sha256="),
        ([("X-Playgent-Signature", sign(BODY + b" ", SECRET))], "is not that of these bytes with this secret"),
        ([("X-Playgent-Signature", "sha256=\xff".encode("latin-1"))], "is not that of these bytes"),
    ],
)
async def test_a_refused_delivery(receiver: Receiver, headers: list[tuple[str, str]], reason: str) -> None:
    """A missing or wrong signature is refused with 401 and the reason."""
    answer = await ask(receiver, BODY, headers=headers)
    assert answer.status == 401
    assert reason in answer.json["error"]
    assert receiver.received[0].refusal == answer.json["error"]
    assert (receiver.verified, receiver.refused) == (0, 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"event":1}', b"[" * 100_000, b"\xff"])
async def test_a_signed_body_that_is_no_event(receiver: Receiver, body: bytes) -> None:
    """What is verified is the signature; a body that names no event has none."""
    assert (await ask(receiver, body, sign(body, SECRET))).status == 202
    assert receiver.received[0].event == ""


async def test_what_is_no_delivery(receiver: Receiver) -> None:
    """Other methods and bodies without end are refused, and nothing is counted."""
    answer = await ask(receiver, BODY, sign(BODY, SECRET), method="PUT")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    answer = await ask(receiver, [b"x" * 1024 * 1024] * 17)
    assert answer.status == 413
    assert receiver.received == []


async def test_a_status_without_a_body() -> None:
    """With 204 the answer has no body."""
    receiver = Receiver(204)
    await receiver.start()
    try:
        assert (await ask(receiver, BODY, sign(BODY, SECRET))).status == 204
    finally:
        await receiver.stop()


async def test_a_target_that_comes_up_is_reached() -> None:
    """Waiting ends when the target begins to accept connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        target = Target.parse(f"http://localhost:{server.getsockname()[1]}/")
        waiting = asyncio.create_task(why_unreachable(target, 20, ()))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.15)
        server.listen()
        assert await waiting == ""


async def test_a_target_that_does_not_come_up(closed_port: int) -> None:
    """When it does not in time, the answer says why."""
    target = Target.parse(f"http://127.0.0.1:{closed_port}/")
    assert "accepted no connection within 50ms (nothing listens there)" in await why_unreachable(target, 0.05, ())
    target = Target.parse("http://nowhere.invalid/")
    assert "nowhere.invalid accepted no connection within 0ms (" in await why_unreachable(target, 0, ())


async def test_a_target_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is neither accepted nor refused is given up when the time is over."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    assert "(no answer)" in await why_unreachable(Target.parse("http://127.0.0.1:1/"), 0.05, ())
