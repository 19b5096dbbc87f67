"""Findings that no consumer of the matrix shows: each with a consumer of its own that has the mistake."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.checked import verdicts
from tests.checks.consumer import Consumer, Kind
from tests.checks.judged import Hooks, Judged, accepting, believing, signed


def _is_bare_digest(body: bytes, given: str) -> bool:
    return signed(body) == "sha256=" + given.lower().removeprefix("sha256=")


def _is_first(body: bytes, given: str) -> bool:
    return signed(body) == given.split(", ", 1)[0]


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


JSON = web.json_response

_CASES: list[tuple[str, Kind, str, str, str]] = [
    ("a bare digest", lambda: accepting(_is_bare_digest), "PG021", "warn", "without `sha256=`"),
    ("any case", lambda: accepting(_is_bare_digest), "PG022", "warn", "upper case"),
    ("the first of two", lambda: accepting(_is_first), "PG023", "warn", "two signatures"),
    ("does not continue", DoesNotContinue, "PG051", "fail", "answered 417"),
    ("is impatient", IsImpatient, "PG052", "fail", "answered 408"),
    (
        "believes everything",
        lambda: believing(lambda **_: JSON({"accepted": True})),
        "PG012",
        "warn",
        "the answer is the one that a genuine event gets",
    ),
    (
        "answers forgeries otherwise",
        lambda: Hooks(refuse=lambda: JSON({"accepted": False}), answer=lambda **_: JSON({"accepted": True})),
        "PG012",
        "warn",
        "only --probe can show",
    ),
]
_NAMES = [case[0] for case in _CASES]


@pytest.mark.parametrize(("kind", "check", "verdict", "summary"), [case[1:] for case in _CASES], ids=_NAMES)
async def test_what_is_found_out(kind: Kind, check: str, verdict: str, summary: str, judged: Judged) -> None:
    """The check says so, and shows a delivery; what a must only seems not to meet breaks a build as well."""
    report = await judged.report(kind(), check, "every_event_type")
    finding = report.finding(check)
    assert finding.verdict == verdict
    assert summary in finding.summary
    assert finding.evidence
    assert finding.breaks == (verdict in {"fail", "warn"} and finding.check.severity == "must")


async def test_answers_that_repeat_the_event_are_compared_without_it(judged: Judged) -> None:
    """The ids in them say nothing of whether an event was known."""

    class Repeats(Consumer):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            answer = await super().webhook(request)
            if answer.status != 200:
                return answer
            event = json.loads(await request.read())
            return web.json_response({"taken": event["data"], "at": event["timestamp"]})

    consumer = Repeats()
    consumer.change(is_genuine=lambda *_: True)
    report = await judged.report(consumer, "PG010")
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
