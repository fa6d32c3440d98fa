"""What a till can do: make an invoice, look at it, cancel it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog

from forwarder.failpoints import failpoint
from forwarder.model import bolt11
from forwarder.model.actor import Actor
from forwarder.model.errors import Unknown
from forwarder.model.invoice import Invoice, InvoiceState, Issued, Order
from forwarder.model.merchant import Merchant
from forwarder.model.message import Message
from forwarder.model.source import Source
from forwarder.store import invoices, locks, merchants, messages, orders
from forwarder.worker import creations
from forwarder.worker.catch_up import WITNESS
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake
from forwarder.worker.wallet import Wallet
from forwarder.worker.watcher import Watcher

log = structlog.get_logger(__name__)


class SaleError(Exception):
    """A till asked for what cannot be done."""


class AlreadyPaid(SaleError):
    """The invoice was paid and can no longer be cancelled."""


class Sales:
    """The tills' side of the worker."""

    def __init__(self, common: Common, intake: Intake, watcher: Watcher) -> None:
        self._database = common.database
        self._wallets = common.wallets
        self._keyring = common.keyring
        self._intake = intake
        self._watcher = watcher
        self._notifier = common.notifier
        self._clock = common.clock
        self._bells = common.bells
        self._metrics = common.metrics

    async def merchant_of(self, token: str) -> Merchant | None:
        """The enabled merchant that this POS token belongs to."""
        async with self._database.reading() as tx:
            return await merchants.by_token(tx, token)

    async def create(self, merchant: Merchant, order: Order) -> Invoice:
        """Make the invoice of an order, or find the one that was made for it before.

        Raises `OrderConflict` if the externalId stands for another order, and `CallError`: then
        nothing is owed, and the same order can be given again.
        """
        await failpoint("sales.asked")
        async with self._database.transaction() as tx:
            known = await invoices.find(tx, merchant.id, order.external_id)
            if known is not None:
                await orders.check(tx, merchant.id, order)
                return known
            attempt = await orders.begin(tx, merchant.id, order, self._clock())
            if order.source is Source.BLINK:
                await creations.take(tx, self._clock)
        await failpoint("sales.intended")
        with self._watching(order.source):
            wallet = await self._wallets.of(order.source)
            issued = await self._issue(wallet, merchant, order, attempt)
            await failpoint("sales.answered")
            return await self._keep(wallet, merchant, order, issued)

    async def left(self) -> int:
        """How many invoices may be made on BlinkPOS now."""
        async with self._database.reading() as tx:
            return await creations.left(tx, self._clock())

    async def _issue(
        self, wallet: Wallet, merchant: Merchant, order: Order, attempt: int
    ) -> Issued:
        name = self._keyring.sale_name(merchant.name, order.external_id, attempt)
        issued = await wallet.create_invoice(order, name)
        try:
            _compare(issued, order)
        except ValueError as exc:
            raise wallet.unknown(f"its invoice is not what was asked for: {exc}") from exc
        return issued

    @contextmanager
    def _watching(self, source: Source) -> Iterator[None]:
        """Have the source watched as soon as its invoice may be paid."""
        if source is Source.BLINK:
            with self._watcher.expecting():
                yield
        else:
            yield
            self._bells.poll.ring()

    async def _keep(
        self, wallet: Wallet, merchant: Merchant, order: Order, issued: Issued
    ) -> Invoice:
        async with self._database.transaction() as tx:
            # Its payment may be taken in by another process at this very moment.
            await locks.hold(tx, issued.payment_hash)
            now = self._clock()
            kept = await invoices.keep(tx, merchant.id, order, issued, now, wallet.id)
            # Somebody else was faster with the same order: nobody will ever see our invoice.
            invoice = kept or await invoices.find(tx, merchant.id, order.external_id)
            if invoice is None:
                raise Unknown("the invoice that was made is kept for another order")
            told = await self._intake.match(tx, invoice) if kept else []
        await failpoint("sales.kept")
        self._metrics.invoices_made.inc()
        log.info(
            "an invoice was made",
            payment_hash=invoice.payment_hash,
            external_id=invoice.external_id,
            merchant=merchant.name,
            sats=invoice.amount,
        )
        self._bells.expiry.ring()
        if told:
            await self._intake.announce(told)
        return invoice

    async def cancel(self, invoice: Invoice) -> Invoice:
        """Cancel an invoice at its source and here; one that has ended already stays as it is.

        A node cancels nothing, so there it ends here alone. Raises `AlreadyPaid`, and `CallError`:
        then the invoice is still pending.
        """
        if invoice.state is InvoiceState.PENDING:
            await self._cancel_at_source(invoice)
            await failpoint("sales.cancelled")
            async with self._database.transaction() as tx:
                now = self._clock()
                told = await invoices.end(tx, invoice, InvoiceState.CANCELLED, now, Actor.POS)
            self._bells.watcher.ring()
            log.info(
                "an invoice was cancelled",
                payment_hash=invoice.payment_hash,
                external_id=invoice.external_id,
            )
            await self._notifier.deliver([told] if told else [])
        ended = await self.by_id(invoice.id)
        if ended is None or ended.state is InvoiceState.PAID:
            raise AlreadyPaid
        return ended

    async def _cancel_at_source(self, invoice: Invoice) -> None:
        wallet = await self._wallets.of(invoice.source)
        if await wallet.cancel_invoice(invoice.payment_hash):
            return
        # Paid, expired or cancelled there already: the entries tell which, and soon again, for a
        # payment that Blink holds but has not booked looks the same.
        self._bells.reconcilers[invoice.source].ring()
        receipt = await wallet.receipt_of(invoice.payment_hash)
        if receipt is not None:
            await self._intake.take([receipt], invoice.source, WITNESS[invoice.source])

    async def find(self, merchant: Merchant, external_id: str) -> Invoice | None:
        """A merchant's invoice of that name."""
        async with self._database.reading() as tx:
            return await invoices.find(tx, merchant.id, external_id)

    async def newest(self, merchant: Merchant, since: datetime | None, limit: int) -> list[Invoice]:
        """A merchant's invoices, newest first."""
        async with self._database.reading() as tx:
            return await invoices.newest(tx, merchant.id, since, limit)

    async def by_id(self, invoice_id: int) -> Invoice | None:
        """The invoice of that id."""
        async with self._database.reading() as tx:
            return await invoices.by_id(tx, invoice_id)

    async def named(self, external_id: str) -> list[Invoice]:
        """Up to two invoices of that name, whoever's they are."""
        async with self._database.reading() as tx:
            return await invoices.named(tx, external_id)

    async def messages(self, invoice_id: int) -> list[Message]:
        """Everything that was told about an invoice, oldest first."""
        async with self._database.reading() as tx:
            return await messages.of_invoice(tx, invoice_id)


def _compare(issued: Issued, order: Order) -> None:
    """What is shown to a customer has to be what the till asked for. Raises `ValueError`."""
    decoded = bolt11.decode(issued.payment_request)
    if decoded.payment_hash != issued.payment_hash:
        raise ValueError("it has another payment hash")
    if decoded.amount_msat != order.amount * 1000:
        raise ValueError("it asks for another amount")
