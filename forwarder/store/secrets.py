"""Which values of the service's secret a database belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import secrets


class ForeignSecret(Exception):
    """None of the secret's values is one that this database was ever used with."""


class NotLeading(Exception):
    """No service was started yet with this value of the secret as its newest."""


async def recognise(tx: Transaction, fingerprints: Sequence[str]) -> None:
    """Raise `ForeignSecret` if the database was used with other values only.

    Under another secret every payout has another name at Blink, and what was paid would be paid
    again; and no key that is sealed under it could be opened.
    """
    known = set((await tx.execute(select(secrets.c.fingerprint))).scalars())
    if known and known.isdisjoint(fingerprints):
        raise ForeignSecret


async def keep(tx: Transaction, fingerprints: Sequence[str], now: datetime) -> None:
    """Keep the values that are in use. Raises `ForeignSecret`."""
    await recognise(tx, fingerprints)
    for fingerprint in fingerprints:
        await insert_new(tx, secrets, {"fingerprint": fingerprint, "first_used_at": now})


async def lead(tx: Transaction, fingerprints: Sequence[str], now: datetime) -> None:
    """Keep them, and that a service uses the first for what is new. Raises `ForeignSecret`."""
    await keep(tx, fingerprints, now)
    leader = await _leader(tx)
    if leader is None or leader.fingerprint != fingerprints[0]:
        newest = secrets.c.fingerprint == fingerprints[0]
        await tx.execute(update(secrets).where(newest).values(led_since=now))


async def led_since(tx: Transaction, fingerprints: Sequence[str]) -> datetime | None:
    """Since when services use the first of these values for what is new; None if none ever ran.

    Raises `ForeignSecret`, and `NotLeading` if they use another.
    """
    await recognise(tx, fingerprints)
    leader = await _leader(tx)
    if leader is not None and leader.fingerprint != fingerprints[0]:
        raise NotLeading
    return None if leader is None else leader.led_since


async def _leader(tx: Transaction) -> Row[Any] | None:
    """The value that services use for what is new, if one ever ran."""
    led = select(secrets).where(secrets.c.led_since.is_not(None))
    return (await tx.execute(led.order_by(secrets.c.led_since.desc()).limit(1))).first()
