"""Sales one after the other, and a rush of them, beside what the bare calls to Blink take."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from forwarder.blink import documents
from forwarder.blink.documents import Operation
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.stage import Account, Blink, Stage, stage


@dataclass(frozen=True)
class Rush:
    """Forwards a second, and the processor's seconds of each, which a busy machine changes less."""

    rate: float
    cpu_seconds: float


@dataclass(frozen=True)
class Sold:
    """Seconds from a receipt kept to `paid` and to `forwarded`, the calls, and the rush."""

    told: Sequence[float]
    forwarded: Sequence[float]
    calls: float
    bare: Sequence[float]
    rush: Rush
    bare_rush: float

    def figures(self) -> list[Figure]:
        """The lines of the report."""
        return [
            Figure("paid to told, median / p99", spread(self.told)),
            Figure("paid to forwarded, median / p99", spread(self.forwarded), spread(self.bare)),
            Figure("calls to Blink for a forward", f"{self.calls:.1f}", "2"),
            Figure("a rush: forwards a second", f"{self.rush.rate:.0f}", f"{self.bare_rush:.0f}"),
            Figure("a rush: processor time of each", f"{self.rush.cpu_seconds * 1000:.0f} ms"),
        ]


async def measure(folder: Path, sales: int, rush: int) -> Sold:
    """Sell one after the other, then all at once. Blink makes 60 invoices a minute in all."""
    async with stage(folder) as played:
        await played.forwarder.start()
        await played.till.sell(externalId="keeps-the-subscription-open")
        await played.until_watching()
        before = await played.blink.calls()
        pairs = [await _sell(played) for _ in range(sales)]
        # The invoice of each sale is a call too, and no part of its forward.
        calls = (await played.blink.calls() - before) / sales - 1
        hurried = await _rush(played, rush)
        bare = await _Bare.open(played.blink)
        alone = [await bare.forward() for _ in range(sales)]
        bare_rush = await bare.rush(rush)
    told, forwarded = zip(*pairs, strict=True)
    return Sold(told, forwarded, calls, alone, hurried, bare_rush)


async def _sell(played: Stage) -> tuple[float, float]:
    sale = await played.till.sell()
    async with played.till.page(sale) as page:
        await played.blink.pay(sale)
        paid = await page.until("payment")
        told_at = time.time()
        await page.until("forwarded")
        forwarded_at = time.time()
    kept_at = datetime.fromisoformat(paid["timestamp"]).timestamp()
    return told_at - kept_at, forwarded_at - kept_at


async def _rush(played: Stage, count: int) -> Rush:
    """So many customers pay in the same moment."""
    made = [await played.till.sell() for _ in range(count)]
    done = (await played.status())["forwards"]["forwarded"] + count
    cpu = await played.cpu_seconds()
    begun = time.perf_counter()
    await asyncio.gather(*(played.blink.pay(sale) for sale in made))
    while (await played.status())["forwards"]["forwarded"] < done:
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - begun
    return Rush(count / seconds, (await played.cpu_seconds() - cpu) / count)


class _Bare:
    """What a forward takes at least: an invoice on one account, paid from another."""

    def __init__(self, blink: Blink, payer: Account, payee: Account) -> None:
        self._url = f"{blink.url}/graphql"
        self._payer = payer
        self._payee = payee

    @classmethod
    async def open(cls, blink: Blink) -> _Bare:
        """Two accounts that nobody else uses: Blink's limits are by the account."""
        return cls(
            blink, await blink.open_account("payer", 10**7), await blink.open_account("payee")
        )

    async def forward(self) -> float:
        """Seconds of the two calls, one after the other."""
        async with aiohttp.ClientSession() as session:
            begun = time.perf_counter()
            await self._pay(session, await self._make(session))
            return time.perf_counter() - begun

    async def rush(self, count: int) -> float:
        """Forwards a second: invoices side by side, and sends one after the other."""
        async with aiohttp.ClientSession() as session:
            begun = time.perf_counter()
            made = await asyncio.gather(*(self._make(session) for _ in range(count)))
            for payment_request in made:
                await self._pay(session, payment_request)
            return count / (time.perf_counter() - begun)

    async def _make(self, session: aiohttp.ClientSession) -> str:
        name = str(uuid.uuid4())
        wanted = {"walletId": self._payee.wallet, "amount": 1_000, "externalId": name}
        made = await self._call(session, self._payee, documents.CREATE_INVOICE, wanted)
        return str(made["lnInvoiceCreate"]["invoice"]["paymentRequest"])

    async def _pay(self, session: aiohttp.ClientSession, payment_request: str) -> None:
        wanted = {"walletId": self._payer.wallet, "paymentRequest": payment_request}
        paid = await self._call(session, self._payer, documents.PAY_INVOICE, wanted)
        assert paid["lnInvoicePaymentSend"]["status"] == "SUCCESS", paid

    async def _call(
        self,
        session: aiohttp.ClientSession,
        account: Account,
        operation: Operation,
        wanted: Mapping[str, object],
    ) -> dict[str, Any]:
        body = operation.bind(input=wanted).payload
        headers = {"X-API-KEY": account.key}
        async with session.post(self._url, json=body, headers=headers) as answer:
            data: dict[str, Any] = (await answer.json())["data"]
            return data
