"""Findings that no consumer of the matrix shows: each with a consumer of its own that has the mistake."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.checked import checked, verdicts
from tests.checks.consumer import Consumer, Kind
from tests.checks.judged import Judged, counting


class RefusesOneType(Consumer):
    """No one ever tried an optimization."""

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        return web.Response(status=501) if key[0].startswith("optimization") else await super().take(key)


class TiresAtTheEnd(Consumer):
    """Takes a number of events, and then none."""

    most = 7

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        return await super().take(key) if len(self.seen) < self.most else web.Response(status=410)


class TakesABareDigest(Consumer):
    """Accepts it with and without ``sha256=`` before it, however that is written."""

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        return super().is_genuine(body, "sha256=" + signature.lower().removeprefix("sha256="))


class LooksAtTheFirstSignature(Consumer):
    """Takes the first of two headers."""

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        return super().is_genuine(body, signature.split(", ", 1)[0])


class DoesNotContinue(Consumer):
    """Refuses what expects an invitation to go on."""

    @override
    def app(self) -> web.Application:
        app = web.Application()

        async def refuse(_: web.Request) -> None:
            raise web.HTTPExpectationFailed

        app.router.add_route("POST", "/hooks", self.webhook, expect_handler=refuse)
        return app


class IsImpatient(Consumer):
    """Gives a body half a second to come."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        try:
            await asyncio.wait_for(request.read(), 0.5)
        except asyncio.TimeoutError:
            return web.Response(status=408)
        return await super().webhook(request)


class HasFewSeats(Consumer):
    """Takes five events at once, and turns the others away."""

    here = 0

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        if self.here >= 5:
            return web.Response(status=503)
        self.here += 1
        await asyncio.sleep(0.05)
        self.here -= 1
        return await super().take(key)


class BelievesEverything(Consumer):
    """Verifies nothing, but needs JSON; answers what is new and what is not in the same way."""

    @override
    def is_genuine(self, body: bytes, signature: str) -> bool:
        return True

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"accepted": True})


class AnswersForgeriesOtherwise(Consumer):
    """Answers a forgery 200, with other words than a genuine event; no one knows what it does."""

    @override
    def refuse(self) -> web.Response:
        return web.json_response({"accepted": False})

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"accepted": True})


class RedirectsForgeries(Consumer):
    """Sends callers that it does not know to a page."""

    refusal = 302


_CASES: list[tuple[Kind, str, str, str]] = [
    (RefusesOneType, "PG002", "fail", "answered 501: optimization.completed"),
    (TiresAtTheEnd, "PG006", "fail", "after all checks a valid event answered 410"),
    (TakesABareDigest, "PG021", "warn", "without `sha256=`"),
    (TakesABareDigest, "PG022", "warn", "upper case"),
    (LooksAtTheFirstSignature, "PG023", "warn", "two signatures"),
    (DoesNotContinue, "PG051", "fail", "answered 417"),
    (IsImpatient, "PG052", "fail", "answered 408"),
    (HasFewSeats, "PG055", "inconclusive", "of 20 events at once answered 503, and were accepted later"),
    (BelievesEverything, "PG012", "warn", "the answer is the one that a genuine event gets"),
    (AnswersForgeriesOtherwise, "PG012", "warn", "only --probe can show"),
    (RedirectsForgeries, "PG010", "warn", "neither accepted nor refused"),
]


@pytest.mark.parametrize(
    ("kind", "check", "verdict", "summary"), _CASES, ids=[f"{case[1]}-{case[0].__name__}" for case in _CASES]
)
async def test_what_is_found_out(kind: Kind, check: str, verdict: str, summary: str, judged: Judged) -> None:
    """The check says so, and shows a delivery; what a must only seems not to meet breaks a build as well."""
    report = await judged.report(kind(), check, "every_event_type")
    finding = report.finding(check)
    assert finding.verdict == verdict
    assert summary in finding.summary
    assert finding.evidence
    assert finding.breaks == (verdict in {"fail", "warn"} and finding.check.severity == "must")


@asynccontextmanager
async def _handles_half_bodies(count: list[str], *, breaks: bool = False) -> AsyncIterator[str]:
    """A hand-made server that handles as much of a body as came, and so does not verify it; one half may break it."""
    broken = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            body = b""
            while len(body) < length and (piece := await reader.read(length - len(body))):
                body += piece
            name = body.partition(b'"run_id":"')[2].split(b'"', 1)[0].decode()
            if name and name not in count:
                count.append(name)
            nonlocal broken
            broken = broken or (breaks and len(body) < length)
            status = b"500 Broken" if broken else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.usefixtures("quick_time")
async def test_half_of_a_body_that_is_handled_is_found_out() -> None:
    """What came of it was not what was signed."""
    count: list[str] = []
    async with _handles_half_bodies(count) as url:
        report = await checked(url, only=("PG054",), probe=counting(count), events=("run.failed",))
    assert verdicts(report, "fail") == {"PG054": "fail: half of a body had an effect of 1"}


@pytest.mark.usefixtures("quick_time")
async def test_a_consumer_that_breaks_at_half_a_body_is_found_out() -> None:
    """The next valid event is not taken any more."""
    async with _handles_half_bodies([], breaks=True) as url:
        report = await checked(url, only=("PG054",), events=("run.failed",))
    assert report.finding("PG054").verdict == "fail"
    assert "after half a body, a valid event answered 500" in report.finding("PG054").summary


async def test_answers_that_repeat_the_event_are_compared_without_it(judged: Judged) -> None:
    """The ids in them say nothing of whether an event was known."""

    class Repeats(Consumer):
        @override
        def is_genuine(self, body: bytes, signature: str) -> bool:
            return True

        @override
        async def webhook(self, request: web.Request) -> web.Response:
            answer = await super().webhook(request)
            if answer.status != 200:
                return answer
            event = json.loads(await request.read())
            return web.json_response({"taken": event["data"], "at": event["timestamp"]})

    report = await judged.report(Repeats(), "PG010")
    assert "the answer is the one that a genuine event gets" in report.finding("PG010").summary


async def test_a_hole_in_the_branch_of_one_event_type_is_found_without_a_probe(judged: Judged) -> None:
    """The types that are ignored are answered 200 to anyone; the one that is handled shows the hole."""

    class HandlesFailuresOfAnybody(Consumer):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            event = json.loads(await request.read())
            if event["event"] != "run.failed":
                return web.json_response({"status": "ignored"})
            return await self.take((event["event"], event["data"]["run_id"]))

    report = await judged.report(HandlesFailuresOfAnybody(), "PG010", "PG012")
    assert set(verdicts(report, "fail")) == {"PG010", "PG012"}
    assert "run.failed without a signature (answered 200): the genuine event" in report.finding("PG010").summary
