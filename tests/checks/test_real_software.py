"""Behaviours of real servers, proxies, queues and consumers: none of them is blamed, or cleared, for something else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.checked import checked, verdicts, wire_of
from tests.checks.consumer import Consumer
from tests.checks.judged import Hooks, Judged, instead

FORGERIES = ("PG010", "PG011", "PG012", "PG013", "PG014", "PG015", "PG017", "PG018", "PG019", "PG020", "PG025")


# ---------------------------------------------------------------- green only when tested


class AnswersOk(Consumer):
    """Answers 202 to everything, and handles what is genuine."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        await super().webhook(request)
        return web.Response(status=202)


class VerifiesNothing(AnswersOk):
    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        return True


async def test_forgeries_that_cannot_be_shown_to_be_refused_fail(judged: Judged) -> None:
    """By default, and the report says how to prove it either way; not where only what is proven counts."""
    report = await judged.report(VerifiesNothing(), *FORGERIES)
    assert {*FORGERIES} <= {finding.id for finding in report.failures}
    assert "--probe" in report.summary
    for fail_on, ok in (("proven", True), ("fail", True), ("warn", False)):
        assert (await judged.report(VerifiesNothing(), *FORGERIES, fail_on=fail_on)).ok is ok


class DropsOtherSpellings(AnswersOk):
    """Answers first, and then verifies the body parsed and written again."""

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        try:
            again = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return False
        return body == again and super().is_genuine(body, signature)


async def test_acceptance_is_an_effect_and_not_an_answer(judged: Judged) -> None:
    """With a probe; and without one it is no proof of anything."""
    report = await judged.report(DropsOtherSpellings(), probed=True)
    assert verdicts(report, "fail") == {
        "PG030": "fail: answered 2xx, but without the effect of an event: spaces after colons and commas, indented,"
        r" \u escapes, a line feed at the end"
    }
    assert (await judged.report(DropsOtherSpellings(), "PG030", fail_on="proven")).ok


# ---------------------------------------------------------------- one cause, one blame


def breaks_at_one_type(key: tuple[str, str]) -> web.Response | None:
    return web.Response(status=500) if key[0] == "optimization.completed" else None


async def test_an_event_type_that_breaks_is_blamed_once(judged: Judged) -> None:
    """The other checks use the types that are accepted."""
    for probed in (False, True):
        report = await judged.report(instead(Consumer(), breaks_at_one_type), probed=probed)
        assert set(verdicts(report, "fail", "warn", "inconclusive")) == {"PG002"}
        assert "answered 500: optimization.completed" in report.finding("PG002").summary


@pytest.mark.parametrize("status", [500, 503])
async def test_a_refusal_by_an_error_is_called_that(status: int, judged: Judged) -> None:
    """It is not taken for a consumer that verifies nothing; nor for a limit, while valid events are accepted."""
    report = await judged.report(Hooks(refusal=status), "PG012")
    assert report.finding("PG012").verdict == "fail"
    assert "refused, but with an error" in report.finding("PG012").summary
    assert report.stopped == ""


class WantsFreshEvents(Consumer):
    """Refuses what is of the future, or older than two minutes."""

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        genuine = super().is_genuine(body, signature)
        found = body.partition(b'"timestamp":"')[2][:20].decode("ascii", "replace")
        now = time.time()  # given on, for without an argument gmtime may lag some milliseconds behind
        oldest, newest = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(each)) for each in (now - 120, now))
        return genuine and (not found or oldest <= found <= newest)


async def test_events_are_neither_old_nor_of_the_future(judged: Judged) -> None:
    """Some consumers refuse those."""
    report = await judged.report(WantsFreshEvents(), probed=True)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}


# ---------------------------------------------------------------- limits, queues, slow handlers


class Limited(Consumer):
    """Answers 503 to more than a number of requests a second, as a proxy in front does by default."""

    rate, left, seen_at = 60.0, 10.0, 0.0

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        self.left = min(10.0, self.left + (now - self.seen_at) * self.rate)
        self.seen_at = now
        if self.left < 1:
            return web.Response(status=503)
        self.left -= 1
        return await super().webhook(request)


async def test_a_limit_is_waited_out_and_named(judged: Judged) -> None:
    """Whatever answers 503 to too much at once says nothing of an event."""
    report = await judged.report(Limited(), probed=True, skip=("PG042", "PG043"))
    assert report.ok
    assert verdicts(report, "fail", "warn") == {}
    assert "the consumer limits requests" in report.summary


class Queue(Consumer):
    """Answers at once, and handles later: sooner or later, as a queue does that is asked with growing pauses."""

    def __init__(self, *pauses: float) -> None:
        super().__init__()
        self._pauses = pauses

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        if key not in self.seen:
            self.seen.add(key)
            pause = self._pauses[len(self.seen) % len(self._pauses)]
            asyncio.get_running_loop().call_later(pause, self.effect, key[0])
        return web.Response(status=202)


