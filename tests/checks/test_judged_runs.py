"""What is made of the control, what a run does between its checks, and what answers take and give away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

from mockserver.checks.effects import AccessError, ConsumerAccess, Effects
from mockserver.checks.registry import CHECKS
from tests.checks.checked import SECRET, verdicts
from tests.checks.consumer import Consumer
from tests.checks.examined import examining, is_genuine, verifying
from tests.checks.judged import BadBody, Hooks, Judged, answer_with, hang_up, instead, signed

# ---------------------------------------------------------------- the control


class AnswersAll(Consumer):
    """Answers everything in the same way."""

    def __init__(self, answer: Callable[[web.Request], web.Response]) -> None:
        super().__init__()
        self._answer = answer

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        await request.read()
        return self._answer(request)


@pytest.mark.parametrize(
    ("status", "text", "location", "verdict"),
    [
        (419, "", "", "fail"),
        (302, "", "/accounts/LOGIN/?next=/hooks", "fail"),
        (303, "", "/signin", "fail"),
        (307, "<a>Log in</a>", "/elsewhere", "fail"),
        (302, "", "/hooks/", "inconclusive"),
        (300, "", "/login", "inconclusive"),
        (308, "", "/login", "inconclusive"),
        (401, "please LOGIN", "", "fail"),
        (403, "CSRF token missing", "", "fail"),
        (403, "wrong signature", "", "inconclusive"),
        (500, "error in login()", "", "inconclusive"),
        (404, "", "", "inconclusive"),
    ],
)
async def test_what_stands_in_front_is_known_by_its_answer(
    status: int, text: str, location: str, verdict: str, judged: Judged
) -> None:
    """By a status that nothing else has, or by a page for people; anything else may have other reasons."""
    headers = {"Location": location} if location else {}
    report = await judged.report(AnswersAll(lambda _: answer_with(status, text, **headers)), "PG003", "PG004")
    assert report.finding("PG004").verdict == verdict
    assert report.finding("PG003").verdict == ("fail" if 300 <= status < 400 else "pass")


async def test_a_redirect_is_reported_with_where_it_leads(judged: Judged) -> None:
    """To nowhere, if the header Location is missing."""
    finding = await judged.finding(AnswersAll(lambda _: answer_with(304)), "PG003")
    assert finding.summary == "a correct event answered 304, to nowhere"
    finding = await judged.finding(AnswersAll(lambda _: answer_with(308, Location="/hooks/")), "PG003")
    assert "to /hooks/" in finding.summary
    assert "register /hooks/" in finding.fix


async def test_a_control_without_an_answer_is_a_failure_of_the_consumer(judged: Judged) -> None:
    """It is there, so it was reached; the deliveries of the control and its checks are counted."""
    report = await judged.report(AnswersAll(hang_up), "PG003", "PG004", "PG010")
    assert report.unreachable == ""
    assert report.finding("PG001").verdict == "fail"
    assert "gave no answer" in report.finding("PG001").summary
    assert {report.finding(check).verdict for check in ("PG004", "PG010")} == {"inconclusive"}
    assert report.finding("PG003").verdict == "pass"
    assert report.deliveries == 1
    assert report.diagnosis is None


async def test_without_a_refusal_there_is_no_diagnosis(judged: Judged) -> None:
    """Though it was asked for; and every delivery is counted."""
    consumer = Hooks()
    report = await judged.report(consumer, "PG010", diagnose=True)
    assert report.diagnosis is None
    assert report.deliveries == len(consumer.bodies) > 5
    assert report.seconds > 0


# ---------------------------------------------------------------- between checks


@pytest.mark.parametrize(
    ("check", "stopped"),
    [("PG045", ""), ("PG010", "time ran out before everything was checked")],
    ids=["a should", "a must"],
)
async def test_a_run_is_incomplete_where_a_must_was_not_checked_in_time(
    check: str, stopped: str, judged: Judged
) -> None:
    """What should be met is left out, and said to be; how fast answers are is known at no cost."""
    report = await judged.report(Hooks(), check, "PG060", time_limit=0.0)
    assert report.finding(check).verdict == "not tested"
    assert report.finding(check).summary == "time ran out; --time-limit allows more"
    assert report.finding("PG060").verdict == "pass"
    assert report.stopped == stopped
    assert report.ok is not bool(stopped)


async def test_what_needs_a_hook_says_so(judged: Judged) -> None:
    finding = await judged.finding(Hooks(), "PG081", probed=True)
    assert (finding.verdict, finding.summary) == ("not tested", "needs --fail-once, to make the consumer fail")


async def test_evidence_stays_short_when_the_consumer_broke_as_well(judged: Judged) -> None:
    """Four deliveries at most."""

    class BreaksAtABadBody(BadBody):
        broken = False

        @override
        async def webhook(self, request: web.Request) -> web.Response:
            response = await super().webhook(request)
            self.broken = self.broken or response.status == 500
            return answer_with(500) if self.broken else response

    report = await judged.report(BreaksAtABadBody(meet=lambda _: answer_with(500)), "PG043")
    assert len(report.finding("PG043").evidence) == 4
    assert report.finding("PG043").verdict == "fail"


async def test_a_consumer_that_is_broken_in_the_end_fails_the_last_check_alone(judged: Judged) -> None:
    """It is the last control itself: another one would say the same."""
    consumer = Hooks()
    instead(consumer, lambda _: None if len(consumer.seen) < 3 else answer_with(500))
    report = await judged.report(consumer, "PG006")
    assert verdicts(report, "fail") == {"PG006": "fail: after all checks a valid event answered 500"}
    assert len(report.finding("PG006").evidence) == 1


@pytest.mark.parametrize(("check", "verdict"), [("PG070", "fail"), ("PG072", "not tested")])
async def test_a_probe_without_any_effect_fails_one_check_alone(check: str, verdict: str, judged: Judged) -> None:
    consumer = Hooks(effect=lambda _: None)
    finding = await judged.finding(consumer, check, probed=True, effect_within=0.01)
    assert finding.verdict == verdict
    assert verdict == "fail" or finding.summary == "the probe has seen no effect of any event (PG070)"


async def test_a_check_that_needs_a_hook_says_so_when_it_is_made_without() -> None:
    """As a run never does."""

    async def count() -> int:
        return 0

    async with examining(verifying(is_genuine)) as examination:
        made = examination.context
        made.access = ConsumerAccess(count=count)
        made.effects = Effects(made.access)
        with pytest.raises(AccessError, match="nothing was given"):
            await CHECKS["PG080"].procedure(made)


def limited(after: int, answers: int) -> Hooks:
    """After a number of requests it answers a number of the next ones with 429."""
    consumer = Hooks()
    webhook, left = consumer.webhook, [429] * answers

    async def limit(request: web.Request) -> web.Response:
        return answer_with(left.pop()) if len(consumer.bodies) >= after and left else await webhook(request)

    consumer.change(webhook=limit)
    return consumer


@pytest.mark.parametrize("after", [1, 2, 5, 7])
async def test_a_rate_limit_that_is_lifted_is_waited_out(after: int, judged: Judged) -> None:
    """Whenever it comes, it says nothing of what was sent: the same is sent again after a while."""
    report = await judged.report(limited(after, 3), "PG010", "PG041", events=("run.failed",))
    assert verdicts(report, "pass").keys() == {"PG001", "PG010", "PG041"}
    assert report.ok


@pytest.mark.parametrize(("asked", "least", "most"), [("7", 7, 8), ("60", 10, 11), ("soon", 0.3, 1)])
async def test_a_limit_is_waited_out_for_as_long_as_it_asks(
    asked: str, least: float, most: float, judged: Judged
) -> None:
    """But no longer than ten seconds at a time, and for a moment where it names no seconds."""
    consumer = Hooks()
    webhook, left = consumer.webhook, [answer_with(429, **{"Retry-After": asked})]

    async def limit(request: web.Request) -> web.Response:
        return left.pop() if len(consumer.bodies) >= 2 and left else await webhook(request)

    consumer.change(webhook=limit)
    report = await judged.report(consumer, "PG010", events=("run.failed",))
    assert least <= report.seconds < most
    assert report.ok


@pytest.mark.parametrize("after", [1, 6], ids=["while it is learned", "in a check"])
async def test_a_rate_limit_that_stays_ends_the_run(after: int, judged: Judged) -> None:
    """No check is blamed for it, and the report says what to do."""
    report = await judged.report(limited(after, 1000), "PG010", "PG041", events=("run.failed",))
    assert report.stopped == "the consumer answers 429 even after some waiting: lift its rate limit for checks"
    assert verdicts(report, "fail") == {}
    assert report.finding("PG041").verdict == "inconclusive"
    assert not report.ok


# ---------------------------------------------------------------- time, and what answers give away


def slow(*seconds: float) -> Hooks:
    """It takes so long for the first answers, and no time for the others."""
    consumer = Hooks()
    taken, left = consumer.take, list(seconds)

    async def take(key: tuple[str, str]) -> web.Response:
        await asyncio.sleep(left.pop(0) if left else 0)
        return await taken(key)

    consumer.change(take=take)
    return consumer


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [((), "pass"), ((0, 1.1), "warn"), ((0, 1.1, 1.1, 1.1), "fail"), ((0, 0, 5.1), "fail")],
    ids=["quick", "one over the median", "most over the median", "one too slow"],
)
async def test_slow_answers_are_judged_by_their_median_and_the_worst(
    seconds: tuple[float, ...], verdict: str, judged: Judged
) -> None:
    """The evidence is the slowest of them."""
    finding = await judged.finding(slow(*seconds), "PG060", events=("run.failed",))
    assert finding.verdict == verdict
    assert finding.summary.endswith(" of 5")
    if seconds:
        assert finding.evidence[0].attempts[0].exchange.total_ms >= 1000 * max(seconds)


def telling(text: Callable[[bytes, str], str]) -> Hooks:
    """It answers a forgery with a text of the body and the header that came."""
    consumer = Hooks()
    genuine = Hooks.is_genuine

    def is_genuine(body: bytes, signature: str) -> bool:
        consumer.change(refuse=lambda: answer_with(401, text(body, signature)))
        return genuine(consumer, body, signature)

    consumer.change(is_genuine=is_genuine)
    return consumer


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (lambda *_: f"my key is {SECRET}!", "the secret"),
        (lambda body, _: f"expected {signed(body)}", "the correct signature"),
        (lambda body, _: signed(body).upper(), "the correct signature"),
        (lambda _, given: f"got {given}", ""),
        (lambda *_: "refused", ""),
    ],
    ids=["secret", "signature", "upper case", "what was sent", "nothing"],
)
async def test_answers_may_give_nothing_away(text: Callable[..., Any], what: str, judged: Judged) -> None:
    """What the request itself had in it is no secret."""
    report = await judged.report(telling(text), "PG010", "PG012", "PG022", "PG061")
    finding = report.finding("PG061")
    assert finding.verdict == ("fail" if what else "pass")
    assert not what or finding.summary == f"an answer contains {what}"


async def test_a_header_can_give_the_secret_away_as_well(judged: Judged) -> None:
    """The whole answer is looked at."""
    consumer = Hooks(refuse=lambda: answer_with(401, **{"X-Debug": f"key={SECRET}"}))
    assert (await judged.report(consumer, "PG010", "PG061")).finding("PG061").verdict == "fail"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Traceback (most recent call last):\n", "fail"),
        ('  File "/app/hooks.py", line 3, in take\n', "fail"),
        ("    at verify (/app/hooks.js:3:14)\n", "fail"),
        ("    at async Object.take (file:///app/hooks.mjs:3:14)\n", "fail"),
        ("    at process.processTicks (node:internal/process:95:5)\n", "fail"),
        ("    at verify (C:\\app\\hooks.js:3:14)\n", "fail"),
        ("    at com.example.Hooks.take(Hooks.java:42)\n", "fail"),
        ("app/hooks.rb:3:in `take'\n", "fail"),
        ("#0 /app/hooks.php(42): verify()\n", "fail"),
        ("goroutine 1 [running]:\n", "fail"),
        ("not a traceback, but a word\n", "pass"),
        ("look at it (there: 3)\n", "pass"),
        (json.dumps({"error": "bad signature at line 3"}), "pass"),
    ],
)
async def test_traces_of_every_language_are_known(text: str, verdict: str, judged: Judged) -> None:
    """And ordinary words are not taken for one."""
    consumer = Hooks(refuse=lambda: answer_with(401, text))
    finding = (await judged.report(consumer, "PG010", "PG062")).finding("PG062")
    assert finding.verdict == verdict
    assert verdict == "pass" or finding.summary == "an answer (401) contains a stack trace"
