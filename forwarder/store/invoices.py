"""The customers' invoices, and their moves from state to state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from forwarder.model import message
from forwarder.model.actor import Actor
from forwarder.model.invoice import MOVES, Ending, Invoice, InvoiceState, Issued, Order
from forwarder.model.message import Message
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.store import journal, messages, rows, totals
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.journal import Step
from forwarder.store.tables import invoices
from forwarder.store.totals import Total

_PENDING = invoices.c.state == InvoiceState.PENDING


@dataclass(frozen=True, slots=True)
class Pending:
    """The invoices that are waited for; `oldest` by its source's clock, `next_expiry` by ours."""

    count: int
    oldest: datetime | None
    next_expiry: datetime | None


async def keep(
    tx: Transaction,
    merchant_id: int,
    order: Order,
    issued: Issued,
    now: datetime,
    wallet_id: WalletId,
    actor: Actor = Actor.POS,
) -> Invoice | None:
    """Keep a new invoice of a wallet as `pending`; None if the order already has one."""
    values: dict[str, object] = {
        "merchant_id": merchant_id,
        "external_id": order.external_id,
        "payment_hash": issued.payment_hash,
        "payment_request": issued.payment_request,
        "amount": order.amount,
        "description": order.description,
        "source": order.source,
        "wallet_id": wallet_id,
        "state": InvoiceState.PENDING,
        "outlived": order.ends_before_blink,
        "issued_at": issued.issued_at,
        "created_at": now,
        "expires_at": now + timedelta(seconds=order.expires_in_seconds),
    }
    if not await insert_new(tx, invoices, values):
        return None
    step = Step(now, "invoice kept", actor, {"amountSat": order.amount})
    await journal.write(tx, issued.payment_hash, step)
    return await by_hash(tx, issued.payment_hash)


async def find(tx: Transaction, merchant_id: int, external_id: str) -> Invoice | None:
    """A merchant's invoice of that name."""
    query = select(invoices).filter_by(merchant_id=merchant_id, external_id=external_id)
    return rows.read_first(Invoice, await tx.execute(query))


async def named(tx: Transaction, external_id: str) -> list[Invoice]:
    """Up to two invoices of that name, whoever's they are: two are already ambiguous."""
    query = select(invoices).where(invoices.c.external_id == external_id).limit(2)
    return rows.read_all(Invoice, await tx.execute(query))


async def by_id(tx: Transaction, invoice_id: int) -> Invoice | None:
    """The invoice of that id."""
    return rows.read_first(
        Invoice, await tx.execute(select(invoices).where(invoices.c.id == invoice_id))
    )


async def by_hash(tx: Transaction, payment_hash: PaymentHash) -> Invoice | None:
    """The invoice of that payment hash."""
    query = select(invoices).where(invoices.c.payment_hash == payment_hash)
    return rows.read_first(Invoice, await tx.execute(query))


async def newest(
    tx: Transaction, merchant_id: int, since: datetime | None, limit: int
) -> list[Invoice]:
    """A merchant's own invoices, newest first."""
    query = select(invoices).where(invoices.c.merchant_id == merchant_id)
    if since is not None:
        query = query.where(invoices.c.created_at >= since)
    newest_first = query.order_by(invoices.c.id.desc()).limit(limit)
    return rows.read_all(Invoice, await tx.execute(newest_first))


async def among(tx: Transaction, hashes: Collection[PaymentHash]) -> set[PaymentHash]:
    """Which of these payment hashes belong to invoices that are kept."""
    query = select(invoices.c.payment_hash).where(invoices.c.payment_hash.in_(hashes))
    return set((await tx.execute(query)).scalars())


def arriving_on(wallet_id: WalletId) -> ColumnElement[bool]:
    """Which invoices' money arrives on a wallet, as far as it was kept on which."""
    return or_(invoices.c.wallet_id.is_(None), invoices.c.wallet_id == wallet_id)


async def first_issued(tx: Transaction, source: Source, wallet_id: WalletId) -> datetime | None:
    """When the oldest invoice of a source's wallet was made, by its clock."""
    # What a lost database gets back may be older than what was kept first.
    query = select(func.min(invoices.c.issued_at)).where(
        invoices.c.source == source, arriving_on(wallet_id)
    )
    oldest: datetime | None = (await tx.execute(query)).scalar_one()
    return oldest


async def last_end_before(tx: Transaction, moment: datetime) -> datetime | None:
    """When the last of the invoices expires that were made before `moment`."""
    query = select(func.max(invoices.c.expires_at)).where(invoices.c.created_at < moment)
    last: datetime | None = (await tx.execute(query)).scalar_one()
    return last


async def pending(tx: Transaction, source: Source | None = None) -> Pending:
    """What is being waited for; the index holds pending ones alone, so history costs nothing."""
    count, oldest, next_expiry = (await tx.execute(_WAITED_FOR[source])).one()
    return Pending(count, oldest, next_expiry)


def _waited_for(source: Source | None) -> Select[Any, Any, Any]:
    whose = [] if source is None else [invoices.c.source == source]
    return select(
        func.count(), func.min(invoices.c.issued_at), func.min(invoices.c.expires_at)
    ).where(_PENDING, *whose)


_WAITED_FOR: Final = {source: _waited_for(source) for source in (None, *Source)}


async def due(tx: Transaction, now: datetime) -> list[Invoice]:
    """The pending invoices whose time is over."""
    query = select(invoices).where(_PENDING, invoices.c.expires_at <= now)
    return rows.read_all(Invoice, await tx.execute(query))


async def pay(tx: Transaction, invoice: Invoice, received: Sats, now: datetime) -> Message | None:
    """Move an invoice to `paid`, from wherever it stood, and keep the page's message.

    The step in the journal is that of the payment, which belongs to the same transaction.
    """
    if not await _move(tx, invoice, InvoiceState.PAID, paid_at=now):
        return None
    told = message.paid(invoice, received, now)
    await messages.add(tx, told)
    return told


async def end(
    tx: Transaction,
    invoice: Invoice,
    state: Ending,
    now: datetime,
    actor: Actor,
) -> Message | None:
    """Move a pending invoice to `expired` or `cancelled`; None if it is no longer pending."""
    if invoice.state is not InvoiceState.PENDING or not await _move(tx, invoice, state):
        return None
    await journal.write(tx, invoice.payment_hash, Step(now, f"invoice {state}", actor, {}))
    told = message.ended(invoice, state, now)
    await messages.add(tx, told)
    return told


async def complete(tx: Transaction, invoice: Invoice, received: Sats, now: datetime) -> Message:
    """Record that all forwards of an invoice's payment have arrived, and the page's message."""
    statement = update(invoices).where(invoices.c.id == invoice.id).values(forwarded_at=now)
    await tx.execute(statement)
    told = message.forwarded(invoice, received, now)
    await messages.add(tx, told)
    return told


async def _move(tx: Transaction, invoice: Invoice, to: InvoiceState, **values: datetime) -> bool:
    """Lock, look and set: false if somebody else has moved the invoice to where this is no move."""
    mine = invoices.c.id == invoice.id
    state = (await tx.execute(select(invoices.c.state).where(mine).with_for_update())).scalar_one()
    if to not in MOVES[state]:
        return False
    await tx.execute(update(invoices).where(mine).values(state=to, **values))
    if state is not InvoiceState.PENDING:
        await totals.add(tx, Total(state), -invoice.amount, number=-1)
    await totals.add(tx, Total(to), invoice.amount)
    return True
