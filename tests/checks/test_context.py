"""The context: which events it makes."""

from __future__ import annotations

from aiohttp import web
from typing_extensions import override

from tests.checks.consumer import Consumer
from tests.checks.examined import examining, is_genuine, verifying
from tests.checks.judged import Judged


async def test_the_events_of_a_story_happen_one_after_another() -> None:
    """Also where the moments begin again."""
    async with examining(verifying(is_genuine)) as examination:
        for _ in range(100):
            first, second, third = examination.context.moments("run.failed", "run.completed", "run.failed")
            assert (second - first, third - second) == (1.0, 1.0)


async def test_an_event_type_without_a_sample_is_checked_as_far_as_it_goes(judged: Judged) -> None:
    """It has an id and nothing else: what needs a text or another field is not tested, and says so."""

    class TakesAnything(Consumer):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            genuine = self.is_genuine(await request.read(), request.headers.get("X-Playgent-Signature", ""))
            return web.Response(status=200 if genuine else 401)

    only = ("PG010", "PG030", "PG031", "PG033", "PG042", "PG045")
    report = await judged.report(TakesAnything(), *only, events=("invoice.paid",), extra_events=("invoice.paid",))
    verdicts = {finding.check.id: finding.verdict for finding in report.findings}
    untested = dict.fromkeys(("PG031", "PG033", "PG042", "PG045"), "not tested")
    assert verdicts == {"PG001": "pass", "PG010": "pass", "PG030": "pass", **untested}
