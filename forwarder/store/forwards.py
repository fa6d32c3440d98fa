"""The forwards: queued, and found again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, exists, or_, select

from forwarder.model.actor import Actor
from forwarder.model.forward import FINAL, Forward, ForwardState, PayoutInvoice
from forwarder.model.payment import Payment, Share
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId
from forwarder.store import journal, rows
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.journal import Step
from forwarder.store.tables import UNSETTLED, forwards

MOST_ATTEMPTS: Final = 99  # a person may have replayed a forward again and again


async def add(
    tx: Transaction,
    payment: Payment,
    share: Share,
    external_id: str,
    now: datetime,
) -> None:
    """Queue a forward, due at once. It is as old as its payment."""
    values = {
        "payment_hash": payment.payment_hash,
        "position": share.position,
        "merchant_id": share.merchant_id,
        "amount": share.amount,
        "source": payment.source,
        "state": ForwardState.QUEUED,
        "attempt": 1,
        "external_id": external_id,
        "tries": 0,
        "due_at": now,
        "created_at": payment.seen_at,
    }
    if await insert_new(tx, forwards, values):
        detail = {"position": share.position, "amountSat": share.amount}
        step = Step(now, "forward queued", Actor.INTAKE, detail)
        await journal.write(tx, payment.payment_hash, step)


async def all_held(tx: Transaction) -> list[Forward]:
    """Everything that is held, oldest first."""
    query = select(forwards).where(UNSETTLED, forwards.c.state == ForwardState.HELD)
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.id))]


async def unsettled_or_since(tx: Transaction, moment: datetime) -> list[Forward]:
    """What is not at its end, and whatever was queued from `moment` on."""
    query = select(forwards).where(or_(UNSETTLED, forwards.c.created_at >= moment))
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.id))]


async def sent_between(
    tx: Transaction, source: Source, wallet_id: WalletId, start: datetime, end: datetime
) -> list[Forward]:
    """What was paid from a wallet, and has ended in this time, oldest first."""
    query = select(forwards).where(
        forwards.c.ended_at.is_not(None),
        forwards.c.ended_at >= start,
        forwards.c.ended_at < end,
        forwards.c.state == ForwardState.FORWARDED,
        forwards.c.source == source,
        forwards.c.sent_from == wallet_id,
    )
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.ended_at))]


async def paying(tx: Transaction, hashes: Collection[PaymentHash]) -> dict[PaymentHash, Forward]:
    """The forwards whose payout invoices have these payment hashes."""
    query = select(forwards).where(forwards.c.payout_hash.in_(hashes))
    return {row.payout_hash: read(row) for row in await tx.execute(query)}


async def named(tx: Transaction, names: Collection[str]) -> dict[str, Forward]:
    """The forwards whose payout invoices have these names at Blink."""
    query = select(forwards).where(forwards.c.external_id.in_(names))
    return {row.external_id: read(row) for row in await tx.execute(query)}


async def of_stem(tx: Transaction, stem: str) -> Forward | None:
    """The forward whose payout invoices' names begin so, whichever attempt it is at."""
    names = [f"{stem}{attempt}" for attempt in range(1, MOST_ATTEMPTS + 1)]
    query = select(forwards).where(forwards.c.external_id.in_(names)).limit(1)
    row = (await tx.execute(query)).first()
    return None if row is None else read(row)


async def is_payout(tx: Transaction, payment_hash: PaymentHash) -> bool:
    """Whether this is the hash of a payout invoice of ours: its receipt is a refund, no income."""
    found = exists().where(forwards.c.payout_hash == payment_hash)
    return (await tx.execute(select(found))).scalar_one()


async def of_payment(tx: Transaction, payment_hash: PaymentHash) -> list[Forward]:
    """The forwards of a payment, by position."""
    query = select(forwards).where(forwards.c.payment_hash == payment_hash)
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.position))]


async def all_settled(tx: Transaction, payment: Payment) -> bool:
    """Whether every forward of a payment is at its end."""
    open_one = exists().where(
        forwards.c.payment_hash == payment.payment_hash, forwards.c.state.not_in(FINAL)
    )
    return not (await tx.execute(select(open_one))).scalar_one()


def read(row: Row[Any]) -> Forward:
    """A forward from its row."""
    return rows.read(Forward, row, payout=_payout(row))


def _payout(row: Row[Any]) -> PayoutInvoice | None:
    if row.payout_hash is None or row.payout_request is None:
        return None
    return PayoutInvoice(row.payout_request, row.payout_hash, row.payout_expires_at)
