"""What operators tell every page, kept so that each process tells its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from forwarder.model.message import Notice
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.tables import broadcasts


async def add(tx: Transaction, notice: Notice) -> None:
    """Keep a notice."""
    await tx.execute(insert(broadcasts).values(id=notice.id, at=notice.at, message=notice.message))


async def since(tx: Transaction, moment: datetime) -> list[Notice]:
    """The notices of after a moment, oldest first."""
    query = select(broadcasts).where(broadcasts.c.at > moment).order_by(broadcasts.c.at)
    return rows.read_all(Notice, await tx.execute(query))
