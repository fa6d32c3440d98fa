"""What came and what arrived, hour by hour or day by day: each along an index of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, case, func, literal, select, union_all

from forwarder.model.calendar import Slot
from forwarder.model.forward import ForwardState
from forwarder.model.trade import Trade
from forwarder.store.database import Transaction
from forwarder.store.durations import Seconds
from forwarder.store.tables import forwards, payments


async def read(tx: Transaction, slots: Sequence[Slot]) -> list[Trade]:
    """The figures of each slot; also of those in which nothing has happened."""
    if not slots:
        return []
    came = await tx.execute(union_all(*(_came(n, slot) for n, slot in enumerate(slots))))
    arrived = await tx.execute(union_all(*(_arrived(n, slot) for n, slot in enumerate(slots))))
    received = {row.slot: row for row in came}
    sent = {row.slot: row for row in arrived}
    return [
        Trade(
            slot=slot,
            payments=received[n].number,
            received=int(received[n].sats),
            forwards=sent[n].number,
            forwarded=int(sent[n].sats),
            median_seconds=_past(sent[n].median),
            slow_seconds=_past(sent[n].slow),
        )
        for n, slot in enumerate(slots)
    ]


def _came(number: int, slot: Slot) -> Select[Any]:
    matched = payments.c.invoice_id.is_not(None)
    return select(
        literal(number).label("slot"),
        func.count().label("number"),
        func.coalesce(func.sum(payments.c.received), 0).label("sats"),
    ).where(matched, payments.c.seen_at >= slot.start, payments.c.seen_at < slot.end)


def _arrived(number: int, slot: Slot) -> Select[Any]:
    """With the middle one, and the one that 19 of 20 come before, when ordered by how long."""
    took = Seconds(forwards.c.created_at, forwards.c.ended_at)
    one = (
        select(
            forwards.c.amount,
            took.label("seconds"),
            func.row_number().over(order_by=took).label("rank"),
            func.count().over().label("all"),
        )
        .where(
            forwards.c.state == ForwardState.FORWARDED,
            forwards.c.ended_at >= slot.start,
            forwards.c.ended_at < slot.end,
        )
        .subquery()
    )
    return select(
        literal(number).label("slot"),
        func.count().label("number"),
        func.coalesce(func.sum(one.c.amount), 0).label("sats"),
        func.max(case((one.c.rank * 2 <= one.c.all + 1, one.c.seconds))).label("median"),
        func.max(case((one.c.rank * 20 <= one.c.all * 19 + 19, one.c.seconds))).label("slow"),
    )


def _past(seconds: float | None) -> float | None:
    """A clock that was set back makes nothing arrive before it came."""
    return None if seconds is None else round(max(0.0, seconds), 3)
