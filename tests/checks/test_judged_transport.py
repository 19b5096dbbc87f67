"""What is made of answers to bursts, to bodies in chunks and to large ones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.judged import Hooks, Judged, answer_with, believing


class OneAtATime(Hooks):
    """Has a seat for one event, and turns the others away in a way that a test chooses.

    Args:
        full: Answers an event that comes while another is handled.
        later: Answers an event that was turned away before; None to handle it.
    """

    def __init__(self, full: Callable[[], web.Response], later: Callable[[], web.Response] | None = None) -> None:
        super().__init__()
        self._full, self._later = full, later
        self._turned_away: set[tuple[str, str]] = set()
        self._busy = False

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        if self._busy:
            self._turned_away.add(key)
            return self._full()
        if key in self._turned_away and self._later is not None:
            return self._later()
        self._busy = True
        await asyncio.sleep(0.05)
        self._busy = False
        return await super().take(key)


@pytest.mark.parametrize(
    ("consumer", "verdict", "summary"),
    [
        (
            lambda: OneAtATime(lambda: answer_with(500)),
            "fail",
            " events at once were not accepted: answered 500",
        ),
        (
            lambda: OneAtATime(lambda: answer_with(503), lambda: answer_with(400)),
            "fail",
            "an event of a burst answered 503, and answered 400 later",
        ),
        (
            lambda: OneAtATime(lambda: answer_with(429)),
            "inconclusive",
            " events at once answered 429, and were accepted later: it has a limit",
        ),
    ],
    ids=["an error", "lost", "a limit"],
)
async def test_events_of_a_burst_must_be_accepted_at_least_later(
    consumer: Callable[[], Hooks], verdict: str, summary: str, judged: Judged
) -> None:
    """A limit is none of the mistakes, if what was turned away is taken when it comes again."""
    finding = await judged.finding(consumer(), "PG055", events=("run.failed",))
    assert finding.verdict == verdict
    assert finding.summary.endswith(summary)


async def test_a_burst_must_have_all_its_effects(judged: Judged) -> None:
    """Every answer is 2xx, and one effect is lost where two come at once."""
    consumer = OneAtATime(lambda: answer_with(200))
    finding = await judged.finding(consumer, "PG055", probed=True, events=("run.failed",))
    assert finding.verdict == "fail"
    assert re.fullmatch("20 events at once were answered 2xx, and the effect is [0-9]+, not 20", finding.summary)


async def test_a_server_that_requires_a_length_may_say_so(judged: Judged) -> None:
    """With 411 (RFC 9110, 15.5.12)."""

    class NeedsALength(Hooks):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            return answer_with(411) if "Transfer-Encoding" in request.headers else await super().webhook(request)

    finding = await judged.finding(NeedsALength(), "PG050")
    assert (finding.verdict, finding.summary) == (
        "pass",
        "answered 411: the server requires a Content-Length, and says so",
    )


async def test_whether_a_forgery_blocks_the_genuine_event_is_unknown_after_a_crash(judged: Judged) -> None:
    finding = await judged.finding(Hooks(refusal=500), "PG026", probed=True)
    assert (finding.verdict, finding.summary) == (
        "inconclusive",
        "the forged event itself was not refused (answered 500)",
    )


@pytest.mark.parametrize(
    ("consumer", "verdict", "summary"),
    [
        (believing, "fail", "a forged body of 100kB answered 200"),
        (lambda: Hooks(refusal=413), "pass", "a forged body of 100kB answered 413"),
        (Hooks, "fail", "all of a forged body of 100kB was read before it answered 401"),
    ],
    ids=["accepted", "too large", "read"],
)
async def test_a_large_forgery_must_be_refused_unread(
    consumer: Callable[[], Hooks], verdict: str, summary: str, judged: Judged
) -> None:
    """Anyone can send it."""
    finding = await judged.finding(consumer(), "PG027", large_body=100_000, events=("run.failed",))
    assert (finding.verdict, finding.summary) == (verdict, summary)
