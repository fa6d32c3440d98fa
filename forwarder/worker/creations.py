"""The budget of invoices of each account at Blink, which all tills and all processes share."""

from __future__ import annotations

from datetime import datetime

from forwarder.blink.errors import Refused
from forwarder.model import creations as budget
from forwarder.model.creations import WINDOW
from forwarder.model.refusal import TOO_MANY, Refusal
from forwarder.model.units import WalletId
from forwarder.store import locks, recent
from forwarder.store.database import Transaction
from forwarder.store.recent import CREATIONS
from forwarder.worker.clock import Clock


async def take(
    tx: Transaction, clock: Clock, wallet_id: WalletId | None = None, *, spared: int = 0
) -> None:
    """Count one more, which may leave once `tx` is kept. Raises `Refused`.

    It is one of a merchant's wallet, or else of BlinkPOS's, and so many are `spared` for others.
    """
    await locks.hold(tx, f"creations of {wallet_id}")
    now = clock()  # only now: whoever had the lock before has counted up to here
    if await left(tx, now, wallet_id) <= spared:
        raise Refused(Refusal(TOO_MANY, "too many invoices in a minute; none was asked for"))
    await recent.add(tx, CREATIONS, now, WINDOW, wallet_id=wallet_id)


async def left(tx: Transaction, now: datetime, wallet_id: WalletId | None = None) -> int:
    """How many may be asked for now."""
    # Processes' clocks differ a little; what a wrong clock has dated far ahead does not count.
    counted = await recent.times(tx, CREATIONS, now - WINDOW, now + WINDOW, wallet_id=wallet_id)
    return budget.LIMIT - len(counted)
