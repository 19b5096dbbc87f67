"""The page in a real browser: each thing that it promises is done once, as a person would."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mockserver import MockServer
from tests.dashboard.conftest import OpenWindow
from tests.receiving import SECRET, Consumer, Received

pytestmark = pytest.mark.full


async def register(mock: Any, url: Any, events: Any = ("run.failed", "run.completed"), secret: Any = SECRET) -> Any:
    """Register as an application does."""
    body = {"url": url, "events": list(events), "secret": secret}
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer pk_private"}) as session,
        session.post(f"{mock.url}/v1/webhooks", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_from_nothing_to_a_test_in_the_suite(open_window: OpenWindow, consumer: Consumer) -> None:
    """A user registers, watches, finds the failure, reads why, fixes it, re-sends, and takes a test home."""
    window = await open_window()
    page, mock = window.page, window.mock
    await window.go()
    await window.see("No delivery yet")
    await page.get_by_role("button", name="Copy").last.click()
    await window.copied(f"{mock.url}/_mock/events")

    broken = True

    async def answer(received: Received) -> web.Response:
        bad = broken and b"run_second2" in received.body
        return web.json_response({"detail": "bad signature"} if bad else {}, status=401 if bad else 200)

    consumer.answer = answer
    await register(mock, f"{consumer.url}/hooks")
    await mock.asend("run.completed")
    await mock.asend("run.failed", override={"run_id": "run_second2"})
    await mock.asend("run.completed")
    await (await window.row(2)).wait_for()
    assert await page.locator(".row:visible").count() == 3

    await page.keyboard.press("/")
    await page.keyboard.type("is:failed run_second2")
    await page.locator(".row:visible").nth(1).wait_for(state="hidden")
    failed = await window.row(0)
    assert "401" in await failed.inner_text()
    await failed.click()
    await window.see("Your handler refused it with 401: does it verify the raw body", "aside")
    await window.see("bad signature", "aside")
    await window.see("fits the body", "aside")
    assert SECRET not in await page.content()

    await page.locator("aside h2").click()
    await page.keyboard.press("r")
    await window.see("Still failing", "aside")
    broken = False
    await page.keyboard.press("r")
    await window.see("Fixed", "aside")
    assert consumer.received[-1].body == consumer.received[1].body

    await page.locator(".snippet").get_by_role("button", name="Copy").click()
    test = await window.copied("mockserver.send('run.failed', override={'run_id': 'run_second2'})")
    compile(test, "test_pasted.py", "exec")
    for name, part in (("node:test", "import test from 'node:test'"), ("script step", "run_id: run_second2")):
        await page.get_by_role("tab", name=name).click()
        await window.see(part, ".snippet pre")


async def test_search_groups_and_following(open_window: OpenWindow, consumer: Consumer) -> None:
    """The search is the API's, errors included; groups fold; selecting pauses, and resuming shows what came."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    for _ in range(3):
        await mock.asend("run.failed")
        await mock.asend("run.completed", fault="wrong_secret")
    await window.go("#/deliveries?q=event:run.failed")
    await window.see("3 deliveries found")
    search = page.get_by_role("searchbox", name="Search deliveries")
    window.expect("400 (Bad Request)")
    await search.fill("evnt:run.failed")
    await window.see("did you mean 'event'")
    await search.fill("")
    await window.see("6 deliveries")
    await page.get_by_role("button", name="Faults").click()
    await window.see("3 deliveries found")
    assert await page.locator(".row:visible .tag", has_text="wrong_secret").count() == 3
    await page.get_by_role("button", name="Faults").click()
    await window.see("6 deliveries")

    await page.get_by_label("Group by").select_option("event")
    await page.locator(".row.group").first.wait_for()
    assert await page.locator(".row.group:visible").count() == 2
    await page.locator(".row.group").first.click()
    await window.until("document.querySelectorAll('.row:not([hidden])').length === 5")
    await page.get_by_label("Group by").select_option("")

    await (await window.row(0)).click()
    await page.get_by_role("button", name="Paused").wait_for()
    await mock.asend("run.failed")
    await page.get_by_role("button", name="Paused · 1 new").click()
    await page.get_by_role("button", name="Following").wait_for()
    await window.see("7 deliveries")


