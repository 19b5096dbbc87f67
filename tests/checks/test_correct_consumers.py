"""Correct consumers have many ways. None of them may be taken for a mistake, with a probe or without."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

from tests.checks.checked import verdicts
from tests.checks.consumer import Consumer, Kind
from tests.checks.judged import Judged


class WithoutBody(Consumer):
    """Answers 204."""

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.Response(status=204)


class WorksLater(Consumer):
    """Answers 202 at once, and works a moment later, as with a queue."""

    @override
    def effect(self, event: str) -> None:
        self.tasks.add(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        await asyncio.sleep(0.05)
        self.count += 1

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.Response(status=202, text="queued")


class NumbersItsAnswers(Consumer):
    """Answers each time with another number and id."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"request": str(uuid.uuid4()), "number": next(self.numbers), "ok": True})


class SaysReceived(Consumer):
    """Answers what is new and what is not in the same way."""

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"received": True})


class RefusesWith400(Consumer):
    """Takes a forgery for a bad request."""

    refusal = 400


class RefusesWith403(Consumer):
    """Forbids a forgery, with a page."""

    @override
    def refuse(self) -> web.Response:
        return web.Response(status=403, text="<h1>Forbidden</h1>", content_type="text/html")


class HidesItself(Consumer):
    """Answers a forgery as if there were nothing."""

    refusal = 404


class CountsTwo(Consumer):
    """Has two rows for a failed run, and one for anything else."""

    @override
    def effect(self, event: str) -> None:
        self.count += 2 if event == "run.failed" else 1


class CountsDown(Consumer):
    """The probe reads how much is left."""

    @override
    def effect(self, event: str) -> None:
        self.count -= 0.5


class OnlyFailedRuns(Consumer):
    """Takes every event, and does something for one type only."""

    @override
    def effect(self, event: str) -> None:
        self.count += event == "run.failed"


class TakesItsTime(Consumer):
    """Needs some milliseconds for each event."""

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        answer = await super().take(key)
        await asyncio.sleep(0.03)
        return answer


class ClosesEachConnection(Consumer):
    """Keeps no connection."""

    @override
    def answer(self, *, new: bool) -> web.Response:
        response = super().answer(new=new)
        response.force_close()
        return response


class RepeatsTheEvent(Consumer):
    """Answers with the id that it has taken."""

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        await super().take(key)
        return web.json_response({"taken": key[1]})


class DropsSilently(Consumer):
    """Answers everything with the same 200, and drops forgeries: not what a sender should hear, but no hole."""

    @override
    def refuse(self) -> web.Response:
        return web.json_response({"received": True})

    @override
    def answer(self, *, new: bool) -> web.Response:
        return web.json_response({"received": True})


class DropsSilentlyAndTellsDuplicates(Consumer):
    """Answers a forgery as something new, and drops it."""

    @override
    def refuse(self) -> web.Response:
        return self.answer(new=True)


_ANSWERS: list[Kind] = [
    WithoutBody,
    NumbersItsAnswers,
    SaysReceived,
    RefusesWith400,
    RefusesWith403,
    HidesItself,
    ClosesEachConnection,
    RepeatsTheEvent,
]
_EFFECTS: list[Kind] = [WorksLater, CountsTwo, CountsDown, OnlyFailedRuns, TakesItsTime]
_SILENT: list[Kind] = [DropsSilently, DropsSilentlyAndTellsDuplicates]


def _name(kind: Any) -> str:
    return str(kind.__name__)


def _in_full(*kinds: Any) -> list[Any]:
    """Those that differ in nothing that is looked at here, or that wait."""
    return [pytest.param(kind, marks=pytest.mark.full) for kind in kinds]


@pytest.mark.parametrize("kind", [Consumer, *_ANSWERS, *_in_full(*_EFFECTS)], ids=_name)
async def test_a_correct_consumer_passes_without_a_probe(kind: Kind, judged: Judged) -> None:
    """Nothing fails, nothing is warned of, and nothing that could be tested is left open."""
    report = await judged.report(kind())
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    assert report.ok


@pytest.mark.parametrize("kind", [Consumer, *_EFFECTS[:-2], *_in_full(*_EFFECTS[-2:], *_ANSWERS)], ids=_name)
async def test_a_correct_consumer_passes_with_a_probe(kind: Kind, judged: Judged) -> None:
    """The same with a look at the effects."""
    report = await judged.report(kind(), probe="/count", probe_json="$.count")
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    assert report.finding("PG072").verdict == "pass"
    # Of the loop's time, in which only waiting counts: here for what has no effect, or in the consumer.
    assert report.seconds < 2.5 or kind in (OnlyFailedRuns, TakesItsTime)


@pytest.mark.parametrize("kind", _SILENT, ids=_name)
async def test_who_drops_forgeries_without_a_word_passes_with_a_probe(kind: Kind, judged: Judged) -> None:
    """No forgery had an effect; without a probe that is not known, unless the answers tell duplicates."""
    report = await judged.report(kind(), probed=True)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
