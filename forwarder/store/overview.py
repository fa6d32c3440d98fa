"""Sums for an operator's first look, beside those of everything that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, TextClause, func, not_, select

from forwarder.model.forward import ForwardState
from forwarder.model.source import Source
from forwarder.store.database import Transaction
from forwarder.store.tables import UNSETTLED, forwards, payments


@dataclass(frozen=True, slots=True)
class Sum:
    """So many, and so many satoshis together."""

    count: int
    sats: int


@dataclass(frozen=True, slots=True)
class Day:
    """What came and what arrived since a day has begun; `held` came since then, and is held now."""

    received: Sum
    forwarded: Sum
    held: Sum


async def day(tx: Transaction, begun: datetime) -> Day:
    """The sums since a moment."""
    matched = payments.c.invoice_id.is_not(None)
    held = forwards.c.state == ForwardState.HELD
    return Day(
        received=await _sum(tx, payments.c.received, matched, payments.c.seen_at >= begun),
        forwarded=await _sum(tx, forwards.c.amount, forwards.c.ended_at >= begun),
        held=await _sum(tx, forwards.c.amount, held, forwards.c.created_at >= begun),
    )


@dataclass(frozen=True, slots=True)
class OfSource:
    """What one source has received and paid on since a day has begun, and still has to pay on."""

    received: Sum
    forwarded: Sum
    held: Sum
    outstanding: Sum


async def of_source(tx: Transaction, source: Source, begun: datetime) -> OfSource:
    """The sums of one source since a moment."""
    came = payments.c.source == source, payments.c.invoice_id.is_not(None)
    went = forwards.c.source == source
    held = forwards.c.state == ForwardState.HELD
    return OfSource(
        received=await _sum(tx, payments.c.received, *came, payments.c.seen_at >= begun),
        forwarded=await _sum(tx, forwards.c.amount, went, forwards.c.ended_at >= begun),
        held=await _sum(tx, forwards.c.amount, went, UNSETTLED, held),
        outstanding=await _sum(tx, forwards.c.amount, went, UNSETTLED, not_(held)),
    )


async def unmatched(tx: Transaction) -> Sum:
    """The money that came for no invoice of ours."""
    return await _sum(tx, payments.c.received, payments.c.invoice_id.is_(None))


async def _sum(
    tx: Transaction, sats: Column[Any], *conditions: ColumnElement[bool] | TextClause
) -> Sum:
    query = select(func.count(), func.coalesce(func.sum(sats), 0)).where(*conditions)
    count, total = (await tx.execute(query)).one()
    return Sum(count, int(total))