async def test_what_comes_before_the_stream_is_open_is_shown(open_window: OpenWindow, consumer: Consumer) -> None:
    """A page that is opened while things happen misses none of them, however long its stream takes to open."""
    window = await open_window()
    page, mock = window.page, window.mock
    opened = asyncio.Event()

    async def hold(route: Any) -> None:
        await opened.wait()
        await route.continue_()

    await page.route("**/_mock/stream*", hold)
    await window.go()
    await window.see("No delivery yet")
    await register(mock, consumer.url)
    await mock.asend("run.failed")
    opened.set()
    await window.row(0)
    for view, empty in (("#/webhooks", "No webhook is registered"), ("#/calls", "No call yet")):
        mock.reset()
        opened.clear()
        await window.go(view)
        await window.see(empty)
        await register(mock, consumer.url)
        opened.set()
        await page.locator("[data-ref=table] .card").wait_for()


async def test_one_delivery_in_full(open_window: OpenWindow, consumer: Consumer) -> None:
    """Its attempts, the bytes that are no text, the step it came from, and what differs from the one before."""
    answers = [503, 200, 200]

    async def answer(_: Received) -> web.Response:
        status = answers.pop(0) if answers else 200
        return web.Response(status=status, body=b"\xff\xfe\x00binary")

    consumer.answer = answer
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    script = {"version": 1, "start": "2024-12-16T10:00:00Z", "steps": [
        {"event": "run.failed", "retry": [0, 60]},
        {"event": "run.failed", "override": {"run_id": "run_other1"}},
    ]}  # fmt: skip
    await mock.areplay(script, speed="max")
    await window.go()
    assert "2024-12-16 10:00:00Z" in await (await window.row(1)).inner_text()
    await window.go("#/deliveries/dlv_000001")
    await window.see("2 attempts", "aside")
    await window.see("2024-12-16 10:01:00Z", "aside")
    await page.get_by_role("button", name="#1").click()
    await window.see("503", "aside .panel")
    await page.get_by_role("button", name="hex").first.click()
    await window.see("ff fe 00 62", "aside")
    await page.get_by_role("tab", name="Request").click()
    await page.get_by_text("headers").first.click()
    await window.see("X-Playgent-Signature", "aside .panel")
    await page.locator(".row:visible").first.click()
    await page.get_by_text("Difference to dlv_000001, the run.failed before: 2").click()
    await window.see("$.data.run_id", "aside")
    await window.see("run_other1", "aside td.new")
    await window.see("step at", "aside")


async def test_edit_and_send(open_window: OpenWindow, consumer: Consumer) -> None:
    """The data is compared with the sample's fields; a fault comes from a menu with descriptions."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    await register(mock, f"{consumer.url}/other")
    await mock.asend("run.failed")
    await window.go("#/deliveries/dlv_000001")
    await window.see("Answer", "aside")
    await window.row(0)  # keys count once the list is there too
    await page.keyboard.press("e")
    data = page.get_by_label("Data, as JSON")
    text = json.loads(await data.input_value())
    await data.fill(json.dumps({**{key: value for key, value in text.items() if key != "run_id"}, "run_idd": 1}))
    await window.see("run_idd is not in the sample data; did you mean run_id?")
    await data.fill("{")
    await window.see("Not JSON")
    await page.locator("dialog button.primary:disabled").wait_for()
    await data.fill(json.dumps({**text, "run_id": "run_edited3"}))
    await page.get_by_text("Faults: none").click()
    await page.get_by_placeholder("Find a fault").fill("secret")
    await page.locator("dialog label", has_text="wrong_secret").first.locator("input").check()
    await page.get_by_role("button", name="Send", exact=True).click()
    await window.see("Delivered again", "aside")
    assert len(consumer.received) == 3  # to the one webhook alone
    last = consumer.received[-1]
    assert (last.payload["data"]["run_id"], last.is_signed_with(SECRET)) == ("run_edited3", False)


async def test_the_time_line(open_window: OpenWindow, consumer: Consumer) -> None:
    """Attempts on the script's clock: it zooms, it shows what a bar is, and a click leads to the row."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    steps = [{"event": "run.failed", "repeat": 5, "every": "10m"}]
    await mock.areplay({"version": 1, "start": "2024-12-16T10:00:00Z", "steps": steps}, speed="max")
    await window.go()
    await window.row(4)  # what comes while the time line is shown would draw it again
    await page.get_by_role("link", name="Time line").click()
    await page.locator("svg .bar").nth(4).wait_for()
    before = await page.locator("svg .tick").first.text_content()
    await page.get_by_role("button", name="Zoom in").click()
    await page.get_by_role("button", name="Zoom in").click()
    await window.until(f"document.querySelector('svg .tick').textContent !== {json.dumps(before)}")
    await page.get_by_role("button", name="Show all").click()
    bar = page.locator("svg .bar").nth(2)
    await bar.hover()
    await window.see("dlv_000003 run.failed: delivered; 2024-12-16 10:20:00Z 200")
    await bar.click()
    await page.locator("aside h2", has_text="run.failed").wait_for()
    assert "dlv_000003" in page.url


