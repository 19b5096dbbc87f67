"""What is made of answers: what must be refused, and what must be accepted or borne."""

from __future__ import annotations

import itertools
import json

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.checked import wire_of
from tests.checks.consumer import Consumer
from tests.checks.judged import (
    BadBody,
    HangsUpOnForgeries,
    Hooks,
    Judged,
    accepting,
    answer_with,
    believing,
    hang_up,
    instead,
    signed,
    weighing,
)

JSON = web.json_response

# ---------------------------------------------------------------- refusals


async def test_to_close_the_connection_is_a_refusal(judged: Judged) -> None:
    """The next request is served."""
    finding = await judged.finding(HangsUpOnForgeries(), "PG010")
    assert (finding.verdict, finding.summary) == ("pass", "refused by closing the connection")


async def test_a_crash_where_acceptance_would_be_harmless_is_a_warning(judged: Judged) -> None:
    """A note never fails."""
    finding = await judged.finding(Hooks(refusal=500), "PG021")
    assert finding.verdict == "warn"
    assert "answered 500" in finding.summary


@pytest.mark.parametrize(("status", "verdict"), [(399, "warn"), (400, "pass"), (499, "pass"), (500, "fail")])
async def test_a_refusal_is_a_4xx(status: int, verdict: str, judged: Judged) -> None:
    """Neither a redirect nor a 5xx is one."""
    finding = await judged.finding(Hooks(refusal=status), "PG010")
    assert finding.verdict == verdict
    assert finding.summary.endswith(": neither accepted nor refused with a 4xx") is (verdict == "warn")


async def test_all_statuses_of_refusals_are_reported(judged: Judged) -> None:
    """Once each, in order."""
    finding = await judged.finding(MissingIs403(), "PG010")
    assert finding.summary == "refused with 403"
    finding = await judged.finding(LongIs403(), "PG016")
    assert finding.summary == "refused with 401 or with 403"
    assert len(finding.evidence) == 1


