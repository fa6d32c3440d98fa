"""The payments: one row for each receipt that was ever seen."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update

from forwarder.model.actor import Actor
from forwarder.model.payment import Payment, Receipt, Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.store import journal, rows, totals
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.journal import Step
from forwarder.store.tables import payments
from forwarder.store.totals import Total


async def add(
    tx: Transaction,
    receipt: Receipt,
    invoice_id: int | None,
    source: Source,
    witness: Witness,
    now: datetime,
) -> bool:
    """Keep a receipt; false if it is known, by its payment hash or by its transaction id."""
    values = {
        "payment_hash": receipt.payment_hash,
        "transaction_id": receipt.transaction_id,
        "received": receipt.amount,
        "invoice_id": invoice_id,
        "source": source,
        "witness": witness,
        "seen_at": now,
    }
    if not await insert_new(tx, payments, values):
        return False
    name = "payment received" if invoice_id is not None else "payment received, unmatched"
    detail = {"amountSat": receipt.amount, "transactionId": receipt.transaction_id}
    if invoice_id is not None:
        await totals.add(tx, Total.RECEIVED, receipt.amount)
    await journal.write(tx, receipt.payment_hash, Step(now, name, Actor(witness), detail))
    return True


async def match(tx: Transaction, payment: Payment, invoice_id: int, now: datetime) -> bool:
    """Tie an unmatched payment to its invoice; false if it was tied already."""
    statement = (
        update(payments)
        .where(payments.c.payment_hash == payment.payment_hash, payments.c.invoice_id.is_(None))
        .values(invoice_id=invoice_id)
    )
    if (await tx.execute(statement)).rowcount != 1:
        return False
    await totals.add(tx, Total.RECEIVED, payment.received)
    await journal.write(tx, payment.payment_hash, Step(now, "payment matched", Actor.INTAKE, {}))
    return True


async def find(tx: Transaction, payment_hash: PaymentHash) -> Payment | None:
    """The payment of that hash."""
    query = select(payments).where(payments.c.payment_hash == payment_hash)
    return rows.read_first(Payment, await tx.execute(query))


async def among(tx: Transaction, hashes: Collection[PaymentHash]) -> dict[PaymentHash, Payment]:
    """The payments of these hashes that are kept."""
    query = select(payments).where(payments.c.payment_hash.in_(hashes))
    return {one.payment_hash: one for one in rows.read_all(Payment, await tx.execute(query))}
