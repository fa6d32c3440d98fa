"""A local Blink, the real process, a till, and the judge: Blink's own ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from tests.e2e.process import Forwarder, Till

FLOAT = 1_000_000
POS_TOKEN = "canary-pos-token-4242"
OPERATOR_TOKEN = "canary-operator-token-4343"
SECRET_KEY = "canary-secret-key-4444-0123456789abcdef"


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
    async with Sandbox.serve(clock=clock) as blink:
        pos, merchant = blink.open_account("blinkpos", sats=FLOAT), blink.open_account("merchant")
        friend = blink.open_account("friend", sats=FLOAT)
        keys = blink.create_key(pos), blink.create_key(merchant)
        forwarder = Forwarder(_environment(blink, *keys, tmp_path), tmp_path)
        async with aiohttp.ClientSession(forwarder.url) as session:
            secrets = (*keys, POS_TOKEN, OPERATOR_TOKEN, SECRET_KEY)
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
