"""The websocket handshakes of the last minute, of this process and of those before it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from forwarder.store.database import Transaction
from forwarder.store.tables import handshakes


async def recent(tx: Transaction, since: datetime, now: datetime) -> list[datetime]:
    """The handshakes after `since`, oldest first; none from a future that a wrong clock saw."""
    when = handshakes.c.at
    query = select(when).where(when > since, when <= now).order_by(when)
    return list((await tx.execute(query)).scalars())


async def add(tx: Transaction, now: datetime, window: timedelta) -> None:
    """Keep a handshake, and forget those that no longer count."""
    await tx.execute(delete(handshakes).where(handshakes.c.at <= now - window))
    await tx.execute(insert(handshakes).values(at=now))
