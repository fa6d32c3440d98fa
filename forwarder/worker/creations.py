"""The budget of BlinkPOS's invoices, which all tills and all processes share."""

from __future__ import annotations

from datetime import datetime

from forwarder.blink.errors import Refused
from forwarder.model import creations as budget
from forwarder.model.creations import WINDOW
from forwarder.model.refusal import TOO_MANY, Refusal
from forwarder.store import locks, recent
from forwarder.store.database import Transaction
from forwarder.store.recent import CREATIONS


async def take(tx: Transaction, now: datetime) -> None:
    """Count one more, which may leave once `tx` is kept. Raises `Refused`."""
    await locks.hold(tx, "creations")
    if await left(tx, now) <= 0:
        raise Refused(Refusal(TOO_MANY, "too many invoices in a minute; none was asked for"))
    await recent.add(tx, CREATIONS, now, WINDOW)


async def left(tx: Transaction, now: datetime) -> int:
    """How many may be asked for now."""
    return budget.LIMIT - len(await recent.times(tx, CREATIONS, now - WINDOW, now))
