"""The journal: one row for each step of each payment, written in the transaction of the step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, insert, select

from forwarder.model.units import PaymentHash
from forwarder.store.database import Transaction
from forwarder.store.tables import journal

Detail = Mapping[str, object]
"""What else is known of a step: strings, integers and nothing, for JSON."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a payment's story. `actor` is a part of the service, or a person's role."""

    at: datetime
    step: str
    actor: str
    detail: Detail


async def write(tx: Transaction, payment_hash: PaymentHash, step: Step) -> None:
    """Add a step to a payment's story."""
    await tx.execute(
        insert(journal).values(
            at=step.at,
            payment_hash=payment_hash,
            step=step.step,
            actor=step.actor,
            detail=json.dumps(step.detail, ensure_ascii=False),
        )
    )


async def story(tx: Transaction, payment_hash: PaymentHash) -> list[Step]:
    """Every step of a payment, oldest first."""
    query = select(journal).where(journal.c.payment_hash == payment_hash).order_by(journal.c.id)
    return [_step(row) for row in await tx.execute(query)]


def _step(row: Row[tuple[object, ...]]) -> Step:
    kept = row._mapping
    return Step(kept["at"], kept["step"], kept["actor"], json.loads(kept["detail"]))
