"""Thousands of pages are connected, and one of them is told."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from forwarder.model.invoice import Invoice, Issued, Order
from forwarder.model.keyring import Keyring
from forwarder.model.merchant import Merchant
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.settings import Settings
from forwarder.store import invoices, merchants
from forwarder.store.database import Database, Transaction
from forwarder.store.vault import Vault
from forwarder.web.tokens import PageTokens
from forwarder.worker.clock import utc_now
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.stage import POS_TOKEN, SECRET_KEY, Stage, stage, until_listening
from tests.e2e.process import free_port

CONNECTING = 50  # at a time


@dataclass(frozen=True)
class Told:
    """Seconds from a receipt kept to its frame received, and of an echo on as many sockets."""

    seconds: Sequence[float]
    floor: Sequence[float]

    def figures(self, pages: int) -> list[Figure]:
        """The lines of the report."""
        what = f"{pages} pages connected, one told: kept to received, median / p99"
        return [Figure(what, spread(self.seconds), f"{spread(self.floor)} (echo, both ways)")]


async def measure(folder: Path, pages: int, tells: int) -> Told:
    """Connect the pages, each with a pending invoice of its own; then tell one after the other."""
    async with stage(folder) as played:
        waiting = await _invoices(played, pages)
        await played.forwarder.start()
        async with _connected(played.session, waiting):
            await played.until_watching()
            seconds = [await _tell(played) for _ in range(tells)]
    return Told(seconds, await _echoes(pages, tells))


async def _invoices(played: Stage, count: int) -> list[tuple[Invoice, str]]:
    """Pending invoices with the tokens of their pages: Blink makes no more than 60 a minute."""
    keyring, now = Keyring((SecretStr(SECRET_KEY),)), utc_now()
    async with Database.open(played.database_url) as database, database.transaction() as tx:
        merchant = await _merchant(tx, played, Vault(keyring))
        wallet_id = WalletId(played.forwarder.environment["BLINKPOS_BTC_WALLET_ID"])
        kept = [await _keep(tx, merchant, wallet_id, number, now) for number in range(count)]
    tokens = PageTokens(keyring)
    return [(invoice, tokens.issue(invoice, now)) for invoice in kept]


async def _merchant(tx: Transaction, played: Stage, vault: Vault) -> Merchant:
    """The merchant of the environment, whom the first start would keep in the same way."""
    given = played.forwarder.environment
    return await merchants.put(
        tx,
        vault,
        name=Settings.model_fields["merchant_name"].default,
        api_key=SecretStr(given["MERCHANT_API_KEY"]),
        token=SecretStr(POS_TOKEN),
        wallet_id=WalletId(given["MERCHANT_WALLET_ID"]),
        now=utc_now(),
    )


async def _keep(
    tx: Transaction, merchant: Merchant, wallet_id: WalletId, number: int, now: datetime
) -> Invoice:
    order = Order(f"waiting-{number}", Sats(1), "", 3_600)
    issued = Issued(PaymentHash(f"{number:064x}"), f"lnbcrt{number}", now)
    invoice = await invoices.keep(tx, merchant.id, order, issued, now, wallet_id)
    assert invoice is not None
    return invoice


@asynccontextmanager
async def _connected(
    session: aiohttp.ClientSession, waiting: Sequence[tuple[Invoice, str]]
) -> AsyncIterator[None]:
    """Every page, connected and identified, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        gate = asyncio.Semaphore(CONNECTING)

        async def connect(invoice: Invoice, token: str) -> None:
            async with gate:
                socket = await session.ws_connect("/ws", compress=0)
                stack.push_async_callback(socket.close)
                await _identify(socket, {"externalId": invoice.external_id, "token": token})

        await asyncio.gather(*(connect(*one) for one in waiting))
        yield


async def _identify(socket: aiohttp.ClientWebSocketResponse, sale: dict[str, Any]) -> None:
    wanted = {"externalId": sale["externalId"], "token": sale["token"]}
    await socket.send_json({"type": "identify", **wanted})
    while (await socket.receive_json())["type"] != "identified":
        pass


async def _tell(played: Stage) -> float:
    """A sale of one page: how long after it was kept the page has `paid`."""
    sale = await played.till.sell()
    async with played.session.ws_connect("/ws", compress=0) as socket:
        await _identify(socket, sale)
        await played.blink.pay(sale)
        while (frame := await socket.receive_json())["type"] != "payment":
            pass
        received = time.time()
        while (await socket.receive_json())["type"] != "forwarded":
            pass
    return received - datetime.fromisoformat(frame["timestamp"]).timestamp()


async def _echoes(sockets: int, rounds: int) -> list[float]:
    """Round trips on one of as many sockets of a server that does nothing else."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.echo", str(port))
    )
    try:
        await until_listening(port)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"ws://127.0.0.1:{port}/ws"
            opened = [await session.ws_connect(url, compress=0) for _ in range(sockets)]
            seconds = [await _round_trip(opened[0]) for _ in range(rounds)]
            await asyncio.gather(*(socket.close() for socket in opened))
    finally:
        process.terminate()
        await process.wait()
    return seconds


async def _round_trip(socket: aiohttp.ClientWebSocketResponse) -> float:
    begun = time.perf_counter()
    await socket.send_str("x" * 300)
    await socket.receive_str()
    seconds = time.perf_counter() - begun
    await asyncio.sleep(0.02)  # as apart as payments are
    return seconds
