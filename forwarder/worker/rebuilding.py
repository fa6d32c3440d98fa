"""Keeps invoices again that our database has lost, from what their source still knows of them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from forwarder.failpoints import failpoint
from forwarder.model import bolt11
from forwarder.model.actor import Actor
from forwarder.model.bolt11 import Bolt11Error
from forwarder.model.invoice import Issued, Order
from forwarder.model.ledger import Entry
from forwarder.model.merchant import Merchant
from forwarder.model.message import Message
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats
from forwarder.store import invoices, locks
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake, Sends
from forwarder.worker.wallet import Wallet

log = structlog.get_logger(__name__)


class Rebuilding:
    """Makes a sale of a receipt whose invoice is not kept."""

    def __init__(self, common: Common, wallet: Wallet, intake: Intake) -> None:
        self._database = common.database
        self._clock = common.clock
        self._intake = intake
        self._wallet = wallet

    async def rebuild(
        self, entry: Entry, payment_hash: PaymentHash, merchant: Merchant, sends: Sends
    ) -> bool:
        """Keep the invoice under its name at its source, for the till's own is not known there.

        What is kept of its payment is then forwarded; `sends` are as in `Intake.take`. False if the
        invoice makes no sense. Raises `CallError`.
        """
        try:
            issued = await self._wallet.invoice_of(payment_hash)
            order = _order(entry, issued, self._wallet.source)
        except Bolt11Error as exc:
            log.error("a lost invoice cannot be read", payment_hash=payment_hash, reason=str(exc))
            return False
        log.warning("a lost invoice is kept again", payment_hash=issued.payment_hash)
        told = await self._keep(merchant, order, issued, sends)
        await failpoint("rebuilding.kept")
        await self._intake.announce(told)
        return True

    async def _keep(
        self, merchant: Merchant, order: Order, issued: Issued, sends: Sends
    ) -> Sequence[Message]:
        now = self._clock()
        async with self._database.transaction() as tx:
            await locks.hold(tx, issued.payment_hash)
            kept = await invoices.keep(
                tx, merchant.id, order, issued, now, self._wallet.id, Actor.RECONCILIATION
            )
            # Its till may have kept it meanwhile.
            invoice = kept or await invoices.by_hash(tx, issued.payment_hash)
            return [] if invoice is None else await self._intake.match(tx, invoice, sends)


def _order(entry: Entry, issued: Issued, source: Source) -> Order:
    """What the till may have asked for. Raises `Bolt11Error`."""
    decoded = bolt11.decode(issued.payment_request)
    amount = Sats((decoded.amount_msat or entry.amount * 1000) // 1000)
    # It is paid already: how long it may be waited for decides nothing.
    return Order(
        external_id=str(entry.external_id),
        amount=amount,
        description=decoded.description or "",
        expires_in_seconds=1,
        source=source,
    )