class MissingIs403(Consumer):
    """Forbids what has no signature."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        return await super().webhook(request) if "X-Playgent-Signature" in request.headers else answer_with(403)


class LongIs403(Consumer):
    """Forbids what has too long a signature."""

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        long = len(request.headers.get("X-Playgent-Signature", "")) > 72
        return answer_with(403) if long else await super().webhook(request)


@pytest.mark.parametrize("step", [1, -0.5], ids=["counts up", "counts down"])
async def test_only_the_forgeries_that_have_an_effect_are_named(step: float, judged: Judged) -> None:
    """Of four that are sent, the one that the consumer takes; and an effect is a change of any kind."""
    consumer = weighing(lambda _: step, accepting(lambda body, given: given in (signed(body), signed(body)[:-1])))
    finding = await judged.finding(consumer, "PG015", probed=True)
    assert finding.verdict == "fail"
    assert finding.summary == "all but the last digit (answered 200): it had an effect, as if genuine"
    assert len(finding.evidence) == 1


async def test_what_is_refused_and_handled_all_the_same_is_a_failure(judged: Judged) -> None:
    """The status says 401, the effect says otherwise."""
    consumer = Hooks()

    def refuse() -> web.Response:
        consumer.count += 1
        return answer_with(401)

    consumer.change(refuse=refuse)
    finding = await judged.finding(consumer, "PG010", probed=True, events=("run.failed",))
    assert (finding.verdict, finding.breaks) == ("fail", True)
    assert "(answered 401): it had an effect" in finding.summary


async def test_three_forgeries_are_named_and_the_rest_is_counted(judged: Judged) -> None:
    """Five are sent: one of each type, and one of a type that there is not."""
    finding = await judged.finding(believing(lambda *, new: JSON({"took": new})), "PG012", probed=True)
    named = "; ".join(
        f"a forged {event} (answered 200)" for event in ("run.completed", "run.failed", "evaluation.completed")
    )
    assert finding.summary == f"{named} and 2 more: it had an effect, as if genuine"
    assert len(finding.evidence) == 3


async def test_of_three_forgeries_none_is_left_to_count(judged: Judged) -> None:
    """All of them are named."""
    consumer = believing(lambda *, new: JSON({"took": new}))
    three = ("run.completed", "run.failed", "evaluation.completed")
    finding = await judged.finding(consumer, "PG010", probed=True, events=three)
    assert finding.summary.endswith(" without a signature (answered 200): it had an effect, as if genuine")
    assert len(finding.evidence) == 3


async def test_forgeries_of_every_type_are_sent(judged: Judged) -> None:
    """Some consumers verify in the branch of one event type only."""
    consumer = Hooks()
    consumer.change(is_genuine=lambda body, given: b'"run.failed"' not in body or given == signed(body))
    for check in ("PG010", "PG011", "PG014"):
        finding = await judged.finding(consumer, check, events=("run.failed", "run.completed"), seed=None)
        assert finding.verdict == "fail"
        assert finding.summary.startswith("run.completed ")


async def test_a_forgery_that_was_dropped_is_distinguished_from_one_that_was_handled(judged: Judged) -> None:
    """By the answer to the genuine event after it: it is taken as new."""
    consumer = Hooks(refuse=lambda: JSON({"status": "handled"}))
    finding = await judged.finding(consumer, "PG010")
    assert finding.verdict == "pass"
    assert finding.summary.endswith("it was dropped: the genuine event after it was taken as new")
    assert len(finding.evidence) == 3


async def test_where_the_genuine_event_gets_a_third_answer_nothing_is_claimed(judged: Judged) -> None:
    """It is neither as new nor as known: whether the forgery was handled cannot be seen."""
    forged: list[bool] = []

    def refuse() -> web.Response:
        forged.append(True)
        return JSON({"status": "handled"})

    def answer(*, new: bool) -> web.Response:
        return JSON({"status": "odd" if forged else "handled" if new else "duplicate"})

    consumer = Hooks(refuse=refuse, answer=answer)
    finding = await judged.finding(consumer, "PG010")
    assert finding.verdict == "warn"
    assert "only --probe can show" in finding.summary


async def test_an_event_that_was_changed_on_its_way_is_followed_up_as_it_came(judged: Judged) -> None:
    """What the consumer noted is what the body said, and not what was signed."""

    class KnowsBodies(Hooks):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            return await self.take(("", (await request.read()).decode()))

    finding = await judged.finding(KnowsBodies(), "PG013")
    assert finding.verdict == "fail"
    assert "answered as a duplicate, so it was handled" in finding.summary


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("probed", [False, True], ids=["without a probe", "with a probe"])
async def test_a_changed_event_is_still_an_event(probed: bool, seed: int, judged: Judged) -> None:
    """Whatever the seed: another type, or a date that is none, would be dropped by who verifies nothing too."""
    finding = await judged.finding(believing(), "PG013", probed=probed, seed=seed, events=("run.failed",))
    assert finding.verdict == "fail"


async def test_who_answers_otherwise_each_time_is_not_judged_by_answers(judged: Judged) -> None:
    """That a forgery is answered as an event was once says nothing, if the next one was answered otherwise."""
    words = itertools.cycle(["thanks", "got it", "fine"])
    consumer = Hooks(refuse=lambda: web.Response(text="got it"), answer=lambda **_: web.Response(text=next(words)))
    finding = await judged.finding(consumer, "PG010")
    assert finding.verdict == "warn"
    assert "only --probe can show" in finding.summary


async def test_what_is_dropped_in_sight_of_a_probe_is_refused(judged: Judged) -> None:
    """The answer is that to a genuine event, but nothing came of it."""
    consumer = Hooks(refuse=lambda: JSON({"status": "handled"}))
    finding = await judged.finding(consumer, "PG015", probed=True)
    assert finding.verdict == "pass"
    assert finding.summary.endswith(" more: it was dropped, as the probe saw no effect")
    assert len(finding.evidence) == 3


async def test_the_answer_to_a_genuine_event_is_a_sign_where_nonsense_gets_another(judged: Judged) -> None:
    """It is no proof, for nothing shows what became of the forgery."""
    received = {"received": True}
    consumer = believing(lambda **_: JSON(received))
    finding = await judged.finding(consumer, "PG010", events=("run.failed",))
    assert finding.verdict == "warn"
    assert finding.summary.endswith(
        ": the answer is the one that a genuine event gets; --probe would prove it either way"
    )
    assert len(finding.evidence) == 1


async def test_of_forgeries_that_are_all_taken_the_one_with_an_effect_is_named(judged: Judged) -> None:
    """Each is made once more, alone, as the effect of all does not say whose it is."""
    consumer = Hooks(refuse=lambda: answer_with(200))
    consumer.change(is_genuine=lambda body, given: given in (signed(body), signed(body)[:-1], "sha256="))
    finding = await judged.finding(consumer, "PG015", probed=True)
    assert finding.verdict == "fail"
    assert sorted(finding.summary.removesuffix(": it had an effect, as if genuine").split("; ")) == [
        "all but the last digit (answered 200)",
        "no digest after `sha256=` (answered 200)",
    ]
    assert finding.cause == "it had an effect, as if genuine"


async def test_a_change_that_does_not_come_again_is_that_of_something_else(judged: Judged) -> None:
    """It was there with all forgeries, three times, but not with each alone: nothing is claimed."""
    calls = itertools.count(1)
    consumer = Hooks()

    def refuse() -> web.Response:
        consumer.count += 5 if next(calls) <= 3 else 0
        return answer_with(401)

    consumer.change(refuse=refuse)
    finding = await judged.finding(consumer, "PG010", probed=True, events=("run.failed",))
    assert finding.verdict == "inconclusive"
    assert finding.summary == (
        "the count changed by 5 meanwhile, but not when all was sent again: something else changes it"
    )
    assert len(finding.evidence) == 1


async def test_a_forgery_of_a_type_that_there_is_not_is_judged_without_a_baseline(judged: Judged) -> None:
    """No genuine event of it was answered; the other types show what becomes of forgeries."""
    finding = await judged.finding(believing(), "PG012")
    assert finding.verdict == "fail"
    assert "answered as a duplicate, so it was handled" in finding.summary


async def test_an_empty_answer_shows_no_acceptance(judged: Judged) -> None:
    """Not even where anything but an event is answered otherwise."""

    class DropsWithoutABody(Hooks):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            if not (await request.read()).startswith(b"{"):
                return answer_with(400)
            return await super().webhook(request)

    consumer = DropsWithoutABody(refusal=204, answer=lambda **_: answer_with(204))
    finding = await judged.finding(consumer, "PG010")
    assert finding.verdict == "warn"
    assert "only --probe can show" in finding.summary


async def test_of_several_forgeries_one_is_taken_without_a_word(judged: Judged) -> None:
    """The others are refused: what became of the one cannot be seen, and it alone is named."""
    consumer = accepting(lambda body, given: given in (signed(body), "sha256="))
    consumer.change(answer=lambda **_: JSON({"received": True}))
    finding = await judged.finding(consumer, "PG015")
    assert finding.verdict == "warn"
    assert finding.summary.startswith("no digest after `sha256=` (answered 200): only --probe can show")


@pytest.mark.parametrize(("status", "verdict"), [(501, "pass"), (500, "fail"), (200, "fail")])
async def test_a_method_that_a_server_does_not_know_at_all_is_refused(
    status: int, verdict: str, judged: Judged
) -> None:
    """501 says so, and Python's http.server answers it; of two methods the report names the one that is taken."""

    class Methods(Hooks):
        def app(self) -> web.Application:
            app = super().app()
            app.router.add_route("PUT", "/hooks", self.unknown)
            app.router.add_route("GET", "/hooks", self.webhook if status == 200 else self.other)
            return app

        async def unknown(self, _: web.Request) -> web.Response:
            return answer_with(501)

        async def other(self, _: web.Request) -> web.Response:
            return answer_with(status)

    finding = await judged.finding(Methods(), "PG005", probed=True)
    assert finding.verdict == verdict
    assert ("an event by GET (answered 200): it had an effect" in finding.summary) is (status == 200)


