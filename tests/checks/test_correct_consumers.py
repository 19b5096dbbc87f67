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
from tests.checks.judged import Hooks, Judged, answer_with, weighing

JSON = web.json_response


def numbers_its_answers() -> Consumer:
    """It answers each time with another number and id."""
    numbers = itertools.count(1)
    return Hooks(answer=lambda **_: JSON({"request": str(uuid.uuid4()), "number": next(numbers), "ok": True}))


def refuses_with_a_page() -> Consumer:
    return Hooks(refuse=lambda: web.Response(status=403, text="<h1>Forbidden</h1>", content_type="text/html"))


def only_failed_runs() -> Consumer:
    """It takes every event, and does something for one type only."""
    return weighing(lambda event: event == "run.failed")


class TakesItsTime(Consumer):
    """Needs some milliseconds for each event."""

    @override
    async def take(self, key: tuple[str, str]) -> web.Response:
        answer = await super().take(key)
        await asyncio.sleep(0.03)
        return answer


class ClosesEachConnection(Consumer):
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
        return JSON({"taken": key[1]})


_ANSWERS: dict[str, Kind] = {
    "no body": lambda: Hooks(answer=lambda **_: answer_with(204)),
    "another answer each time": numbers_its_answers,
    "the same answer to what is new and what is not": lambda: Hooks(answer=lambda **_: JSON({"received": True})),
    "refuses with a page": refuses_with_a_page,
    "closes each connection": ClosesEachConnection,
    "repeats the event": RepeatsTheEvent,
}
_EFFECTS: dict[str, Kind] = {
    "two rows for a failed run": lambda: weighing(lambda event: 2 if event == "run.failed" else 1),
    "counts down": lambda: weighing(lambda _: -0.5),
}
_WAITING: dict[str, Kind] = {"only failed runs": only_failed_runs, "takes its time": TakesItsTime}
#: Not what a sender should hear, but no hole; the second answers a forgery as something new.
_SILENT: dict[str, Kind] = {
    "drops": lambda: Hooks(refuse=lambda: JSON({"received": True}), answer=lambda **_: JSON({"received": True})),
    "drops, and tells duplicates": lambda: Hooks(refuse=lambda: JSON({"status": "handled"})),
}


def _rows(kinds: dict[str, Kind], *marks: pytest.MarkDecorator) -> list[Any]:
    return [pytest.param(kind, id=name, marks=marks) for name, kind in kinds.items()]


def _in_full(*kinds: dict[str, Kind]) -> list[Any]:
    """Those that differ in nothing that is looked at here, or that wait."""
    return [row for each in kinds for row in _rows(each, pytest.mark.full)]


@pytest.mark.parametrize("kind", [Consumer, *_rows(_ANSWERS), *_in_full(_EFFECTS, _WAITING)])
async def test_a_correct_consumer_passes_without_a_probe(kind: Kind, judged: Judged) -> None:
    """Nothing fails, nothing is warned of, and nothing that could be tested is left open."""
    report = await judged.report(kind())
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    assert report.ok


@pytest.mark.parametrize("kind", [Consumer, *_rows(_EFFECTS), *_in_full(_WAITING, _ANSWERS)])
async def test_a_correct_consumer_passes_with_a_probe(kind: Kind, judged: Judged) -> None:
    """The same with a look at the effects."""
    report = await judged.report(kind(), probe="/count", probe_json="$.count")
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    assert report.finding("PG072").verdict == "pass"
    # Of the loop's time, in which only waiting counts: here for what has no effect, or in the consumer.
    assert report.seconds < 2.5 or kind in _WAITING.values()


@pytest.mark.parametrize("kind", _rows(_SILENT))
async def test_who_drops_forgeries_without_a_word_passes_with_a_probe(kind: Kind, judged: Judged) -> None:
    """No forgery had an effect; without a probe that is not known, unless the answers tell duplicates."""
    report = await judged.report(kind(), probed=True)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
