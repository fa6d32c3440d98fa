"""The stage of every benchmark: a Blink and a forwarder in processes of their own, and a till."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.e2e.process import Till, free_port
from tests.exposition import Exposition
from tests.kill.child import Child

POS_TOKEN: Final = "pos-token"
OPERATOR_TOKEN: Final = "operator-token"
SECRET_KEY: Final = "a-secret-key-for-benchmarks-0123456789"
START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Account:
    """An account at the local Blink, and a key of it."""

    wallet: str
    key: str


class Blink:
    """The local Blink in its own process, by remote control."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.url = f"http://127.0.0.1:{port}"

    async def open_account(self, name: str, sats: int = 0) -> Account:
        """A new account with a key that may do everything."""
        opened = await self.control("accounts", username=name, sats=sats)
        key = await self.control("keys", accountId=opened["id"])
        return Account(opened["btcWalletId"], key["key"])

    async def pay(self, sale: dict[str, Any]) -> None:
        """Pay an invoice, as its customer does."""
        await self.control("pay", paymentRequest=sale["invoice"])

    async def calls(self) -> int:
        """How often it was asked something."""
        async with self._session.get(f"{self.url}/control/calls") as answer:
            return len((await answer.json())["calls"])

    async def control(self, action: str, **body: object) -> dict[str, Any]:
        """Have it do something."""
        async with self._session.post(f"{self.url}/control/{action}", json=body) as answer:
            said: dict[str, Any] = await answer.json()
            assert answer.status == 200, said
            return said


@dataclass
class Stage:
    """Everything that plays, each in a process of its own; the benchmark is till and customer."""

    blink: Blink
    forwarder: Child
    session: aiohttp.ClientSession
    till: Till

    @property
    def database_url(self) -> str:
        """The forwarder's database."""
        return self.forwarder.environment["DATABASE_URL"]

    async def status(self) -> dict[str, Any]:
        """The whole state of the forwarder."""
        _, found = await self.till.call("GET", "/api/status", token=OPERATOR_TOKEN)
        return found

    async def cpu_seconds(self) -> float:
        """The time that the forwarder has spent on the processor."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        async with self.session.get("/metrics", headers=headers) as answer:
            return Exposition(await answer.text()).value("process_cpu_seconds_total")

    async def until_watching(self) -> None:
        """Wait until the subscription is open, and what its opening asks for is asked."""
        while (await self.status())["subscription"]["state"] != "open":
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """A stage whose forwarder is not started yet."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        blink = await stack.enter_async_context(_blink(session))
        pos, merchant = await blink.open_account("pos", 10**7), await blink.open_account("shop")
        forwarder = Child(_environment(blink, pos, merchant, folder), folder)
        tills = await stack.enter_async_context(
            aiohttp.ClientSession(forwarder.url, connector=aiohttp.TCPConnector(limit=0))
        )
        yield Stage(blink, forwarder, tills, Till(tills, POS_TOKEN))
        await forwarder.hang_up()


@asynccontextmanager
async def _blink(session: aiohttp.ClientSession) -> AsyncIterator[Blink]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "sandbox", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until_listening(port)
        yield Blink(session, port)
    finally:
        process.terminate()
        await process.wait()


async def until_listening(port: int) -> None:
    """Wait until somebody takes connections there."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


def _environment(blink: Blink, pos: Account, merchant: Account, folder: Path) -> dict[str, str]:
    return {
        "BLINK_API_URL": f"{blink.url}/graphql",
        "BLINK_WS_URL": f"{blink.url.replace('http', 'ws')}/graphql",
        "BLINKPOS_API_KEY": pos.key,
        "BLINKPOS_BTC_WALLET_ID": pos.wallet,
        "MERCHANT_API_KEY": merchant.key,
        "MERCHANT_WALLET_ID": merchant.wallet,
        "POS_TOKEN": POS_TOKEN,
        "OPERATOR_TOKEN": OPERATOR_TOKEN,
        "FORWARDER_SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/forwarder.db",
    }