async def test_webhooks_and_calls(open_window: OpenWindow, consumer: Consumer) -> None:
    """A webhook is switched, tested and deleted; a refused call says what was wrong; the next ones get 503."""
    window = await open_window()
    page, mock = window.page, window.mock
    await window.go("#/webhooks")
    await window.see("No webhook is registered")
    _, hook = await register(mock, consumer.url)
    await window.see(consumer.url)
    await page.get_by_role("switch").click()
    await page.locator("li.card.off").wait_for()
    assert not mock.webhooks[0].active
    await page.get_by_role("switch").click()
    await page.locator("li.card:not(.off)").wait_for()
    await page.get_by_role("button", name="Send a test event").click()
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.locator("aside h2", has_text="run.failed").wait_for()
    await window.go("#/webhooks")
    await page.get_by_text("Register a webhook by hand").click()
    await page.get_by_label("URL").fill(f"{consumer.url}/by/hand")
    await page.get_by_role("button", name="Register").click()
    await window.see("/by/hand")
    await page.get_by_role("button", name="Delete").first.click()
    await window.until("document.querySelectorAll('.cards .card').length === 1")
    assert hook["webhook_id"] not in [each.webhook_id for each in mock.webhooks]

    await register(mock, consumer.url, events=["run.faild"])
    await window.go("#/calls")
    await window.see("did you mean 'run.failed'")
    await page.get_by_label("Answer the next").fill("2")
    await page.get_by_role("button", name="Switch on").click()
    await window.see("2 more calls will be answered badly")
    assert (await register(mock, consumer.url))[0] == 503
    await window.see("1 more calls will be answered badly")
    await page.get_by_role("button", name="Off").click()
    await window.see("answering as usual")
    assert "pk_private" not in await page.content()


async def test_resources_and_flows(open_window: OpenWindow, consumer: Consumer) -> None:
    """A run that a call has started shows its states, and is moved on by hand; its event is a click away."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    mock.flow("POST /v1/runs", states={"queued": "1s"}, advance="manual", outcome="failed")
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer pk_private"}) as session:
        (await session.post(f"{mock.url}/v1/runs", json={"test_case_id": "tc_xyz789"})).close()
    await window.go("#/resources")
    await window.see("POST /v1/runs · failed · used 1 times")
    await page.locator(".badge", has_text="queued").wait_for()
    await page.get_by_role("button", name="One state on").click()
    await page.locator(".badge", has_text="failed").wait_for()
    await page.locator("summary", has_text="run_").click()
    await page.get_by_role("link", name="dlv_000001").click()
    await page.locator("aside h2", has_text="run.failed").wait_for()


async def test_scripts(open_window: OpenWindow, consumer: Consumer) -> None:
    """Problems are beside the text, with line and column; a script is started, watched and stopped."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    await window.go("#/scripts")
    await page.locator("[data-ref=script]").select_option("refund_flow")
    await window.see("3 events")
    text = page.get_by_label("The script, in YAML")
    window.expect("400 (Bad Request)")
    await text.fill("version: 1\nsteps:\n  - event: run.faild\n")
    await window.see("did you mean 'run.failed'", ".problems")
    assert await page.locator(".gutter .bad").inner_text() == "3\n"
    await page.get_by_role("button", name="3:12").click()
    assert await text.evaluate("(area) => area.selectionStart") == len("version: 1\nsteps:\n  - event: ")
    await text.fill("version: 1\nname: Watched\nsteps:\n  - event: run.failed\n  - event: run.failed\n    after: 1h\n")
    await window.see("None: the script can be started")
    await page.get_by_role("button", name="Start").click()
    await window.see("running")
    await window.see("1 delivered, 0 failed, 0 not sent of 2")
    await page.get_by_role("button", name="Stop").click()
    await window.see("1 delivered, 0 failed, 1 not sent of 2")


async def test_the_clock(open_window: OpenWindow, consumer: Consumer) -> None:
    """A stepped clock has a handle, and what becomes due arrives."""
    async with MockServer(speed="stepped") as mock:
        window = await open_window(mock)
        await register(mock, consumer.url)
        mock.start_replay({"version": 1, "steps": [{"event": "run.failed", "after": "2h"}]})
        await window.go()
        await window.see("stepped")
        await window.page.get_by_label("Advance the clock by").fill("3h")
        await window.page.get_by_role("button", name="Advance").click()
        await (await window.row(0)).wait_for()
        assert len(consumer.received) == 1


