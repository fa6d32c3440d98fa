"""The merchants, and their secrets, which only their own row can open."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, update

from forwarder.model.keyring import Keyring
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.store import merchants, tables
from forwarder.store.database import Database, Transaction
from forwarder.store.merchants import TokenTaken
from forwarder.store.vault import Vault, VaultError
from tests.store.rows import NOW, VAULT, a_merchant, everything

KEY, TOKEN = SecretStr("canary-key"), SecretStr("canary-token")
WALLET = WalletId("11111111-1111-4111-8111-111111111111")


def vault(*secrets: str) -> Vault:
    return Vault(Keyring(tuple(SecretStr(secret) for secret in secrets)))


async def put(tx: Transaction, name: str = "alice", **changes: object) -> Merchant:
    values = {"api_key": KEY, "token": TOKEN, "wallet_id": WALLET, "now": NOW, **changes}
    return await merchants.put(tx, VAULT, name=name, **values)  # type: ignore[arg-type]


async def test_a_merchant_is_found_by_name_id_and_token(database: Database) -> None:
    async with database.transaction() as tx:
        alice = await put(tx)
        assert alice == Merchant(alice.id, "alice", WALLET, enabled=True)
        assert await merchants.named(tx, "alice") == alice
        assert await merchants.by_id(tx, alice.id) == alice
        assert await merchants.by_token(tx, "canary-token") == alice
        assert await merchants.named(tx, "bob") is None
        assert await merchants.by_token(tx, "another") is None


async def test_secrets_are_not_kept_readably(database: Database) -> None:
    async with database.transaction() as tx:
        alice = await put(tx)
        assert "canary" not in repr(await everything(tx))
        assert await merchants.api_key(tx, VAULT, alice) == KEY


async def test_a_merchant_who_comes_again_has_new_secrets_and_is_the_same(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        alice = await put(tx)
        await merchants.disable(tx, alice)
        new_key, new_token = SecretStr("new-key"), SecretStr("new-token")
        again = await put(tx, api_key=new_key, token=new_token, wallet_id=None)
        assert again == Merchant(alice.id, "alice", None, enabled=True, moved_at=NOW)
        assert await merchants.api_key(tx, VAULT, again) == new_key
        assert await merchants.by_token(tx, "canary-token") is None
        assert await merchants.by_token(tx, "new-token") == again


async def test_a_token_belongs_to_one_merchant_even_to_a_disabled_one(database: Database) -> None:
    async with database.transaction() as tx:
        alice = await put(tx)
        with pytest.raises(TokenTaken):
            await put(tx, "bob")
        await merchants.disable(tx, alice)
        with pytest.raises(TokenTaken):
            await put(tx, "bob")
        assert await merchants.everyone(tx) == [Merchant(alice.id, "alice", WALLET, enabled=False)]


async def test_a_disabled_merchant_sells_no_more_and_keeps_its_key(database: Database) -> None:
    async with database.transaction() as tx:
        alice = await put(tx)
        await merchants.disable(tx, alice)
        assert await merchants.by_token(tx, "canary-token") is None
        assert await merchants.api_key(tx, VAULT, alice) == KEY


async def test_a_wallet_is_learnt(database: Database) -> None:
    async with database.transaction() as tx:
        alice = await put(tx, wallet_id=None)
        assert alice.wallet_id is None
        await merchants.learn_wallet(tx, alice, WALLET)
        found = await merchants.by_id(tx, alice.id)
        assert found is not None
        assert found.wallet_id == WALLET


async def test_everyone_is_listed_by_name(database: Database) -> None:
    async with database.transaction() as tx:
        for name in ("carol", "alice", "bob"):
            await a_merchant(tx, name)
        assert [one.name for one in await merchants.everyone(tx)] == ["alice", "bob", "carol"]


async def test_a_secret_that_is_copied_to_another_row_stays_shut(database: Database) -> None:
    table = tables.merchants
    async with database.transaction() as tx:
        alice, bob = await a_merchant(tx, "alice"), await a_merchant(tx, "bob")
        query = select(table.c.sealed_api_key).where(table.c.id == alice.id)
        sealed = (await tx.execute(query)).scalar_one()
        change = update(table).where(table.c.id == bob.id).values(sealed_api_key=sealed)
        await tx.execute(change)
        with pytest.raises(VaultError, match="copied from alice"):
            await merchants.api_key(tx, VAULT, bob)


def test_a_sealed_secret_is_different_each_time_and_opens_to_the_same() -> None:
    one, other = VAULT.seal("row", KEY), VAULT.seal("row", KEY)
    assert one != other
    assert VAULT.open("row", one) == VAULT.open("row", other) == KEY
    assert "canary" not in one


def test_the_secret_key_can_be_rotated() -> None:
    sealed = vault("old").seal("row", KEY)
    assert vault("new", "old").open("row", sealed) == KEY
    with pytest.raises(VaultError, match="another FORWARDER_SECRET_KEY"):
        vault("new").open("row", sealed)
    assert vault("new").open("row", vault("new", "old").seal("row", KEY)) == KEY


@pytest.mark.parametrize("sealed", ["", "garbage", "gAAAA"])
def test_what_was_never_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(VaultError):
        VAULT.open("row", sealed)


async def test_two_merchants_cannot_share_a_name(database: Database) -> None:
    async with database.transaction() as tx:
        await put(tx)
        row = (await tx.execute(select(tables.merchants))).one()._mapping
    values = {**row, "id": None, "token_fingerprint": "other"}
    values.pop("id")
    with pytest.raises(Exception, match=r"(?i)unique"):
        async with database.transaction() as tx:
            await tx.execute(insert(tables.merchants).values(values))
