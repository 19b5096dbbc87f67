"""What seldom happens: each with the behaviour that a user would see."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from mockserver import DeliveryError, MockServer
from mockserver.delivery.event_loop import LoopThread, new_event_loop
from mockserver.errors import UsageError
from mockserver.model.targets import Routes
from mockserver.model.webhooks import WebhookRegistry
from mockserver.replay.report import Report
from mockserver.script.package_files import load_catalog, read_script_file
from mockserver.script.reader import read_script


@contextmanager
def delivering() -> Iterator[MockServer]:
    """A mock whose deliveries arrive."""

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    with MockServer() as mock:
        mock.route("https://your-app.com", to=application)
        mock.register("https://your-app.com/hooks", secret="s")
        yield mock


def test_a_report_shows_its_summary_where_an_assertion_on_it_fails() -> None:
    """And not its thousand deliveries; one that is of no mock is no page."""
    report = Report(read_script("version: 1\nname: night\nsteps:\n  - event: run.failed\n", load_catalog()))
    assert repr(report).startswith("<Report night: 1 planned")
    with pytest.raises(UsageError, match="only the report of a replay by a mock"):  # which knows what is secret
        report.html()


def test_ten_thousand_urls_are_not_remembered_for_ever() -> None:
    """A route is followed right also after they were forgotten."""
    routes = Routes()
    for number in range(10_002):
        assert routes.resolve(f"http://127.0.0.1:9/{number}").path == f"/{number}"


def test_a_script_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    """A folder, for example."""
    with pytest.raises(UsageError, match=r"cannot read .*directory"):
        read_script_file(tmp_path)


def test_without_uvloop_the_standard_loop_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    try:
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert type(loop).__module__.startswith("asyncio")
    finally:
        loop.close()


def test_a_call_from_the_loops_own_thread_is_made_at_once_also_after_something_exited_there() -> None:
    """It would wait for itself otherwise; an application in this process may exit: that concerns it alone."""
    thread = LoopThread("test")
    try:
        thread.loop.call_soon_threadsafe(sys.exit, 3)

        async def nested() -> int:
            return thread.call(lambda: 7)

        assert thread.wait(nested()) == 7
    finally:
        thread.close()


def test_a_webhook_that_is_not_there_is_neither_changed_nor_removed() -> None:
    """And nothing else is."""
    registry = WebhookRegistry()
    assert registry.change("wh_nothing", {"active": False}) is None
    assert registry.remove("wh_nothing") is None
    assert len(registry) == 0


def test_an_assertion_on_another_event_says_what_came_instead() -> None:
    """The data is compared at a path within a list, too."""
    with delivering() as mock:
        mock.send("optimization.completed")
        mock.assert_delivered("optimization.completed", where={"changes_made.0.type": "added_instruction"})
        with pytest.raises(DeliveryError, match=r"the event is optimization\.completed"):
            mock.assert_delivered("run.failed")
        with pytest.raises(DeliveryError, match=r"the data has no 'changes_made\.7'"):
            mock.assert_delivered("optimization.completed", where={"changes_made.7": "x"})


def test_the_moment_of_an_event_may_be_given_in_several_ways() -> None:
    """As Python has it, as text or as seconds; a delay comes on top. A fraction of a second would be lost."""
    moment = datetime(2024, 12, 16, 10, 0, tzinfo=timezone.utc)
    with delivering() as mock:
        for at in (moment, "2024-12-16T10:00:00Z", moment.timestamp()):
            assert mock.send("run.failed", at=at, after="1h").deliveries[0].event.timestamp == "2024-12-16T11:00:00Z"
        with pytest.raises(UsageError, match="has a fraction of a second"):
            mock.send("run.failed", at="2024-12-16T10:00:00.5Z")
