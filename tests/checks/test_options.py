"""Hooks that make a consumer fail once: a command of the shell, and a URL to POST to."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks import options
from mockserver.checks.effects import AccessError
from mockserver.checks.options import post, run_command
from mockserver.errors import UsageError
from mockserver.model.settings import read_settings
from mockserver.server.mock import Mock
from tests.checks.consumer import Consumer
from tests.checks.judged import Judged
from tests.receiving import consuming
from tests.tables import each_row

PYTHON = f'"{sys.executable}" -c'

# ---------------------------------------------------------------- a command


async def test_a_command_is_one_of_the_shell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With redirections, and several in a row; its output is not mixed with that of the checks."""
    await run_command(f"echo one > '{tmp_path}/said' && echo two >> '{tmp_path}/said'; echo out; echo err >&2")
    assert (tmp_path / "said").read_text().split() == ["one", "two"]
    assert capfd.readouterr() == ("", "")


async def test_a_command_reads_nothing() -> None:
    """One that asks a question gets no answer, and does not wait for the person at the terminal."""
    with pytest.raises(AccessError, match="exit code 1"):
        await run_command("read answer")


@each_row(
    ("command", "why"),
    [
        ("exit 3", "the command 'exit 3' ended with exit code 3"),
        ("echo no database >&2; exit 1", "ended with exit code 1: no database"),
        ("echo no table; exit 2", "ended with exit code 2: no table"),
        ("echo told; echo 'no database' >&2; exit 1", "exit code 1: .*no database"),
        ("no-such-command-anywhere", "exit code 127: .*no-such-command-anywhere.* not found"),
        (r"printf '\377no' >&2; exit 1", "exit code 1: \ufffdno"),
        ("kill -9 $$", "exit code -9"),
    ],
)
async def test_a_command_that_fails_is_reported_with_what_it_said(command: str, why: str) -> None:
    """The exit code, and what it wrote to standard error; where that is nothing, what it wrote at all."""
    with pytest.raises(AccessError, match=why):
        await run_command(command)


async def test_of_much_output_the_end_is_shown() -> None:
    with pytest.raises(AccessError) as caught:
        await run_command(f"{PYTHON} \"import sys; print('x' * 5000, file=sys.stderr); sys.exit('the reason')\"")
    message = str(caught.value)
    assert message.endswith("the reason")
    assert message.count("x") < 250


async def test_a_command_may_leave_something_running(gate: Path) -> None:
    """A restarted consumer, for example: it is not waited for, though it keeps the output open."""
    await run_command(f"cat '{gate}' & true")
    gate.write_bytes(b"")  # noqa: ASYNC240 - it ends now; one that was waited for would have to be broken off before


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe with a name, that a command can hang on."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def is_held_no_more(gate: Path) -> bool:
    """Wait until no one holds the pipe open for writing."""
    reading = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)  # and for the last of those who hold it
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:
        return waiting.poll(60_000) != []
    finally:
        os.close(reading)


async def test_a_command_may_not_take_for_ever(monkeypatch: pytest.MonkeyPatch, gate: Path) -> None:
    """After its time it is ended, with all that it started, and reported."""
    monkeypatch.setattr(options, "_PATIENCE", 0.5)
    reading = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)  # so that the command need not wait for a reader
    with pytest.raises(AccessError, match=r"the command .* took longer than 0\.5 s"):
        await run_command(f"sleep 600 > '{gate}'; echo on")
    os.close(reading)
    assert is_held_no_more(gate)


async def test_a_command_that_no_one_waits_for_is_ended(gate: Path) -> None:
    """With all that it started: so Ctrl-C ends it too."""
    reading = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    running = asyncio.create_task(run_command(f"echo begun > '{gate}'; sleep 600 > '{gate}'; echo on"))
    await asyncio.to_thread(select.select, [reading], [], [], 60)
    assert os.read(reading, 100) == b"begun\n"
    os.close(reading)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert is_held_no_more(gate)


