"""Which value of the secret leads, and the API keys under it; on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.store import merchants, secrets
from forwarder.store.database import Database
from forwarder.store.secrets import ForeignSecret, NotLeading
from forwarder.store.vault import Vault
from tests.store.rows import NOW

OLD, NEW = SecretStr("old"), SecretStr("new")
BOTH, SWAPPED = Keyring((NEW, OLD)), Keyring((OLD, NEW))
MINUTE = timedelta(minutes=1)


async def test_the_value_that_was_put_first_last_leads(database: Database) -> None:
    async with database.transaction() as tx:
        assert await secrets.led_since(tx, BOTH.fingerprints()) is None
        for minute, keyring in enumerate((SWAPPED, BOTH, BOTH, SWAPPED)):
            await secrets.lead(tx, keyring.fingerprints(), NOW + minute * MINUTE)
        assert await secrets.led_since(tx, SWAPPED.fingerprints()) == NOW + 3 * MINUTE
        with pytest.raises(NotLeading):
            await secrets.led_since(tx, BOTH.fingerprints())
        with pytest.raises(ForeignSecret):
            await secrets.led_since(tx, Keyring((SecretStr("another"),)).fingerprints())


async def test_it_leads_from_the_first_start_on_and_not_from_the_last(database: Database) -> None:
    async with database.transaction() as tx:
        for minute in range(3):
            await secrets.lead(tx, BOTH.fingerprints(), NOW + minute * MINUTE)
        assert await secrets.led_since(tx, BOTH.fingerprints()) == NOW


async def test_a_merchant_that_is_added_first_binds_the_database_to_the_secret(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        await secrets.keep(tx, Keyring((OLD,)).fingerprints(), NOW)
        assert await secrets.led_since(tx, BOTH.fingerprints()) is None
        with pytest.raises(ForeignSecret):
            await secrets.lead(tx, Keyring((NEW,)).fingerprints(), NOW)


async def test_a_key_that_is_given_meanwhile_is_not_lost(database: Database) -> None:
    """Whoever replaces a key while all are encrypted anew has the last word."""
    await put(database, "the-first-key")
    held, done = asyncio.Event(), asyncio.Event()

    async def rotate() -> None:
        async with database.transaction() as tx:
            (merchant,) = await merchants.hold_everyone(tx)
            held.set()
            await asyncio.sleep(0.05)
            await merchants.reseal(tx, Vault(BOTH), merchant)
        done.set()

    async def replace() -> None:
        await held.wait()
        await put(database, "the-second-key")
        assert done.is_set()

    await asyncio.gather(rotate(), replace())
    async with database.reading() as tx:
        (merchant,) = await merchants.everyone(tx)
        opened = await merchants.api_key(tx, Vault(BOTH), merchant)
    assert opened.get_secret_value() == "the-second-key"


async def put(database: Database, api_key: str) -> None:
    async with database.transaction() as tx:
        await merchants.put(
            tx,
            Vault(Keyring((OLD,))),
            name="alice",
            api_key=SecretStr(api_key),
            token=SecretStr("token"),
            wallet_id=None,
            now=NOW,
        )
