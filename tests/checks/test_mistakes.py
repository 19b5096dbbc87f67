"""The mistakes that an application object shows, each once and in process: caught by the checks meant for it.

The same over real servers, in Flask, FastAPI and Node.js, is ``test_matrix``, in the full tier.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from mockserver import CheckReport, MockServer
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.delivery.in_process import read_destination
from mockserver.delivery.in_process.call import Call
from mockserver.model.messages import Transport
from mockserver.model.settings import read_settings
from mockserver.model.targets import Target
from mockserver.server.mock import Mock
from tests.checks.checked import SECRET, verdicts
from tests.checks.directly import Directly
from tests.checks.expected import EXPECTED, complaint
from tests.consumers import fastapi_app, flask_app, inbox, mistakes
from tests.consumers.mistakes import MISTAKES, is_in_the_inbox
from tests.consumers.mistakes.catalogue import FAMILIES

ACCESS: dict[str, Any] = {
    "probe": "/debug/events",
    "probe_json": "$.count",
    "state": "/debug/objects/{id}",
    "fail_once": "https://testserver/debug/fail-next",
}
#: Its answers take seconds: it is in the full tier alone, and ``test_judged_runs`` shows what is made of its like.
IN_THE_FULL_TIER = {"slow_handler"}
#: Their handlers wait at each event: they do so in threads, and get few events.
WAITING = {"check_then_act", "lost_updates"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no framework print the exceptions of mistakes."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)


def in_process(family: str) -> list[str]:
    """The mistakes of a family that an application object in Python shows."""
    chosen = {name: each for name, each in FAMILIES[family].items() if name not in IN_THE_FULL_TIER}
    return [name for name, each in chosen.items() if each.in_process and "fastapi" in each.consumers]


async def never_called(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError


class Inboxed(Mock):
    """A mock whose deliveries go straight to an inbox."""

    def __init__(self, box: inbox.Inbox, *, waits: bool) -> None:
        super().__init__(read_settings())
        self.route("https://testserver", read_destination(never_called))
        self._box = box
        self._waits = waits

    @override
    def transport_to(self, target: Target) -> Transport:
        return Directly(self._respond)

    async def _respond(self, call: Call) -> None:
        made = await self._answer(call)
        call.begin(made.status, None, [(b"content-type", b"application/json")])
        call.add(made.body)
        call.end()

    async def _answer(self, call: Call) -> inbox.Answer:
        if call.method != "POST":
            return inbox.error(405)
        if len(call.request.body) > inbox.BODY_LIMIT:
            return inbox.error(413)
        name = self._box.signature_header.lower().encode()
        found = [value.decode("utf-8", "surrogateescape") for key, value in call.headers if key.lower() == name]
        given = (call.request.body, ", ".join(found) if found else None)
        try:
            return await asyncio.to_thread(self._box.receive, *given) if self._waits else self._box.receive(*given)
        except Exception:  # noqa: BLE001 - it is what some mistakes come to
            return inbox.error(500)


async def inbox_checked(mistake: str) -> CheckReport:
    """Make every check of an inbox with a mistake, effects and states included."""
    box = mistakes.make_inbox(SECRET, mistake)
    waits, expected = mistake in WAITING, EXPECTED[mistake]
    service, report = Inboxed(box, waits=waits), CheckReport()

    async def count() -> int:
        return box.count()

    async def state(object_id: str) -> Any:
        return json.loads(box.state(object_id).body)

    async def fail_once() -> None:
        box.fail_next()

    try:
        options = CheckOptions(
            url=f"https://testserver{inbox.WEBHOOK_PATH}",
            secret=SECRET,
            seed=1,
            diagnose=True,
            probe=count,
            state=state,
            fail_once=fail_once,
            effect_within=0.1,
            only=(*expected.caught_by, *expected.about) if waits else (),
            events=("run.failed",) if waits else (),
        )
        await prepare_check(service, options, report).run()
        return report
    finally:
        await service.stop()


async def fully_checked(app: Any) -> CheckReport:
    """Make every check that can be made of an application object, effects and states included."""
    async with MockServer() as mock:
        report = await mock.acheck(app, SECRET, seed=1, diagnose=True, effect_within=0.1, **ACCESS)
        _ = report.ok  # looked at: else the mock complains of it when it ends
        return report


@pytest.mark.usefixtures("quick_time")
@pytest.mark.parametrize("family", [name for name in FAMILIES if in_process(name)])
async def test_each_mistake_is_caught_by_its_checks_and_by_no_other(family: str) -> None:
    """They fail the checks that are about them, and no must-check besides; the diagnosis names what refuses all."""
    chosen = [mistake for mistake in in_process(family) if is_in_the_inbox(mistake)]
    assert not [found for mistake in chosen if (found := complaint(mistake, await inbox_checked(mistake)))]


async def test_so_are_the_mistakes_of_a_framework() -> None:
    """They are not in the inbox, so the applications are checked, all at once."""

    async def complain(mistake: str) -> str:
        return complaint(mistake, await fully_checked(fastapi_app.create_app(SECRET, mistake)))

    chosen = [mistake for family in FAMILIES for mistake in in_process(family) if not is_in_the_inbox(mistake)]
    assert not [found for found in await asyncio.gather(*map(complain, chosen)) if found]


@pytest.mark.parametrize("create_app", [flask_app.create_app, fastapi_app.create_app], ids=["flask", "fastapi"])
async def test_a_correct_application_passes(create_app: Callable[..., Any]) -> None:
    """Nothing is held against it, and nothing is left open that can be tested in process."""
    report = await fully_checked(create_app(SECRET))
    assert report.ok
    assert verdicts(report, "fail", "warn", "inconclusive") == {}


def test_every_mistake_is_expected() -> None:
    assert set(EXPECTED) == set(MISTAKES)
