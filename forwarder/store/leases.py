"""What only one process may do at a time, for as long as its lease runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, update

from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import leases


async def take(tx: Transaction, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Take or prolong a lease; false while another owner's runs."""
    values = {"owner": owner, "until": until}
    if await insert_new(tx, leases, {"name": name, **values}):
        return True
    free = or_(leases.c.owner == owner, leases.c.until <= now)
    statement = update(leases).where(leases.c.name == name, free).values(values)
    return (await tx.execute(statement)).rowcount == 1


async def give_back(tx: Transaction, name: str, owner: str) -> None:
    """End a lease before its time; another owner's stays."""
    await tx.execute(delete(leases).where(leases.c.name == name, leases.c.owner == owner))
