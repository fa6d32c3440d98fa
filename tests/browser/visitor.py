"""Somebody at a browser, who notices everything that the browser complains of."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.e2e.conftest import OPERATOR_TOKEN, POS_TOKEN

Scheme = Literal["light", "dark"]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@dataclass
class Visitor:
    """A browser of one's own: nothing is shared with another visitor's.

    `complaints` are the browser's errors and warnings; a broken policy is one of them. What a test
    brings about on purpose it names in `expected`, as a pattern.
    """

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    async def open(self, path: str = "/") -> Page:
        """A new tab."""
        page = await self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        await page.goto(self.url + path)
        return page

    async def open_till(self, token: str = POS_TOKEN) -> Page:
        """The POS page, signed in."""
        page = await self.open()
        await page.get_by_label("POS token").fill(token)
        await page.get_by_role("button", name="Start selling").click()
        await expect(page.get_by_label("Amount in sats")).to_be_focused()
        return page

    async def open_office(self) -> Page:
        """The operator page, signed in."""
        page = await self.open("/operator")
        await page.get_by_label("Operator token").fill(OPERATOR_TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        return page

    def judge(self) -> None:
        """Raise AssertionError if the browser complained of what nobody expected."""
        assert [
            text
            for text in self.complaints
            if not any(re.search(pattern, text) for pattern in self.expected)
        ] == []

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")


@asynccontextmanager
async def visiting(
    chromium: Browser,
    url: str,
    scheme: Scheme = "light",
    size: dict[str, int] = PHONE,
) -> AsyncIterator[Visitor]:
    """A visitor, who is judged at the end."""
    context = await chromium.new_context(
        color_scheme=scheme,
        viewport={"width": size["width"], "height": size["height"]},
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    visitor = Visitor(context, url)
    try:
        yield visitor
    finally:
        await context.close()
    visitor.judge()


async def charge(page: Page, sats: int, note: str = "") -> str:
    """Make a sale at a till, and return the invoice that its customer is to pay."""
    await page.get_by_label("Amount in sats").fill(str(sats))
    await page.get_by_label("Note for the customer").fill(note)
    await page.get_by_role("button", name="Charge").click()
    return await shown_invoice(page)


async def shown_invoice(page: Page) -> str:
    """The invoice on the screen, once there is one."""
    field = page.get_by_label("Lightning invoice")
    await expect(field).to_have_value(re.compile("^lnbcrt"))
    return await field.input_value()


async def expect_state(page: Page, state: str) -> None:
    """Wait until the sale on the screen has this state."""
    await expect(page.locator("#sale")).to_have_attribute("data-state", state)
