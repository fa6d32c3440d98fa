"""Who works on which forward: leases that end by themselves when their owner dies.

A forward is free when it is due; whoever takes it moves that time to the end of the lease.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update

from forwarder.model.forward import Forward
from forwarder.model.lease import Lease
from forwarder.model.source import Source
from forwarder.store import forwards, moves
from forwarder.store.database import Transaction
from forwarder.store.tables import forwards as table


async def claim(
    tx: Transaction,
    lease: Lease,
    limit: int,
    working: Collection[int] = (),
    unread: Collection[Source] = (),
) -> list[Forward]:
    """Take forwards that are due, oldest first: after a wait, or from an owner who has died.

    Whoever takes a queued one is about to ask for its payout invoice, and this keeps it. What the
    owner is still `working` on is left alone, even if its lease has run out, and so is what belongs
    to a source whose ledger is `unread`.
    """
    due = (
        select(table.c.id)
        .where(_is_due(lease), _may_be_paid(unread), table.c.id.not_in(working))
        .order_by(table.c.due_at, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(table)
        .where(table.c.id.in_(due))
        .values(owner=lease.owner, due_at=lease.until, asked_at=moves.asked_at(lease.now))
        .returning(table)
    )
    claimed = [forwards.read(row) for row in await tx.execute(statement)]
    return sorted(claimed, key=lambda forward: forward.id)


async def keep_leases(tx: Transaction, lease: Lease, working: Collection[int]) -> None:
    """Prolong an owner's leases on the forwards that it is still working on."""
    mine = and_(
        table.c.id.in_(working),
        table.c.owner == lease.owner,
        table.c.due_at.is_not(None),
    )
    await tx.execute(update(table).where(mine).values(due_at=lease.until))


async def give_back(tx: Transaction, forward_id: int, due_at: datetime, lease: Lease) -> None:
    """Give one lease back: whoever worked under it has failed."""
    mine = and_(table.c.id == forward_id, table.c.owner == lease.owner)
    still_open = table.c.due_at.is_not(None)
    await tx.execute(update(table).where(mine, still_open).values(owner=None, due_at=due_at))


async def drop_leases(tx: Transaction, now: datetime, owner: str | None = None) -> None:
    """Give back every lease of an owner, or, where only one process can be alive, of all."""
    leased = and_(table.c.owner.is_not(None), table.c.due_at.is_not(None))
    if owner is not None:
        leased = and_(leased, table.c.owner == owner)
    await tx.execute(update(table).where(leased).values(owner=None, due_at=now))


async def next_due(
    tx: Transaction, lease: Lease, unread: Collection[Source] = ()
) -> datetime | None:
    """When the next forward may be claimed: a time that has come, a later one, or never."""
    first, last = (await tx.execute(_extremes(unread) if unread else _EXTREMES)).one()
    return lease.now if last is not None and last > lease.horizon else first


def _extremes(unread: Collection[Source]) -> Select[Any]:
    """Two queries in one: each finds its end of the index."""
    which = [_may_be_paid(unread)] if unread else []
    ends = (func.min(table.c.due_at), func.max(table.c.due_at))
    return select(*(select(end).where(*which).scalar_subquery() for end in ends))


_EXTREMES: Final = _extremes(())


def _may_be_paid(unread: Collection[Source]) -> ColumnElement[bool]:
    return table.c.source.not_in(unread)


def _is_due(lease: Lease) -> ColumnElement[bool]:
    return or_(table.c.due_at <= lease.now, table.c.due_at > lease.horizon)
