"""A local Blink, the real process, a till, and the judge: Blink's own ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from forwarder.model.bolt11 import decode
from forwarder.sandbox import Fault, Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.phoenixd import Phoenixd
from tests.e2e.process import Forwarder, Till

FLOAT = 1_000_000
POS_TOKEN = "canary-pos-token-4242"
OPERATOR_TOKEN = "canary-operator-token-4343"
SECRET_KEY = "canary-secret-key-4444-0123456789abcdef"
BLINK_WEBHOOK_SECRET = "whsec_Y2FuYXJ5LWJsaW5rLXdlYmhvb2stNDU0NQ=="
WEBHOOK_SECRETS = {"BLINK_WEBHOOK_SECRET": BLINK_WEBHOOK_SECRET}


@dataclass
class BlinkClock:
    """Blink's clock, which need not agree with ours."""

    off: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off


@dataclass
class World:
    """Everything that a sale takes."""

    blink: Sandbox
    pos: Account
    merchant: Account
    friend: Account
    clock: BlinkClock
    forwarder: Forwarder
    till: Till
    secrets: tuple[str, ...]

    def operations(self, account: Account | None = None) -> list[str]:
        """The calls that Blink has received, in order."""
        return [
            call.operation
            for call in self.blink.calls
            if account is None or call.account_id == account.id
        ]

    def close_merchant(self) -> None:
        """From now on the merchant's account may receive nothing."""
        account, code = self.merchant.id, "RECEIVE_DISABLED"
        refusal = Fault(
            "lnInvoiceCreate", "failure_no_effect", times=None, account=account, code=code
        )
        self.blink.faults.add(refusal)

    def payouts(self) -> list[str]:
        """The payment hashes of the payout invoices that were made."""
        return [invoice.payment_hash for invoice in self.blink.invoices(self._wallet)]

    @property
    def _wallet(self) -> str:
        return self.merchant.btc_wallet_id

    @property
    def earned(self) -> int:
        """What the merchant has."""
        return self.blink.balance(self._wallet)

    async def until(self, holds: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)

    async def until_read(self) -> None:
        """Wait until the service has read Blink's ledger: it pays nothing before."""
        async with asyncio.timeout(5):
            while not await self._was_read():
                await asyncio.sleep(0.01)

    async def _was_read(self) -> bool:
        _, status = await self.till.call("GET", "/api/status", token=OPERATOR_TOKEN)
        return status["reconciliation"]["lastRunAt"] is not None

    def judge(self) -> None:
        """What must hold after every test, by Blink's ledger alone."""
        self.blink.verify()
        sends = self.blink.sends(self.pos.btc_wallet_id)
        received = sum(entry.amount for entry in self.blink.receipts(self.pos.btc_wallet_id))
        twice = [
            name for name, count in Counter(s.payment_hash for s in sends).items() if count > 1
        ]
        assert not twice, "a payout invoice was paid twice"
        sales = Counter((send.external_id or "").rsplit("-", 1)[0] for send in sends)
        assert all(count == 1 for count in sales.values()), "a sale was forwarded twice"
        assert -sum(send.amount for send in sends) <= received, "more was sent than received"

    def find_secrets(self) -> list[str]:
        """The secrets that stand anywhere they must not."""
        files = [path.read_bytes() for path in self.forwarder.folder.iterdir() if path.is_file()]
        places = [bytes(self.forwarder.output), *files]
        return [secret for secret in self.secrets if any(secret.encode() in it for it in places)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world of its own for each test."""
    async with open_world(tmp_path) as world:
        yield world


@asynccontextmanager
async def open_world(tmp_path: Path) -> AsyncIterator[World]:
    """A service that runs against a local Blink. Afterwards the ledger is judged."""
    clock = BlinkClock()
    async with (
        Sandbox.serve(clock=clock) as blink,
        _opened(blink, tmp_path, clock, WEBHOOK_SECRETS) as world,
    ):
        yield world


@asynccontextmanager
async def _opened(
    blink: Sandbox, folder: Path, clock: BlinkClock, more: Mapping[str, str]
) -> AsyncIterator[World]:
    pos, merchant = blink.open_account("blinkpos", sats=FLOAT), blink.open_account("merchant")
    friend = blink.open_account("friend", sats=FLOAT)
    keys = blink.create_key(pos), blink.create_key(merchant)
    forwarder = Forwarder({**_environment(blink, *keys, folder), **more}, folder)
    hidden = [value for name, value in more.items() if not name.endswith("HOST")]
    async with aiohttp.ClientSession(forwarder.url) as session:
        secrets = (*keys, POS_TOKEN, OPERATOR_TOKEN, SECRET_KEY, *hidden)
        till = Till(session, POS_TOKEN)
        world = World(blink, pos, merchant, friend, clock, forwarder, till, secrets)
        await forwarder.start()
        yield world
    if forwarder.is_running:
        assert await forwarder.stop() == 0, forwarder.output.decode()
    world.judge()
    assert not world.find_secrets()
    assert b"Traceback" not in forwarder.output, forwarder.output.decode()


def _environment(blink: Sandbox, pos_key: str, merchant_key: str, folder: Path) -> dict[str, str]:
    return {
        "BLINK_API_URL": blink.api_url,
        "BLINK_WS_URL": blink.ws_url,
        "BLINKPOS_API_KEY": pos_key,
        "MERCHANT_API_KEY": merchant_key,
        "POS_TOKEN": POS_TOKEN,
        "OPERATOR_TOKEN": OPERATOR_TOKEN,
        "FORWARDER_SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/forwarder.db",
        "LOG_LEVEL": "debug",
    }


@dataclass
class NodeWorld:
    """A world with a node, which is the source of what is sold here."""

    world: World
    node: Phoenixd

    async def sell(self, sats: int = 1_000, **more: object) -> dict[str, Any]:
        """Make an invoice at the node."""
        return await self.world.till.sell(sats, source="phoenixd", **more)

    def judge(self) -> None:
        """What must hold after every test, by the books of the node and of Blink."""
        sends = self.node.sends
        assert len({one.payment_hash for one in sends}) == len(sends), "an invoice was paid twice"
        names = Counter(_stem(one.invoice) for one in sends)
        assert all(count == 1 for count in names.values()), "a sale was forwarded twice"
        assert sum(one.msats for one in sends) <= self.node.received * 1000, "sent before received"
        assert not self.world.blink.sends(self.world.pos.btc_wallet_id), (
            "paid from the wrong wallet"
        )
        assert self.node.books.msats >= 0


def _stem(payment_request: str) -> str:
    return str(decode(payment_request).description).rpartition("-")[0]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[NodeWorld]:
    """A service that runs against a local Blink and a local node."""
    async with AsyncExitStack() as stack:
        blink = await stack.enter_async_context(Sandbox.serve())
        node = await stack.enter_async_context(Phoenixd.serve(blink, sats=FLOAT))
        more = WEBHOOK_SECRETS | {
            "PHOENIXD_HOST": node.url,
            "PHOENIXD_TOKEN": node.password,
            "PHOENIXD_WEBHOOK_SECRET": node.webhook_secret,
        }
        world = await stack.enter_async_context(_opened(blink, tmp_path, BlinkClock(), more))
        node.webhooks.url = f"{world.forwarder.url}/api/webhook"
        house = NodeWorld(world, node)
        yield house
        house.judge()
