"""What webhooks have told: kept before they are answered, and done with once it is confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import hints, payments


@dataclass(frozen=True, slots=True)
class Hint:
    """A source says that a payment has arrived, and is still to be asked whether it has."""

    source: Source
    payment_hash: PaymentHash
    tries: int


async def keep(tx: Transaction, source: Source, payment_hash: PaymentHash, now: datetime) -> bool:
    """Keep a hint, due at once; false if it is known."""
    key = {"source": source, "payment_hash": payment_hash}
    return await insert_new(tx, hints, {**key, "kept_at": now, "tries": 0, "due_at": now})


async def due(tx: Transaction, now: datetime, limit: int) -> list[Hint]:
    """The hints that are to be confirmed now, oldest first."""
    query = select(hints).where(hints.c.due_at <= now).order_by(hints.c.due_at).limit(limit)
    return rows.read_all(Hint, await tx.execute(query))


async def next_due(tx: Transaction) -> datetime | None:
    """When the next hint is to be confirmed."""
    moment: datetime | None = (await tx.execute(select(func.min(hints.c.due_at)))).scalar_one()
    return moment


async def put_off(tx: Transaction, hint: Hint, until: datetime) -> None:
    """Ask again later."""
    await _set(tx, hint, tries=hint.tries + 1, due_at=until)


async def settle(tx: Transaction, hint: Hint) -> None:
    """Nothing more is to be asked."""
    await _set(tx, hint, due_at=None)


async def unannounced(tx: Transaction, source: Source, since: datetime) -> int:
    """How many payments of a source since then no webhook has told of: they were asked for."""
    told = select(hints.c.payment_hash).where(hints.c.source == source)
    query = select(func.count()).where(
        payments.c.seen_at >= since,
        payments.c.source == source,
        payments.c.witness != Witness.WEBHOOK,
        payments.c.payment_hash.not_in(told),
    )
    return int((await tx.execute(query)).scalar_one())


async def _set(tx: Transaction, hint: Hint, **values: object) -> None:
    mine = (hints.c.source == hint.source, hints.c.payment_hash == hint.payment_hash)
    await tx.execute(update(hints).where(*mine).values(values))