async def test_keyboard(open_window: OpenWindow, consumer: Consumer) -> None:
    """The list is walked, a delivery copied, the help opened, without a mouse."""
    window = await open_window()
    page, mock = window.page, window.mock
    await register(mock, consumer.url)
    for _ in range(3):
        await mock.asend("run.failed")
    await window.go()
    await (await window.row(2)).wait_for()
    for key in "jjk":
        await page.keyboard.press(key)
    await page.locator("aside code", has_text="dlv_000003").wait_for()
    await page.keyboard.press("j")
    await page.locator("aside code", has_text="dlv_000002").first.wait_for()
    await window.see("Use it elsewhere", "aside")
    await page.keyboard.press("c")
    await window.see("Copied: the curl command")
    assert (await window.copied("X-Playgent-Signature")).startswith("curl ")
    await page.keyboard.press("?")
    await page.get_by_role("heading", name="Keyboard and search").wait_for()
    await window.see("attempts:>1", "dialog")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await page.locator("aside").wait_for(state="hidden")


#: Each view, and what is there when it is drawn.
VIEWS = {
    "": ".row:visible",
    "#/deliveries/dlv_000002": "aside .snippet",
    "#/timeline": "svg .bar",
    "#/webhooks": "[data-ref=table] > *",
    "#/calls": "[data-ref=table] > *",
    "#/resources": "[data-ref=flows] > *",
    "#/scripts": "[data-ref=replays] > *",
    "#/check": "[data-ref=webhook] option",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
async def test_every_view_can_be_used_by_everybody(
    open_window: OpenWindow, consumer: Consumer, scheme: str, width: Any
) -> None:
    """Axe finds nothing, in light and dark; nothing is wider than a phone."""
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - the default tier runs without it

    consumer.answers(lambda _: web.json_response({"detail": "no"}, status=401))
    window = await open_window(color_scheme=scheme)
    page, mock = window.page, window.mock
    await page.set_viewport_size({"width": width, "height": 800})
    await window.go()
    await window.see("No delivery yet")
    findings = [(await Axe().run(page, options={"resultTypes": ["violations"]})).generate_report()]
    await register(mock, consumer.url)
    await register(mock, consumer.url, events=["nope"])
    await mock.asend("run.failed", fault="wrong_secret", retry=[0, 0.01])
    await mock.asend("run.failed")
    mock.find("")
    for view, drawn in VIEWS.items():
        await window.go(view)
        await page.locator(drawn).first.wait_for(state="attached")
        if view.endswith("2"):
            await page.locator(".row").first.wait_for(state="attached")  # keys count once the list is there too
            await page.keyboard.press("r")
            await window.see("Still failing", "aside")
        results = await Axe().run(page, options={"resultTypes": ["violations"]})
        findings += [f"{view} {results.generate_report()}"] if results.violations_count else []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    assert [text for text in findings if "Found 0" not in text] == []


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}", "\u202eevil\u202c", "\x1b[31mred\x1b]0;title\x07", "</textarea></pre>",
    "a" * 1_000_000, "\u0000\uffff", "\U0001d54f" * 2000, "${alert(1)}",
]  # fmt: skip


async def test_nothing_hostile_gets_through(open_window: OpenWindow, consumer: Consumer) -> None:
    """Payloads, answers, headers and script names that attack: nothing runs, nothing breaks the layout."""

    async def answer(received: Received) -> web.Response:
        text = received.payload["data"].get("text", "")
        header = base64.b64encode(text.encode()[:500]).decode()
        return web.Response(status=500, text=text[:100_000], headers={"X-Echo": "<b onclick=alert(1)>" + header})

    consumer.answer = answer
    async with MockServer(extra_events=["<b>bold</b>.event"], strict_deliveries=False) as mock:
        window = await open_window(mock)
        page = window.page
        mock.register(f"{consumer.url}/%3Cscript%3E?<script>alert(1)</script>", ["run.failed"])
        mock.register(f"{consumer.url}/%3Cimg%20src=x%3E?<svg/onload=alert(1)>", ["<b>bold</b>.event"])
        for text in HOSTILE:
            await mock.asend("run.failed", data={"text": text, f"<i>{text[:50]}": [text[:100]]})
        await mock.asend("<b>bold</b>.event", data={"text": "x"})
        name = "<img src=x onerror=alert(1)>\u202e"
        await mock.start_replay({"version": 1, "name": name, "steps": [{"event": "run.failed"}]}).aresult()
        mock.find("")
        await window.go()
        await window.see("deliveries")
        for delivery in mock.find(""):
            await window.go(f"#/deliveries/{delivery.delivery_id}")
            await window.see("Use it elsewhere", "aside")
            for tab in ("Request", "Answer", "node:test", "script step", "curl"):
                await page.get_by_role("tab", name=tab).click()
        for view in list(VIEWS)[2:]:
            await window.go(view)
            await page.locator(VIEWS[view]).first.wait_for(state="attached")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert await page.evaluate("document.querySelectorAll('main script, main img, main b, main i').length") == 0
        assert "\u202e" not in await page.evaluate("document.body.innerText")
        await page.set_viewport_size({"width": 400, "height": 800})
        await window.go("#/deliveries/dlv_000009")
        await window.see("Use it elsewhere", "aside")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_page_elsewhere_cannot_drive_the_mock(open_window: OpenWindow) -> None:
    """A page of another origin that tries to change something is refused."""
    window = await open_window()
    other = await open_window()
    other.expect("Content Security Policy")  # its own policy forbids it too, and says so
    await other.go()
    await other.page.evaluate(
        "(url) => fetch(url + '/_mock/webhooks', {method: 'POST', mode: 'no-cors', "
        "body: JSON.stringify({url: 'http://127.0.0.1:1/', secret: 'x'})}).catch(() => null)",
        window.mock.url,
    )
    assert window.mock.webhooks == ()


