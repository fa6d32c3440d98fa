"""How far each source's ledger was read, and what was given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.ledger import Entry
from forwarder.model.source import Source
from forwarder.model.units import WalletId
from forwarder.store import findings, journal
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.journal import Step
from forwarder.store.tables import reconciliation, refunds


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run on a source's ledger; `read_until` is by that source's clock.

    `wallet_id` is whose ledger it was, for a source can be exchanged for another.
    """

    read_until: datetime | None
    at: datetime
    drift_sats: int
    wallet_id: WalletId | None = None


async def last_run(tx: Transaction, source: Source) -> LastRun | None:
    """The last run on a source's ledger that came to its end, if there was one."""
    query = select(reconciliation).where(reconciliation.c.source == source)
    row = (await tx.execute(query)).first()
    if row is None:
        return None
    return LastRun(row.read_until, row.last_run_at, row.drift_sats, row.wallet_id)


async def keep_run(tx: Transaction, source: Source, run: LastRun) -> None:
    """Keep a run as the last one."""
    values = {
        "read_until": run.read_until,
        "last_run_at": run.at,
        "drift_sats": run.drift_sats,
        "wallet_id": run.wallet_id,
    }
    mine = reconciliation.c.source == source
    if (await tx.execute(update(reconciliation).where(mine).values(values))).rowcount == 0:
        await tx.execute(insert(reconciliation).values(source=source, **values))


async def overall(tx: Transaction) -> LastRun | None:
    """The last runs on all ledgers as one: as old as the oldest, and with all that differed."""
    kept = (await tx.execute(select(reconciliation).order_by(reconciliation.c.last_run_at))).all()
    if not kept:
        return None
    drift_sats = sum(row.drift_sats for row in kept)
    return LastRun(kept[0].read_until, kept[0].last_run_at, drift_sats)


async def drift(tx: Transaction, run: LastRun | None) -> int:
    """By how many satoshis ledgers and books differ, by the last run and until that is closed."""
    return (0 if run is None else run.drift_sats) + await findings.difference(tx)


async def book_refund(tx: Transaction, entry: Entry, forward: Forward, now: datetime) -> bool:
    """Record that a forward's money has come back; false if that is known."""
    values = {
        "transaction_id": entry.id,
        "forward_id": forward.id,
        "amount": entry.amount,
        "seen_at": now,
    }
    if not await insert_new(tx, refunds, values):
        return False
    detail = {"position": forward.position, "amountSat": entry.amount, "transactionId": entry.id}
    step = Step(now, "refunded", Actor.RECONCILIATION, detail)
    await journal.write(tx, forward.payment_hash, step)
    return True


async def refunded(tx: Transaction) -> int:
    """All that has come back, in satoshis."""
    total = select(func.coalesce(func.sum(refunds.c.amount), 0))
    return int((await tx.execute(total)).scalar_one())
