"""The journal: one row for each step of each payment, written in the transaction of the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from forwarder.model.actor import Actor
from forwarder.model.units import PaymentHash
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.tables import journal

Detail = Mapping[str, object]
"""What else is known of a step: strings, integers and nothing, for JSON."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a payment's story."""

    at: datetime
    step: str
    actor: Actor
    detail: Detail


async def write(tx: Transaction, payment_hash: PaymentHash | None, step: Step) -> None:
    """Add a step to a payment's story, or a line that belongs to no payment."""
    await tx.execute(
        insert(journal).values(
            at=step.at,
            payment_hash=payment_hash,
            step=step.step,
            actor=step.actor,
            detail=step.detail,
        )
    )


async def story(tx: Transaction, payment_hash: PaymentHash) -> list[Step]:
    """Every step of a payment, oldest first."""
    query = select(journal).where(journal.c.payment_hash == payment_hash).order_by(journal.c.id)
    return rows.read_all(Step, await tx.execute(query))
