"""Small fakes of the worker, for the web side to stand on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from forwarder.model.forward import ForwardState
from forwarder.model.invoice import Invoice, InvoiceState, Order
from forwarder.model.keyring import Keyring
from forwarder.model.merchant import Merchant
from forwarder.model.message import Message
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats
from forwarder.store.figures import Figures
from forwarder.store.orders import OrderConflict
from forwarder.store.overview import Day, Sum
from forwarder.web.tokens import PageTokens
from forwarder.worker.books import Overview
from forwarder.worker.credentials import Standing
from forwarder.worker.live import Live
from forwarder.worker.metrics import Metrics
from forwarder.worker.notifier import Notifier
from forwarder.worker.sales import AlreadyPaid
from forwarder.worker.watcher import State, Watch

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ALICE = Merchant(1, "alice", None, enabled=True)
BOB = Merchant(2, "bob", None, enabled=True)
TOKENS = {"alice-token": ALICE, "bob-token": BOB}
AS_ALICE = {"Authorization": "Bearer alice-token"}
AS_BOB = {"Authorization": "Bearer bob-token"}
OPERATOR_TOKEN = "operator-token"
AS_OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class FakeSales:
    """The tills' side of the worker, in memory.

    `failure` is raised while it is set. Reading messages sets `reading` and waits for `may_read`,
    before or after it has looked.
    """

    invoices: list[Invoice] = field(default_factory=list)
    orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    told: defaultdict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    failure: Exception | None = None
    tokens_asked: list[str] = field(default_factory=list)
    sinces: list[datetime | None] = field(default_factory=list)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    may_read: asyncio.Event = field(default_factory=_set_event)
    looks_first: bool = False

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def merchant_of(self, token: str) -> Merchant | None:
        self.tokens_asked.append(token)
        return TOKENS.get(token)

    async def create(self, merchant: Merchant, order: Order) -> Invoice:
        self._fail()
        known = await self.find(merchant, order.external_id)
        if known is None:
            return self.add(merchant, order)
        if self.orders[merchant.id, order.external_id] != order:
            raise OrderConflict
        return known

    async def cancel(self, invoice: Invoice) -> Invoice:
        self._fail()
        if invoice.state is InvoiceState.PAID:
            raise AlreadyPaid
        return self.change(invoice, state=InvoiceState.CANCELLED)

    async def find(self, merchant: Merchant, external_id: str) -> Invoice | None:
        self._fail()
        named = await self.named(external_id)
        return next((one for one in named if one.merchant_id == merchant.id), None)

    async def newest(self, merchant: Merchant, since: datetime | None, limit: int) -> list[Invoice]:
        self._fail()
        self.sinces.append(since)
        own = [one for one in self.invoices if one.merchant_id == merchant.id]
        return [one for one in own[::-1] if since is None or one.created_at >= since][:limit]

    async def by_id(self, invoice_id: int) -> Invoice | None:
        return next((one for one in self.invoices if one.id == invoice_id), None)

    async def named(self, external_id: str) -> list[Invoice]:
        return [one for one in self.invoices if one.external_id == external_id]

    async def messages(self, invoice_id: int) -> list[Message]:
        self._fail()
        seen = list(self.told[invoice_id])
        self.reading.set()
        await self.may_read.wait()
        return seen if self.looks_first else list(self.told[invoice_id])

    def add(self, merchant: Merchant, order: Order) -> Invoice:
        number = len(self.invoices) + 1
        invoice = Invoice(
            id=number,
            merchant_id=merchant.id,
            external_id=order.external_id,
            payment_hash=PaymentHash(f"{number:064x}"),
            payment_request=f"lnbc{number}n1qqqsyq",
            amount=order.amount,
            description=order.description,
            source=order.source,
            state=InvoiceState.PENDING,
            outlived=False,
            issued_at=NOW,
            created_at=NOW + timedelta(seconds=number),
            expires_at=NOW + timedelta(seconds=order.expires_in_seconds),
            paid_at=None,
            forwarded_at=None,
        )
        self.invoices.append(invoice)
        self.orders[merchant.id, order.external_id] = order
        return invoice

    def change(self, invoice: Invoice, **parts: Any) -> Invoice:  # noqa: ANN401 - any field
        changed = replace(invoice, **parts)
        self.invoices[self.invoices.index(invoice)] = changed
        return changed


class FakeBooks:
    """The operator's view of a service without a past."""

    async def overview(self, zone: ZoneInfo) -> Overview:
        nothing = Sum(0, 0)
        return Overview(
            now=NOW,
            figures=Figures({InvoiceState.PENDING: 0}, {ForwardState.QUEUED: 0}, 0, 0, 0, 0, None),
            refunded=0,
            sources={},
            unmatched=nothing,
            zone=zone,
            day_begun=NOW,
            day=Day(nothing, nothing, nothing),
            last_run=None,
            findings=0,
            drift_sats=0,
        )


@dataclass
class FakeService:
    """What the web side uses of the service."""

    sales: FakeSales = field(default_factory=FakeSales)
    books: FakeBooks = field(default_factory=FakeBooks)
    notifier: Notifier = field(default_factory=Notifier)
    keyring: Keyring = field(default_factory=lambda: Keyring((SecretStr("k" * 32),)))
    metrics: Metrics = field(default_factory=Metrics)
    lack: str | None = None
    sources: tuple[Source, ...] = (Source.BLINK,)
    now: datetime = NOW
    settings: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            operator_token=SecretStr(OPERATOR_TOKEN),
            invoice_expiry_seconds=900,
            ws_require_token=True,
            allowed_origins=(),
            trusted_proxies=(),
        )
    )

    def clock(self) -> datetime:
        return self.now

    async def lacks(self) -> str | None:
        return self.lack

    async def live(self) -> Live:
        return Live(Watch(State.CLOSED, NOW), Standing("not now", NOW), 10, 59)

    async def exposition(self, pages: int) -> bytes:
        return f"forwarder_pages_connected {pages}.0\n".encode()

    def sale(self, external_id: str = "sale-1", merchant: Merchant = ALICE) -> Invoice:
        return self.sales.add(merchant, Order(external_id, Sats(21), "", 900))

    async def happen(self, message: Message) -> None:
        """Keep a message and tell the pages, as the worker does."""
        self.sales.told[message.invoice_id].append(message)
        await self.notifier.deliver([message])

    def token(self, invoice: Invoice) -> str:
        return PageTokens(self.keyring).issue(invoice, self.now)