@pytest.mark.parametrize(("pauses", "limit"), [((0.02, 0.1, 0.25), 120.0), ((1.0,), 300.0)])
async def test_late_effects_are_counted_where_they_belong(
    pauses: tuple[float, ...], limit: float, judged: Judged
) -> None:
    """No check is blamed for the effect of another one; what comes after a second is waited for together."""
    report = await judged.report(Queue(*pauses), probed=True, effect_within=None, time_limit=limit)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}


class SlowHandler(Consumer):
    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        await asyncio.sleep(1.5)
        return await super().take(key)


async def test_a_slow_handler_does_not_take_minutes(judged: Judged) -> None:
    """Its events are sent at the same time; that it is slow is found out."""
    report = await judged.report(SlowHandler(), probed=True, effect_within=None, time_limit=300.0)
    assert set(verdicts(report, "fail", "warn")) == {"PG060"}


# ---------------------------------------------------------------- consumers that end, servers that hang up


#: Whether a request, given its head, its body and whether that came whole, is one that ends a consumer.
Odd = Callable[[bytes, bytes, bool], bool]


class Program:
    """A consumer as a program of its own on a port: it can end, and be started again.

    Args:
        odd: Says of a request (its head and body) whether it ends the program, or the connection alone.
        back_after: Seconds until it is started again; None for never.
        hangs_up: Whether only the connection ends.
    """

    def __init__(self, odd: Odd, *, back_after: float | None = None, hangs_up: bool = False) -> None:
        self._odd = odd
        self._back_after = back_after
        self._hangs_up = hangs_up
        self._consumer = Consumer()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def end(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._back_after is not None:
            self._tasks.add(asyncio.ensure_future(self._come_back(self._back_after)))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body, whole = b"", b"", True
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            body = await reader.readexactly(int(length or b"0"))
        except asyncio.IncompleteReadError:
            whole = False
        if self._odd(head, body, whole):
            if not self._hangs_up:
                self.end()
            return
        if not whole:
            return
        values = [
            line.partition(b":")[2].strip() for line in head.split(b"\r\n") if b"x-playgent-signature" in line.lower()
        ]
        genuine = self._consumer.is_genuine(body, b", ".join(values).decode("latin-1"))
        status = b"200 OK" if genuine else b"401 Unauthorized"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def running(program: Program) -> AsyncIterator[str]:
    """Serve a program, and give its URL."""
    await program.start()
    try:
        yield f"http://127.0.0.1:{program.port}/hooks"
    finally:
        program._back_after = None
        for task in program._tasks:
            task.cancel()
        program.end()


def is_nonsense(head: bytes, _: bytes, __: bool) -> bool:
    """A word for a signature, which ends the program in the middle of a check of many."""
    return b"nonsense" in head


def is_cut_off(_: bytes, __: bytes, whole: bool) -> bool:
    """A request that ends before its body does."""
    return not whole


ONLY = ("PG010", "PG017", "PG019", "PG041", "PG054", "PG007")


@pytest.mark.parametrize(("odd", "check"), [(is_nonsense, "PG017"), (is_cut_off, "PG054")])
@pytest.mark.usefixtures("quick_time")
async def test_the_request_that_ends_a_consumer_is_the_evidence(odd: Odd, check: str) -> None:
    """One that is started again passes nothing by that, and every other check is made."""
    async with running(Program(odd, back_after=0.2)) as url:
        report = await checked(url, only=ONLY, events=("run.failed",))
    finding = report.finding("PG007")
    assert finding.verdict == "fail"
    assert "started again" in finding.summary
    assert {each.source for each in finding.evidence} == {check}
    assert odd(wire_of(finding.evidence[0]), b"", check != "PG054")
    others = {each.id for each in report.findings} - {"PG007", check}
    assert {report.finding(each).verdict for each in others} == {"pass"}


@pytest.mark.usefixtures("quick_time")
async def test_a_consumer_that_does_not_come_back_ends_the_run() -> None:
    """What could not be found out any more says since when."""
    async with running(Program(is_nonsense)) as url:
        report = await checked(url, only=ONLY, events=("run.failed",))
    assert "did not come back" in report.finding("PG007").summary
    assert "a request of PG017 ended it" in report.finding("PG054").summary
    assert report.finding("PG054").verdict == "inconclusive"


@pytest.mark.usefixtures("quick_time")
async def test_a_server_that_closes_on_a_long_header_refuses_it() -> None:
    """The next request is served, so nothing has ended."""
    async with running(Program(lambda head, *_: len(head) > 4000, hangs_up=True)) as url:
        report = await checked(url, only=("PG017", "PG007"), events=("run.failed",))
    assert report.ok
    assert "closing the connection" in report.finding("PG017").summary


# ---------------------------------------------------------------- bodies without end


async def test_a_forged_body_without_end_is_not_read_whole(judged: Judged) -> None:
    """Where a size is asked for."""
    assert (await judged.finding(Consumer(), "PG027", large_body=16 * 2**20)).verdict == "pass"
    assert (await judged.finding(Consumer(), "PG027")).verdict == "not tested"
