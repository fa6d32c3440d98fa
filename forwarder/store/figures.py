"""Counts and sums over everything that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from forwarder.model.forward import OPEN, ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.store import totals
from forwarder.store.database import Transaction
from forwarder.store.invoices import pending
from forwarder.store.tables import UNSETTLED, forwards
from forwarder.store.totals import Total, Totals


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


async def read(tx: Transaction) -> Figures:
    """The figures of this moment. What they cost does not grow with history."""
    ended = await totals.read(tx)
    open_ones = await _unsettled(tx)
    waiting = {InvoiceState.PENDING: (await pending(tx)).count}
    return Figures(
        invoices={state: waiting.get(state, ended.counts[state]) for state in InvoiceState},
        forwards={state: open_ones.counts[state] + ended.counts[state] for state in ForwardState},
        received=ended.sats[Total.RECEIVED],
        forwarded=ended.sats[Total.FORWARDED] + ended.sats[Total.RESOLVED],
        held=open_ones.sats[ForwardState.HELD],
        outstanding=sum(open_ones.sats[state] for state in OPEN),
        oldest_outstanding=await _oldest(tx),
    )


async def _unsettled(tx: Transaction) -> Totals:
    columns = (
        forwards.c.state.label("total"),
        func.count().label("number"),
        func.sum(forwards.c.amount).label("sats"),
    )
    query = select(*columns).where(UNSETTLED).group_by(forwards.c.state)
    return Totals(await tx.execute(query))


async def _oldest(tx: Transaction) -> datetime | None:
    oldest = select(func.min(forwards.c.created_at)).where(UNSETTLED, forwards.c.state.in_(OPEN))
    moment: datetime | None = (await tx.execute(oldest)).scalar_one()
    return moment
