"""How far back each wallet's ledger was looked through: a long look survives a restart."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select, update

from forwarder.model.history import History
from forwarder.model.source import Source
from forwarder.model.units import WalletId
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import histories


async def find(tx: Transaction, source: Source, wallet_id: WalletId) -> History:
    """Where the look stands; at its beginning if there was none."""
    query = select(histories).filter_by(source=source, wallet_id=wallet_id)
    return rows.read_first(History, await tx.execute(query)) or History()


async def keep(tx: Transaction, source: Source, wallet_id: WalletId, history: History) -> None:
    """Keep where it stands."""
    mine, values = {"source": source, "wallet_id": wallet_id}, asdict(history)
    if not await insert_new(tx, histories, {**mine, **values}):
        await tx.execute(update(histories).filter_by(**mine).values(values))
