"""Totals of what has ended, so that to know them nobody adds up the whole history.

Whatever ends adds a row here, in its own transaction. One row for each total would make all writers
wait for each other, and two that take in several payments could wait for each other for ever. So
rows are only ever added, and now and then whoever adds one replaces those that there are by their
sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select

from forwarder.store.database import Transaction
from forwarder.store.tables import totals

CARRIED_FORWARD_EVERY: Final = 200  # rows; so many are read at most, and a few that come meanwhile


class Total(StrEnum):
    """What is counted and added up."""

    RECEIVED = "received"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FORWARDED = "forwarded"
    RESOLVED = "resolved"


class Totals:
    """How many of each there are, and how many satoshis that is."""

    def __init__(self, rows: Iterable[Row[Any]]) -> None:
        self.counts: Counter[str] = Counter()
        self.sats: Counter[str] = Counter()
        for row in rows:
            self.counts[row.total] += int(row.number)
            self.sats[row.total] += int(row.sats)


async def add(tx: Transaction, total: Total, sats: int, number: int = 1) -> None:
    """Count something that has ended, or with -1 something that has not ended after all."""
    row = insert(totals).values(total=total, number=number, sats=sats).returning(totals.c.id)
    if int((await tx.execute(row)).scalar_one()) % CARRIED_FORWARD_EVERY == 0:
        await _carry_forward(tx)


async def read(tx: Transaction) -> Totals:
    """The totals of this moment."""
    sums = func.sum(totals.c.number).label("number"), func.sum(totals.c.sats).label("sats")
    return Totals(await tx.execute(select(totals.c.total, *sums).group_by(totals.c.total)))


async def _carry_forward(tx: Transaction) -> None:
    """Replace all rows by their sums, but for those that another transaction is replacing."""
    mine = select(totals.c.id).with_for_update(skip_locked=True)
    rows = delete(totals).where(totals.c.id.in_(mine)).returning(*totals.c)
    found = Totals(await tx.execute(rows))
    sums = [
        {"total": total, "number": number, "sats": found.sats[total]}
        for total, number in found.counts.items()
    ]
    await tx.execute(insert(totals).values(sums))
