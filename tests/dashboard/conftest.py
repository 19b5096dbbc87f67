"""A real browser that opens the page of a mock, and a consumer whose handler can be broken and fixed."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from mockserver import MockServer
from tests.receiving import Consumer, consuming

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

#: Collects what a policy forbids: a page that is attacked successfully, or wrong, breaks it first.
COLLECT = "document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP ${e.violatedDirective}`));"


class Window:
    """A page of the dashboard, and all that its browser complained about."""

    def __init__(self, page: Any, mock: MockServer) -> None:
        self.page = page
        page.set_default_timeout(60_000)
        self.mock = mock
        self.complaints: list[str] = []
        self._expected: list[str] = []
        page.on("console", lambda message: self.complaints.extend([message.text] if message.type == "error" else []))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def expect(self, complaint: str) -> None:
        """Let the browser complain of this: a test asks for it, and the browser says so in its own time."""
        self._expected.append(complaint)

    @property
    def unexpected(self) -> list[str]:
        """What the browser complained about and no test asked for."""
        return [text for text in self.complaints if not any(each in text for each in self._expected)]

    async def copied(self, part: str) -> str:
        """What the clipboard holds, once this is a part of it: writing to it takes the browser its time."""
        await self.until(f"navigator.clipboard.readText().then((text) => text.includes({json.dumps(part)}))")
        text: str = await self.page.evaluate("navigator.clipboard.readText()")
        return text

    async def go(self, path: str = "") -> None:
        """Open a view."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.mock.url}/_mock/ui/{path}")

    async def see(self, text: str, within: str = "body") -> None:
        """Wait until a text can be seen."""
        await self.page.locator(within).get_by_text(text).first.wait_for(timeout=60_000)

    async def until(self, condition: str) -> None:
        """Wait until an expression is true; Playwright's own way needs eval, which the page forbids."""
        for _ in range(1200):
            if await self.page.evaluate(condition):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(condition)

    async def row(self, number: int) -> Any:
        """The row of the list at a place, from 0: the newest."""
        await self.page.locator(".row:visible").nth(number).wait_for(timeout=60_000)
        return self.page.locator(f".row[aria-rowindex='{number + 2}']")


#: Opens a window on a mock.
OpenWindow = Callable[..., Awaitable[Window]]


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    """A browser; Debian's."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - the default tier runs without it

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "the full tier needs Chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def open_window(chromium: Any) -> AsyncIterator[OpenWindow]:
    """Opens windows on mocks; in the end none may have complained."""
    async with AsyncExitStack() as stack:
        windows: list[Window] = []

        async def opened(mock: MockServer | None = None, **options: Any) -> Window:
            if mock is None:
                mock = await stack.enter_async_context(MockServer(strict_deliveries=False))
            view = {
                "viewport": {"width": 1280, "height": 800},
                "reduced_motion": "reduce",
                **options,
            }  # nothing fades in
            context = await chromium.new_context(**view)
            await context.grant_permissions(["clipboard-read", "clipboard-write"])
            await context.add_init_script(COLLECT)
            stack.push_async_callback(context.close)
            windows.append(Window(await context.new_page(), mock))
            return windows[-1]

        yield opened
        assert [complaint for window in windows for complaint in window.unexpected] == []


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    """A consumer that accepts everything until a test changes that."""
    async with consuming() as running:
        yield running
