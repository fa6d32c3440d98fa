"""Replaces the secret: encrypts all API keys under its newest value, and says what is left to do.

Names and tokens need no replacing: new ones are made with the newest value, old ones are known by
all. It is one transaction, also beside a running service, which reads a key whenever it needs one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from forwarder.model.keyring import Keyring
from forwarder.model.rotation import Older, Rotation, needs
from forwarder.store import forwards, invoices, merchants, secrets
from forwarder.store.database import Database, Transaction
from forwarder.store.vault import Vault, VaultError

_FIRST_OLDER: Final = 2  # as people count


async def rotate(
    database: Database, keyring: Keyring, now: datetime, *, dry_run: bool = False
) -> Rotation:
    """Do it, or with `dry_run` only say what would be done. Raises `ForeignSecret`, `NotLeading`.

    What cannot be read is left as it is.
    """
    async with database.transaction() as tx:
        led_since = await secrets.led_since(tx, keyring.fingerprints()) or now
        rotation = Rotation()
        await _reseal_all(tx, Vault(keyring), rotation, dry_run)
        rotation.older = await _older(tx, keyring, led_since, now)
    return rotation


async def _reseal_all(tx: Transaction, vault: Vault, rotation: Rotation, dry_run: bool) -> None:
    for merchant in await merchants.hold_everyone(tx):
        if await merchants.is_current(tx, vault, merchant):
            rotation.current.append(merchant.name)
            continue
        try:
            await merchants.api_key(tx, vault, merchant)
        except VaultError:
            rotation.unreadable.append(merchant.name)
            continue
        if not dry_run:
            await merchants.reseal(tx, vault, merchant)
        rotation.resealed.append(merchant.name)


async def _older(
    tx: Transaction, keyring: Keyring, led_since: datetime, now: datetime
) -> list[Older]:
    named = await forwards.unsettled_or_since(tx, led_since)
    last_end = await invoices.last_end_before(tx, led_since)
    return [
        Older(place, list(needs(value, named, led_since, last_end, now)))
        for place, value in enumerate(keyring.older(), _FIRST_OLDER)
    ]
