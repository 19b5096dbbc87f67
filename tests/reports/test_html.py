"""The page of a replay or a check: self-contained, whole where something failed, safe whatever others sent."""

import html
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aiohttp import web

from mockserver import MockServer
from mockserver.reports import html as html_report
from tests.cli.program import mockserver, recorder
from tests.receiving import SECRET, Consumer, Received, consuming
from tests.reports.replayed import replayed, unreachable

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m"


LOADS = ("src", "href", "action")


class Page(HTMLParser):
    """The elements of a page, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attributes if name in LOADS and (value or " ")[0] != "#"]
        assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with consuming() as running:
        yield running


async def test_a_replay_as_a_page(consumer: Consumer, tmp_path: Path) -> None:
    """Every failure is there with what was sent and came back; nothing of it is markup, nothing is secret."""

    async def answer(received: Received) -> web.Response:
        bad = "run.failed" in received.event
        return web.Response(status=500 if bad else 200, text=f"{HOSTILE} {SECRET}")

    consumer.answer = answer
    async with MockServer() as mock:
        mock.register(consumer.url, secret=SECRET)
        script = {
            "version": 1,
            "name": HOSTILE,
            "steps": [{"event": "run.completed"}, {"event": "run.failed", "override": {"run_id": HOSTILE}}],
        }
        report = await mock.areplay(script, speed="max")
        mock.write_report(report, html=tmp_path / "report.html")
        text = report.html()
        assert not report.ok
    assert (tmp_path / "report.html").read_text("utf-8") == text
    page = Page(text)
    assert page.loads == []
    assert (page.tags.count("script"), page.tags.count("img")) == (1, 0)
    assert "expected status 2xx, got 500" in text
    assert "X-Playgent-Signature" in text
    assert "curl -q" in text
    assert SECRET not in text
    assert not re.search("[\x1b\u202e]", text)


async def test_the_long_tail_is_summed_up() -> None:
    """Failures come first and whole; of the rest some are a line, and the others are counted."""
    steps = "- {event: run.completed, repeat: 1200, concurrency: 50}\n- {event: run.failed, expect: {status: 401}}\n"
    report = await replayed(steps)
    text = report.html()
    assert not report.ok
    assert "100 more deliveries are counted above and not shown" in text
    assert "expected status 401, got 200" in text
    assert len(text) < 1_000_000


async def test_bodies_are_shown_as_they_came() -> None:
    """JSON with line breaks and numbers as they were spelled; anything else as it is, and not all of what is long."""
    bodies = ['{"id": 12345678901234567890, "cost": 1.50, "turns": 7}', '{"half": ', "x" * 20_000]
    left = list(bodies)

    async def answer(_: Received) -> web.Response:
        return web.Response(text=left.pop(0))

    text = html.unescape((await replayed("- event: run.failed\n  repeat: 3\n", answer)).html())
    assert '{\n  "id": 12345678901234567890,\n  "cost": 1.50,\n  "turns": 7\n}' in text
    assert bodies[1] in text
    assert "x" * 10_000 in text
    assert bodies[2] not in text


async def test_what_was_not_delivered_is_not_drawn_and_what_was_not_answered_has_its_reason() -> None:
    """There was no webhook; the reason is where the status of the others is."""
    text = (await unreachable("  - event: run.failed\n")).html()
    assert '<span class="badge bad">connect</span><strong>run.failed</strong>' in text
    async with MockServer(strict_deliveries=False) as mock:
        text = (await mock.areplay({"version": 1, "steps": [{"event": "run.failed"}]}, speed="max")).html()
    assert "no webhook is registered" in text
    assert "<rect" not in text


async def test_of_too_many_deliveries_those_that_failed_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the first of the others, in their order; how many are left out is said."""
    monkeypatch.setattr(html_report, "MOST_DRAWN", 3)

    async def answer(received: Received) -> web.Response:
        return web.Response(status=500 if "run.failed" in received.event else 200)

    steps = "  - {event: run.completed, repeat: 4}\n  - event: run.failed\n"
    report = await replayed(steps, answer)
    drawn = re.findall('<a href="#(dlv_[0-9]+)"><title>', report.html())
    assert drawn == ["dlv_000001", "dlv_000002", "dlv_000005"]


@pytest.mark.parametrize(("pause", "mark"), [("2s", "00:01.0"), ("8h", "12:00"), ("30d", "12-19"), ("20s", "10:00:05")])
async def test_the_axis_has_marks_that_suit_its_length(pause: str, mark: str) -> None:
    """Tenths of a second, seconds, minutes or days."""
    report = await replayed(f"  - event: run.failed\n  - pause: {pause}\n  - event: run.completed\n")
    assert f'text-anchor="middle">{mark}</text>' in report.html()


async def test_a_check_as_a_page(consumer: Consumer) -> None:
    """What is wrong, how to fix it, and the proof; the secret is not in it."""
    async with MockServer() as mock:
        report = await mock.acheck(consumer.url, SECRET, only=["PG010", "PG012"])
        text = report.html()
        assert report.finding("PG010").verdict in ("fail", "warn")
    assert Page(text).loads == []
    assert "What to fix" in text
    assert "missing signature" in text
    assert "Fix:" in text
    assert SECRET not in text


def test_the_commands_write_one(tmp_path: Path) -> None:
    """With --html, of a replay and of a check."""
    replayed, checked = tmp_path / "replay.html", tmp_path / "check.html"
    assert mockserver("replay", "refund_flow", "--speed", "max", "--html", str(replayed)).code == 0
    with recorder() as app:
        arguments = ("check", app.url, "--secret", SECRET, "--only", "PG001", "--html", str(checked))
        assert mockserver(*arguments).code == 0
    for file in (replayed, checked):
        assert file.read_text("utf-8").startswith("<!doctype html>")
