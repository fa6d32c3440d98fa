"""One transaction at a time, across processes, where a constraint alone cannot say so."""

from __future__ import annotations

from sqlalchemy import text

from forwarder.store.database import Transaction


async def hold(tx: Transaction, name: str) -> None:
    """Wait for whoever else works under this name, and keep others out until `tx` ends.

    On SQLite there is nothing to do: its writing transactions come one after the other anyway.
    """
    if tx.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await tx.execute(lock, {"name": name})
