"""Tills that sell without end, customers who pay when they like, and screens that wait."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import aiohttp

from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.errors import SandboxError
from tests.e2e.process import Page, Till

AGAIN_SECONDS: Final = 0.1
UNPAID_SHARE: Final = 0.08  # customers who change their mind
OVERPAID_SHARE: Final = 0.1

# Nobody answers, or no longer: what a till meets while its service is killed.
GONE: Final = (aiohttp.ClientError, ConnectionError, TimeoutError, TypeError)


class Pace:
    """No more than so many in any minute: Blink blocks an account that makes more invoices."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken: deque[float] = deque()

    async def take(self) -> None:
        """Wait for one's turn."""
        now = asyncio.get_running_loop().time
        while len(self._taken) >= self._per_minute and now() - self._taken[0] < 61:
            await asyncio.sleep(0.05)
        if len(self._taken) >= self._per_minute:
            self._taken.popleft()
        self._taken.append(now())

    def give_back(self) -> None:
        """The last one was not used after all."""
        self._taken.pop()


@dataclass
class Sale:
    """One sale: what the till knows, what the customer did, what the screen was told."""

    shop: str
    answer: dict[str, Any]
    paid: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def payment_hash(self) -> str:
        """Blink's name of it."""
        return str(self.answer["paymentHash"])

    @property
    def told(self) -> set[str]:
        """The kinds of events that its screen was told."""
        return {str(event["type"]) for event in self.events}


@dataclass
class Shop:
    """One merchant with a till. `session` finds whichever process answers for it now."""

    name: str
    account: Account
    token: str
    session: Callable[[], aiohttp.ClientSession]
    blink: Sandbox
    random: Random
    pace: Pace
    sales: list[Sale] = field(default_factory=list)
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _closed: bool = False

    @property
    def till(self) -> Till:
        """The till, as it is connected now."""
        return Till(self.session(), self.token)

    async def trade(self, pause: tuple[float, float]) -> None:
        """Sell one thing after the other, until closed."""
        while not self._closed:
            sale = await self._sell()
            if sale is not None:
                self.sales.append(sale)
                self._do(self._customer(sale))
                self._do(self._screen(sale))
            await asyncio.sleep(self.random.uniform(*pause))

    async def close(self) -> None:
        """Sell no more, and wait until whoever is in the shop has paid."""
        self._closed = True

    async def leave(self) -> None:
        """Switch the screens off."""
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _sell(self) -> Sale | None:
        """Ask under the same name until there is an answer, as a till has to."""
        name = str(uuid.UUID(int=self.random.getrandbits(128)))
        order = {"amountSat": self.random.randint(1, 5_000), "externalId": name}
        while not self._closed:
            await self.pace.take()
            try:
                status, answer = await self.till.call("POST", "/api/invoice", order)
            except aiohttp.ClientConnectorError:
                self.pace.give_back()
            except GONE:
                pass
            else:
                if status == 200:
                    return Sale(self.name, answer)
                assert status in (429, 503), answer
            await asyncio.sleep(AGAIN_SECONDS)
        return None

    async def _customer(self, sale: Sale) -> None:
        if self.random.random() < UNPAID_SHARE:
            return
        sats = int(sale.answer["amountSat"])
        if self.random.random() < OVERPAID_SHARE:
            sats += self.random.randint(1, 100)
        await asyncio.sleep(self.random.uniform(0, 3))
        with suppress(SandboxError):  # cancelled at the end of the day
            await self.blink.pay(sale.answer["invoice"], sats)
            sale.paid = sats

    async def _screen(self, sale: Sale) -> None:
        """Show the sale, and connect again whenever the connection has gone."""
        while "forwarded" not in sale.told:
            with suppress(*GONE):
                async with self.till.page(sale.answer) as page:
                    await self._watch(page, sale)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _watch(self, page: Page, sale: Sale) -> None:
        ids: set[str] = set()
        for kind in ("payment", "forwarded"):
            event = await page.until(kind, seconds=600)
            assert event["id"] not in ids, "a screen was told twice over one connection"
            ids.add(event["id"])
            sale.events.append(event)