async def test_a_check(open_window: OpenWindow, consumer: Consumer) -> None:
    """The table fills, each finding with its fix and its proof."""
    window = await open_window()
    page, mock = window.page, window.mock
    _, hook = await register(mock, consumer.url)
    await window.go(f"#/check?webhook={hook['webhook_id']}")
    await page.get_by_role("button", name="Run the checks").click()
    await page.get_by_role("row").filter(has_text="PG001").locator(".badge.ok").wait_for()
    wrong = page.get_by_role("row").filter(has_text="PG010")
    await wrong.locator(".badge.bad, .badge.warn").wait_for()
    await wrong.get_by_text("Fix:").wait_for()
    await wrong.locator("summary").click()
    await wrong.get_by_role("button", name="Copy curl").first.wait_for()
    await page.get_by_text("Done.").wait_for(timeout=60_000)
    await page.get_by_role("button", name="Stop").wait_for(state="hidden")
    assert SECRET not in await page.content()


async def test_a_check_is_stopped(open_window: OpenWindow, consumer: Consumer) -> None:
    """Even one that waits for the consumer; another can be started."""
    released = asyncio.Event()

    async def answer(received: Received) -> web.Response:  # noqa: ARG001 - as a consumer answers
        await released.wait()
        return web.Response()

    consumer.answer = answer
    window = await open_window()
    _, hook = await register(window.mock, consumer.url)
    await window.go(f"#/check?webhook={hook['webhook_id']}")
    await window.page.get_by_role("button", name="Run the checks").click()
    await window.page.get_by_role("button", name="Stop").click()
    await window.see("Done.")
    released.set()
    await window.page.locator("button:enabled", has_text="Run the checks").wait_for()


async def test_reports_in_a_browser(open_window: OpenWindow, consumer: Consumer, tmp_path: Path) -> None:
    """Opened from disk: the filter works, a bar of the time line leads to its exchange, axe finds nothing."""
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - the default tier runs without it

    consumer.answers(lambda received: web.Response(status=500 if received.event == "run.failed" else 200))
    window = await open_window()
    page, mock = window.page, window.mock
    mock.register(consumer.url, secret=SECRET)
    steps = [{"event": "run.completed", "repeat": 3}, {"event": "run.failed"}]
    report = await mock.areplay({"version": 1, "steps": steps}, speed="max")
    check = await mock.acheck(consumer.url, SECRET, only=["PG010"])
    for name, text in (("replay", report.html()), ("check", check.html())):
        (tmp_path / f"{name}.html").write_text(text, "utf-8")
        await page.goto((tmp_path / f"{name}.html").as_uri())
        results = await Axe().run(page, options={"resultTypes": ["violations"]})
        assert results.violations_count == 0, results.generate_report()
    await page.goto((tmp_path / "replay.html").as_uri())
    await window.see("4 of 4")
    await page.get_by_label("only problems").check()
    await window.see("1 of 4")
    await page.get_by_label("only problems").uncheck()
    await page.get_by_role("searchbox").fill("run.completed")
    await window.see("3 of 4")
    await page.get_by_role("searchbox").fill("")
    await page.locator("svg a").nth(3).click()
    await page.locator("details[open] pre", has_text="X-Playgent-Signature").first.wait_for(state="attached")