@pytest.mark.parametrize("turns", range(5))
async def test_a_command_that_no_one_wants_any_more_before_it_has_begun(turns: int, gate: Path) -> None:
    """It may just be starting: what it starts is ended all the same."""
    reading = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    running = asyncio.create_task(run_command(f"sleep 600 > '{gate}'; echo on"))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    os.close(reading)
    assert is_held_no_more(gate)


# ---------------------------------------------------------------- a URL


@pytest.fixture
async def service() -> AsyncIterator[Mock]:
    service = Mock(read_settings())
    yield service
    await service.stop()


async def posted(service: Mock, url: str, timeout: float = 10) -> None:
    target = service.routes.resolve(url)
    await post(target, service.transport_to(target), (("User-Agent", "a-test/1"),), timeout)


async def test_nothing_is_posted_to_a_url(service: Mock, aiohttp_server: Callable[..., Any]) -> None:
    """With the path and the query as they were given, and no body."""
    received = []

    async def fail(request: web.Request) -> web.Response:
        received.append((request.method, request.path_qs, await request.read(), request.headers.copy()))
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/debug/fail", fail)
    server = await aiohttp_server(app)
    await posted(service, str(server.make_url("")).rstrip("/") + "/debug/fail?times=1&then=no%20more")
    ((method, path, body, headers),) = received
    assert (method, path, body) == ("POST", "/debug/fail?times=1&then=no%20more", b"")
    assert (headers["Content-Length"], headers["User-Agent"]) == ("0", "a-test/1")
    assert headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
async def test_every_2xx_is_a_yes_and_any_other_answer_is_reported(service: Mock, status: int) -> None:
    """With its status and the URL."""

    async def answer(_: object) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with consuming() as consumer:
        consumer.answer = answer
        expected: AbstractContextManager[Any] = nullcontext()
        if status >= 300:
            expected = pytest.raises(AccessError, match=f"^POST {consumer.url}/fail answered {status}$")
        with expected:
            await posted(service, f"{consumer.url}/fail")
        assert len(consumer.received) == 1


async def test_where_no_one_listens_that_is_reported(service: Mock, closed_port: int) -> None:
    with pytest.raises(AccessError, match=f"^POST http://127.0.0.1:{closed_port}/ got no answer: .*nothing listens"):
        await posted(service, f"http://127.0.0.1:{closed_port}/")


# ---------------------------------------------------------------- in a check


class Asked(Consumer):
    """Has another URL, to which nothing happens."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def fail(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        return web.Response()

    @override
    def app(self) -> web.Application:
        app = super().app()
        app.router.add_route("*", "/fail", self.fail)
        return app


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
async def test_a_hook_that_begins_like_a_url_is_one(scheme: str, judged: Judged) -> None:
    """It is POSTed to; everything else is a command."""
    consumer = Asked()
    url = (await judged.url(consumer)).replace("http", scheme)
    report = await judged.report(consumer, "PG080", probed=True, fail_once=f"{url}/fail")
    assert consumer.asked == ["POST"]
    assert report.unusable == "the consumer was supposed to fail, but answered 200: check what --fail-once does"


async def test_a_url_that_is_none_is_wrong_usage(judged: Judged) -> None:
    """It is found before anything is sent."""
    consumer = Consumer()
    with pytest.raises(UsageError, match="http://"):
        await judged.report(consumer, probed=True, fail_once="http://")
    assert consumer.handled == []


def fails() -> None:
    raise RuntimeError("no database")


@each_row(
    ("hook", "why"),
    [("/nowhere", "answered 404"), (fails, "fail_once fails: RuntimeError: no database")],
)
async def test_a_hook_that_fails_makes_the_run_unusable(hook: object, why: str, judged: Judged) -> None:
    """The consumer did nothing wrong."""
    report = await judged.report(Consumer(), "PG080", probed=True, fail_once=hook)
    assert why in report.unusable
    assert report.finding("PG080").verdict == "inconclusive"