@pytest.mark.parametrize("secret", ["s3cr", "signature", "processed"])
async def test_a_mere_word_is_no_leak(secret: str, judged: Judged) -> None:
    """An answer may hold it by chance."""
    consumer = Hooks(is_genuine=lambda *_: True, answer=lambda **_: answer_with(200, f"{secret}: fine"))
    finding = await judged.finding(consumer, "PG061", secret=secret)
    assert finding.verdict == "inconclusive"


async def test_what_a_must_cannot_prove_fails_where_that_is_wanted(judged: Judged) -> None:
    """What is no event gets the same answer. A warning of a must is a failure then, that of a note is none."""
    received = {"received": True}
    for fail_on in ("warn", "fail"):
        consumer = Hooks(refuse=lambda: JSON(received), answer=lambda **_: JSON(received))
        report = await judged.report(consumer, "PG010", "PG021", fail_on=fail_on)
        assert report.finding("PG010").verdict == "warn"
        assert report.finding("PG021").verdict == "warn"
        assert "only --probe can show" in report.finding("PG010").summary
        assert report.ok is (fail_on == "fail")


async def test_what_handles_a_bare_digest_is_warned_of_only(judged: Judged) -> None:
    """It is harmless, whatever proves it: its effect, or the answer to the genuine event after it."""
    for probed in (False, True):
        consumer = accepting(lambda body, given: given.removeprefix("sha256=") == signed(body)[7:])
        assert (await judged.finding(consumer, "PG021", probed=probed)).verdict == "warn"


# ---------------------------------------------------------------- acceptances


async def test_what_is_refused_is_named_beside_what_is_accepted(judged: Judged) -> None:
    """What differs between them is the mistake."""
    consumer = accepting(lambda body, given: given == signed(body) and "💸".encode() not in body)
    finding = await judged.finding(consumer, "PG031", events=("run.failed",))
    assert finding.summary == "answered 401: an emoji; accepted: accented letters, U+2028 and U+2029"
    assert len(finding.evidence) == 1
    assert "💸".encode() in finding.evidence[0].event.payload


