"""Takes the pictures of docs/: `python -m tests.browser.pictures`.

They show the real pages on a real day of trade: on a clock that is turned through it in a minute.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr

from forwarder.model.invoice import Invoice, Order
from forwarder.model.units import Sats
from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.settings import Settings
from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.browser.conftest import NAMES
from tests.browser.visitor import DESK, PHONE, charge, expect_state, visiting
from tests.e2e.conftest import OPERATOR_TOKEN, POS_TOKEN, BlinkClock

DOCS: Final = Path(__file__).parents[2] / "docs" / "pictures"
MENU: Final = ("Espresso", "Flat white", "Two coffees", "Croissant", "Soup of the day", "Lunch")
HOURS: Final = 23
LATE_SECONDS: Final = 20.0  # a local Blink needs a fraction of it


@dataclass
class Day:
    """A service that has traded for a day."""

    blink: Sandbox
    service: Service
    merchant: Account
    clock: BlinkClock
    url: str
    random: Random

    async def trade(self) -> None:
        """Sell through the hours, most at noon; the last sale is held."""
        now = datetime.now().astimezone()
        for hour in range(HOURS, 0, -1):
            self.clock.off = timedelta(hours=-hour)
            distance = abs((now - timedelta(hours=hour)).hour - 12)
            for _ in range(max(0, 4 - distance // 2)):
                self.clock.off += timedelta(minutes=self.random.randrange(1, 12))
                await self.sell(self.random.randrange(9, 60) * 100)
        self.clock.off = timedelta()
        self.blink.disable_receive(self.merchant)
        await self.sell(4_300, "paid")

    async def sell(self, sats: int, until: str = "forwarded") -> Invoice:
        merchant = await self.service.sales.merchant_of(POS_TOKEN)
        assert merchant is not None
        name = f"till-1-{self.random.randrange(1_000, 10_000)}"
        order = Order(name, Sats(sats), self.random.choice(MENU), 900)
        invoice = await self.service.sales.create(merchant, order)
        await self.blink.pay(invoice.payment_request)
        async with asyncio.timeout(LATE_SECONDS):
            while not await self._is(invoice, until):
                await asyncio.sleep(0.02)
        return invoice

    async def _is(self, invoice: Invoice, until: str) -> bool:
        found = await self.service.sales.by_id(invoice.id)
        assert found is not None
        return (found.paid_at if until == "paid" else found.forwarded_at) is not None


@asynccontextmanager
async def a_day() -> AsyncIterator[Day]:
    """A day of trade on a local Blink."""
    clock = BlinkClock(timedelta(hours=-HOURS - 1))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        blink = await stack.enter_async_context(Sandbox.serve(clock=clock, seed=21))
        pos, merchant = blink.open_account("blinkpos", sats=50_000), blink.open_account("cafe")
        settings = Settings(
            blink_api_url=blink.api_url,
            blink_ws_url=blink.ws_url,
            blinkpos_api_key=SecretStr(blink.create_key(pos)),
            merchant_name="Café Nord",
            merchant_api_key=SecretStr(blink.create_key(merchant)),
            pos_token=SecretStr(POS_TOKEN),
            operator_token=SecretStr(OPERATOR_TOKEN),
            database_url=f"sqlite+aiosqlite:///{folder}/day.db",
            subscription_linger_seconds=60,
        )
        service = await stack.enter_async_context(Service.open(settings, clock))
        server = await stack.enter_async_context(Server.serve(service, "127.0.0.1", 0))
        day = Day(blink, service, merchant, clock, server.url, Random(21))  # noqa: S311
        await day.trade()
        yield day


async def take_till(chromium: Browser, day: Day) -> None:
    """The till, on a phone."""
    async with visiting(chromium, day.url, size=PHONE) as cashier:
        till = await cashier.open_till()
        await till.get_by_label("Amount in sats").fill("2100")
        await till.mouse.move(0, 0)
        await till.screenshot(path=DOCS / "till-amount.png")
        invoice = await charge(till, 2_100, "Two coffees")
        await expect_state(till, "pending")
        await till.get_by_role("img").evaluate("image => image.decode()")
        await till.mouse.move(0, 0)
        await till.screenshot(path=DOCS / "till-waiting.png")
        day.blink.disable_receive(day.merchant, disabled=False)
        await day.blink.pay(invoice)
        await expect_state(till, "forwarded")
        await till.wait_for_timeout(1_000)
        await till.screenshot(path=DOCS / "till-paid.png")


async def take_office(chromium: Browser, day: Day) -> None:
    """The operator page, on a desk."""
    async with visiting(chromium, day.url, size=DESK) as operator:
        office = await operator.open_office()
        await office.locator("#rows tr").nth(3).wait_for()
        await office.wait_for_timeout(1_000)
        await office.screenshot(path=DOCS / "operator.png")
    async with visiting(chromium, day.url, scheme="dark", size=DESK) as operator:
        office = await operator.open_office()
        await office.locator("#rows tr").nth(1).get_by_role("button").click()
        await office.locator(".timeline").wait_for()
        await office.locator(".payments").evaluate(
            "it => it.scrollIntoView({ behavior: 'instant' })"
        )
        await office.mouse.move(0, 0)
        await office.screenshot(path=DOCS / "operator-sale.png")


async def main() -> None:
    """Take them all."""
    DOCS.mkdir(exist_ok=True)
    path = next(filter(None, map(shutil.which, NAMES)))
    async with async_playwright() as playwright, a_day() as day:
        chromium = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        await take_office(chromium, day)
        await take_till(chromium, day)
        await chromium.close()


if __name__ == "__main__":
    asyncio.run(main())
