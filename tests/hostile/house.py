"""The service, wired in this process, against an impostor; and the judge, who knows the books."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from pydantic import SecretStr

from forwarder.model import creations
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, Order
from forwarder.model.merchant import Merchant
from forwarder.model.units import Sats
from forwarder.sandbox import Sandbox, bolt11
from forwarder.sandbox.accounts import Account
from forwarder.settings import Settings
from forwarder.store import forwards
from forwarder.store.database import Database
from forwarder.worker.service import Service
from tests.hostile.impostor import Asked, Impostor, serving

FLOAT: Final = 1_000_000
POS_TOKEN: Final = "canary-pos-token-8888"
SECRET_KEY: Final = "canary-secret-key-9999"
CREATE: Final = "lnInvoiceCreate"
PAY: Final = "lnInvoicePaymentSend"
LOG_LINE: Final = 4_000  # characters of one line that a person can still read

# What must never be said: a task that ended, or work that was dropped, is nobody's any more.
ALARMS: Final = (
    "a task has died and is started again",
    "a forward could not be worked on",
    "a forward was paid twice",
)


@dataclass
class House:
    """Everything that a sale takes, in one process."""

    blink: Sandbox
    impostor: Impostor
    service: Service
    database: Database
    till: Merchant
    pos: Account
    merchant: Account
    secrets: tuple[str, ...]
    log: list[Any]
    sold: dict[int, Invoice] = field(default_factory=dict)

    async def sell(self, sats: int) -> Invoice:
        """Sell something of a price that nothing else has, so that its calls can be told apart."""
        order = Order(f"sale-{sats}", Sats(sats), "a thing", 900)
        self.sold[sats] = await self.service.sales.create(self.till, order)
        return self.sold[sats]

    async def sell_and_pay(self, prices: Iterable[int]) -> None:
        """Sell things, and have them paid."""
        for sats in prices:
            await self.blink.pay((await self.sell(sats)).payment_request)

    async def forward(self, sats: int) -> Forward | None:
        """How the forward of a sale stands."""
        async with self.database.reading() as tx:
            found = await forwards.of_payment(tx, self.sold[sats].payment_hash)
        return found[0] if found else None

    async def until(self, state: ForwardState, prices: Iterable[int], seconds: float) -> set[int]:
        """Wait until these sales have reached a state; returns those that have not."""
        waiting = set(prices)
        deadline = asyncio.get_running_loop().time() + seconds
        while waiting and asyncio.get_running_loop().time() < deadline:
            for sats in sorted(waiting):
                forward = await self.forward(sats)
                if forward is not None and forward.state is state:
                    waiting.discard(sats)
            await asyncio.sleep(0.05)
        return waiting

    def judge(self) -> None:
        """What must hold whatever was said."""
        self.blink.verify()
        self._judge_what_was_paid()
        sends = self.blink.sends(self.pos.btc_wallet_id)
        stems = Counter(str(send.external_id).rpartition("-")[0] for send in sends)
        assert max(stems.values(), default=0) <= 1, "a sale was forwarded twice"
        received = sum(entry.amount for entry in self.blink.receipts(self.pos.btc_wallet_id))
        assert -sum(send.amount for send in sends) <= received, "more was sent than received"
        self._judge_the_log()
        assert not self.service._supervisor.down, "a task is down"

    def _judge_what_was_paid(self) -> None:
        """Only invoices that ask for a sale's own amount, on Blink's network, and Blink's own."""
        made = {i.payment_request for i in self.blink.invoices(self.merchant.btc_wallet_id)}
        for asked in self.impostor.asked:
            if asked.operation == PAY:
                request = str(asked.input["paymentRequest"])
                terms = bolt11.decode(request).terms
                assert terms.sats in self.sold, "an invoice of another amount was paid"
                assert terms.network == "regtest", "an invoice of another network was paid"
                assert request in made, "an invoice was paid that Blink never made"

    def _judge_the_log(self) -> None:
        for line in self.log:
            shown = str(line)
            assert line["event"] not in ALARMS, shown[:LOG_LINE]
            assert not [secret for secret in self.secrets if secret in shown], shown[:LOG_LINE]

    @property
    def longest_line(self) -> int:
        """How long the longest line of the log is."""
        return max((len(str(line)) for line in self.log), default=0)


@asynccontextmanager
async def opened(folder: Path, ws_url: str | None = None) -> AsyncIterator[House]:
    """A service at work. Afterwards the books are judged."""
    async with AsyncExitStack() as stack:
        log = stack.enter_context(structlog.testing.capture_logs())
        blink = await stack.enter_async_context(Sandbox.serve())
        # A limit that other suites test, at both of its ends.
        blink.bank.invoices.own_limit.points = 100_000
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(creations, "LIMIT", 100_000)
        impostor = Impostor(blink)
        origin = await stack.enter_async_context(serving(impostor.graphql))
        pos, merchant = blink.open_account("blinkpos", sats=FLOAT), blink.open_account("merchant")
        keys = blink.create_key(pos), blink.create_key(merchant)
        settings = Settings(
            blink_api_url=f"http://{origin}/graphql",
            blink_ws_url=ws_url or blink.ws_url,
            blinkpos_api_key=SecretStr(keys[0]),
            merchant_api_key=SecretStr(keys[1]),
            pos_token=SecretStr(POS_TOKEN),
            forwarder_secret_key=SecretStr(SECRET_KEY),
            database_url=f"sqlite+aiosqlite:///{folder}/forwarder.db",
            retry_max_seconds=1,
        )
        service = await stack.enter_async_context(Service.open(settings))
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        till = await service.sales.merchant_of(POS_TOKEN)
        assert till is not None
        secrets = (*keys, POS_TOKEN, SECRET_KEY)
        house = House(blink, impostor, service, database, till, pos, merchant, secrets, log)
        yield house
        house.judge()


def price_of(asked: Asked) -> int | None:
    """Which sale's payout a call is about, by its amount."""
    if asked.operation == CREATE and str(asked.input.get("externalId")).startswith("fwd-"):
        return int(asked.input["amount"])
    if asked.operation == PAY:
        return bolt11.decode(str(asked.input["paymentRequest"])).terms.sats
    return None
