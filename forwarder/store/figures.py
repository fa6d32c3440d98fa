"""Counts and sums over everything that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from forwarder.model.forward import OPEN, ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.store.database import Transaction
from forwarder.store.tables import forwards, invoices, payments


@dataclass(frozen=True, slots=True)
class Figures:
    """How many invoices and forwards stand where, and how many satoshis that is.

    `received` is what came for invoices of ours; `outstanding` the part of it that is neither at
    its destination nor held.
    """

    invoices: dict[InvoiceState, int]
    forwards: dict[ForwardState, int]
    received: int
    forwarded: int
    held: int
    outstanding: int
    oldest_outstanding: datetime | None


async def ping(tx: Transaction) -> None:
    """Ask the database for a sign of life."""
    await tx.execute(select(1))


async def read(tx: Transaction) -> Figures:
    """The figures of this moment."""
    by_invoice = select(invoices.c.state, func.count()).group_by(invoices.c.state)
    made = {state: count for state, count in await tx.execute(by_invoice)}
    by_forward = select(forwards.c.state, func.count(), func.sum(forwards.c.amount))
    rows = {row[0]: row for row in await tx.execute(by_forward.group_by(forwards.c.state))}
    count = {state: rows[state][1] if state in rows else 0 for state in ForwardState}
    sats = {state: int(rows[state][2]) if state in rows else 0 for state in ForwardState}
    matched = payments.c.invoice_id.is_not(None)
    received = select(func.coalesce(func.sum(payments.c.received), 0)).where(matched)
    oldest = select(func.min(forwards.c.created_at)).where(forwards.c.state.in_(OPEN))
    return Figures(
        invoices={state: made.get(state, 0) for state in InvoiceState},
        forwards=count,
        received=int((await tx.execute(received)).scalar_one()),
        forwarded=sats[ForwardState.FORWARDED] + sats[ForwardState.RESOLVED],
        held=sats[ForwardState.HELD],
        outstanding=sum(sats[state] for state in OPEN),
        oldest_outstanding=(await tx.execute(oldest)).scalar_one(),
    )