class Spaced(Hooks):
    """Answers as it should, but counts what has spaces after its colons in its own way."""

    def effect(self, event: str) -> None:
        super().effect(event)
        if b'": ' in self.bodies[-1]:
            self.count += self.more()  # type: ignore[attr-defined]


async def test_what_is_answered_but_has_no_effect_is_found_alone(judged: Judged) -> None:
    """Of all that was accepted, only what lost its effect is named."""
    finding = await judged.finding(Spaced(more=lambda: -1), "PG030", probed=True, events=("run.failed",))
    assert finding.verdict == "fail"
    assert (
        finding.summary == "answered 2xx, but without the effect of an event: spaces after colons and commas, indented"
    )
    assert [b'": ' in wire_of(delivery) for delivery in finding.evidence] == [True, True]


async def test_an_effect_of_all_that_none_has_alone_is_that_of_something_else(judged: Judged) -> None:
    """The sum was wrong each time, and each part is right: nothing is claimed."""
    calls = itertools.count(1)
    consumer = Spaced(more=lambda: 5 if next(calls) <= 6 else 0)
    finding = await judged.finding(consumer, "PG030", probed=True, events=("run.failed",))
    assert finding.verdict == "inconclusive"
    assert finding.summary.startswith("the effect of all was ")
    assert finding.summary.endswith(", and each alone had the right one: something else changes the count")
    assert finding.evidence


async def test_each_type_has_its_own_effect(judged: Judged) -> None:
    """What must come of all is the sum of what comes of each type."""
    consumer = weighing(lambda event: 11 if event == "run.failed" else 1)
    report = await judged.report(consumer, "PG031", "PG042", probed=True, events=("run.failed", "run.completed"))
    assert [report.finding(check).verdict for check in ("PG031", "PG042")] == ["pass", "pass"]
    assert set(consumer.handled) == {"run.failed", "run.completed"}


async def test_no_answer_to_a_bad_body_is_a_failure(judged: Judged) -> None:
    """It is tried again as a 5xx is."""
    finding = await judged.finding(BadBody(meet=hang_up), "PG043")
    assert finding.verdict == "fail"
    assert "gave no answer" in finding.summary


async def test_a_5xx_to_bad_bodies_names_four_and_counts_the_rest(judged: Judged) -> None:
    """Each of them once, though it was sent three times."""
    finding = await judged.finding(BadBody(meet=lambda _: answer_with(500)), "PG043")
    assert finding.verdict == "fail"
    assert finding.summary == (
        "answered 500: invalid JSON, no body, not UTF-8, a list and 8 more: "
        "senders retry a 5xx, and it never gets better"
    )
    assert len({delivery.faults for delivery in finding.evidence}) == len(finding.evidence) == 4


@pytest.mark.parametrize(
    ("events", "named"),
    [
        (
            ("run.failed",),
            "with test_case_name null, run.failed with failure_summary null:",
        ),
        (("run.failed", "evaluation.completed"), "evaluation.completed with overall_pass null and 1 more:"),
    ],
)
async def test_four_are_named_and_the_rest_is_counted(events: tuple[str, ...], named: str, judged: Judged) -> None:
    """Nothing is counted where nothing is left."""
    consumer = Hooks()

    def answer(_: object) -> web.Response | None:
        return answer_with(500) if None in json.loads(consumer.bodies[-1])["data"].values() else None

    assert named in (await judged.finding(instead(consumer, answer), "PG042", events=events)).summary


@pytest.mark.parametrize(("statuses", "verdict"), [((400, 200, 400), "fail"), ((422, 422, 422), "pass")])
async def test_the_same_bad_body_must_get_the_same_answer(
    statuses: tuple[int, ...], verdict: str, judged: Judged
) -> None:
    """What is taken at the second try was no permanent error."""
    given: list[int] = []

    def meet(_: web.Request) -> web.Response:
        given.append(statuses[len(given) % 3])
        return answer_with(given[-1])

    finding = await judged.finding(BadBody(meet=meet), "PG043")
    assert finding.verdict == verdict
    if verdict == "fail":
        assert finding.summary == "invalid JSON: answered 400, 200, 400 to the same thing"
        assert len(finding.evidence) == 3


async def test_different_bad_bodies_may_get_different_answers(judged: Judged) -> None:
    """As long as each gets its own again."""

    class Distinguishes(BadBody):
        def meet(self, _: web.Request) -> web.Response:
            return answer_with(422 if self.bodies[-1] else 400)

    finding = await judged.finding(Distinguishes(), "PG043")
    assert finding.verdict == "pass"
    assert "no body 400" in finding.summary
