"""Which values of the service's secret a database belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import secrets


class ForeignSecret(Exception):
    """None of the secret's values is one that this database was ever used with."""


async def check(tx: Transaction, fingerprints: Sequence[str], now: datetime) -> None:
    """Keep the values that are in use. Raises `ForeignSecret`.

    Under another secret every payout has another name at Blink, and what was paid would be paid
    again.
    """
    known = set((await tx.execute(select(secrets.c.fingerprint))).scalars())
    if known and known.isdisjoint(fingerprints):
        raise ForeignSecret
    for fingerprint in fingerprints:
        await insert_new(tx, secrets, {"fingerprint": fingerprint, "first_used_at": now})
