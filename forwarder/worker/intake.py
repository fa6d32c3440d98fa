"""The one door for "this was paid", whoever says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.forward import Forward
from forwarder.model.invoice import Invoice
from forwarder.model.ledger import Entry, EntryStatus
from forwarder.model.message import Message
from forwarder.model.payment import Payment, Receipt, Witness, shares_of
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.store import forwards, interventions, invoices, locks, payments
from forwarder.store.database import Transaction
from forwarder.worker.common import Common
from forwarder.worker.moves import complete

log = structlog.get_logger(__name__)

Sends = Mapping[tuple[PaymentHash, int], Entry]
"""The SEND with which a source has paid a payment on already, by position."""

NO_SENDS: Final[Sends] = {}


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt that is kept now, the invoice that it belongs to, and what its page is told."""

    receipt: Receipt
    invoice: Invoice | None
    messages: Sequence[Message]


class Intake:
    """Keeps receipts: each one once, in one transaction with everything that follows from it."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._keyring = common.keyring
        self._notifier = common.notifier
        self._clock = common.clock
        self._bells = common.bells
        self._metrics = common.metrics

    async def take(
        self,
        receipts: Sequence[Receipt],
        source: Source,
        witness: Witness,
        sends: Sends = NO_SENDS,
    ) -> None:
        """Keep the receipts that are new, and tell the pages of those that belong to an invoice.

        `source` has the money: what a webhook says is asked for there first. `sends` are what a
        later state of our database has paid on of these payments.
        """
        fresh = await self._unknown(receipts)
        self._metrics.duplicates.labels(source, witness).inc(len(receipts) - len(fresh))
        if not fresh:
            return
        async with self._database.transaction() as tx:
            # In one order, or two processes could wait for each other.
            in_order = sorted(fresh, key=lambda receipt: receipt.payment_hash)
            kept = [await self._record(tx, one, source, witness, sends) for one in in_order]
        new = [one for one in kept if one is not None]
        for one in new:
            self._note(one, source, witness)
        await self.announce(message for one in new for message in one.messages)

    async def match(
        self, tx: Transaction, invoice: Invoice, sends: Sends = NO_SENDS
    ) -> Sequence[Message]:
        """Tie a payment that came before its invoice was kept to it.

        A customer can pay, and Blink can say so, before the call that made the invoice is answered.
        """
        payment = await payments.find(tx, invoice.payment_hash)
        if payment is None or not await payments.match(tx, payment, invoice.id, self._clock()):
            return []
        return await self._settle(tx, invoice, payment, sends)

    async def announce(self, messages: Iterable[Message]) -> None:
        """Tell the pages first, and wake the payout only then: `paid` waits for no forwarding."""
        await failpoint("intake.kept")
        try:
            await self._notifier.deliver(messages)
            await failpoint("intake.told")
        finally:
            self._bells.payout.ring()
            self._bells.watcher.ring()

    async def _unknown(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Those that are not kept yet: most of what a catch-up reads is, and needs no writing."""
        async with self._database.reading() as tx:
            known = await payments.among(tx, [receipt.payment_hash for receipt in receipts])
        return [receipt for receipt in receipts if receipt.payment_hash not in known]

    async def _record(
        self, tx: Transaction, receipt: Receipt, source: Source, witness: Witness, sends: Sends
    ) -> Kept | None:
        """Keep one receipt; None if it is known, or not a payment."""
        await locks.hold(tx, receipt.payment_hash)
        if await forwards.is_payout(tx, receipt.payment_hash):
            log.warning("a refund of a payout was seen", payment_hash=receipt.payment_hash)
            return None
        invoice = await invoices.by_hash(tx, receipt.payment_hash)
        invoice_id = None if invoice is None else invoice.id
        if not await payments.add(tx, receipt, invoice_id, source, witness, self._clock()):
            return None
        payment = await payments.find(tx, receipt.payment_hash)
        if invoice is None or payment is None:
            return Kept(receipt, None, [])
        return Kept(receipt, invoice, await self._settle(tx, invoice, payment, sends))

    def _note(self, kept: Kept, source: Source, witness: Witness) -> None:
        if kept.invoice is not None:  # what others receive on the account says nothing of us
            self._metrics.received_payment(kept.receipt, source, witness)
        log.info(
            "a payment was received",
            payment_hash=kept.receipt.payment_hash,
            external_id=None if kept.invoice is None else kept.invoice.external_id,
            sats=kept.receipt.amount,
            source=source.value,
            witness=witness.value,
        )

    async def _settle(
        self, tx: Transaction, invoice: Invoice, payment: Payment, sends: Sends
    ) -> Sequence[Message]:
        now = self._clock()
        for share in shares_of(payment.received, invoice.merchant_id):
            name = self._keyring.forward_name(payment.payment_hash, share.position, attempt=1)
            await forwards.add(tx, payment, share, name, now)
        paid = await invoices.pay(tx, invoice, payment.received, now)
        told = [] if paid is None else [paid]
        for forward in await forwards.of_payment(tx, payment.payment_hash) if sends else []:
            if sent := sends.get((forward.payment_hash, forward.position)):
                told += await _adopt(tx, forward, sent, now)
        return told


async def _adopt(tx: Transaction, forward: Forward, sent: Entry, now: datetime) -> list[Message]:
    """Keep what a later state of our database has paid on, before anybody can pay it again.

    Blink would refuse a second payout invoice of that name, but only on the account that made the
    first one, and a merchant may have another one now.
    """
    if sent.status is EntryStatus.SUCCESS:
        await interventions.settle(tx, forward, sent, now)
        return await complete(tx, forward, now)
    await interventions.doubt(tx, forward, sent, now)
    return []
