"""What Blink counts by the minute, of every process and of those before it.

It is kept so that neither a restart nor a second process begins to count anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Table, delete, insert, select

from forwarder.store import tables
from forwarder.store.database import Transaction

HANDSHAKES: Final = tables.handshakes
"""New websockets."""
CREATIONS: Final = tables.creations
"""Calls that make an invoice, on the account of each `wallet_id`; None is BlinkPOS's."""


async def times(
    tx: Transaction, kind: Table, since: datetime, until: datetime, **whose: object
) -> list[datetime]:
    """When there was one after `since`, oldest first; none from a future that a wrong clock saw."""
    query = select(kind.c.at).where(kind.c.at > since, kind.c.at <= until).filter_by(**whose)
    return list((await tx.execute(query.order_by(kind.c.at))).scalars())


async def add(
    tx: Transaction, kind: Table, now: datetime, window: timedelta, **whose: object
) -> None:
    """Keep one, and forget those that no longer count."""
    await tx.execute(delete(kind).where(kind.c.at <= now - window))
    await tx.execute(insert(kind).values(at=now, **whose))
