"""The accounts: every wallet is learnt, and a key that changes is used at once."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from forwarder.blink.errors import BlinkError
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.store import merchants
from forwarder.store.vault import VaultError
from forwarder.worker import accounts as accounts_module
from forwarder.worker.accounts import Accounts
from tests.worker.conftest import READ, Shop, running, until


async def put(shop: Shop, name: str, key: str, wallet: str | None = None) -> Merchant:
    async with shop.database.transaction() as tx:
        return await merchants.put(
            tx,
            shop.vault,
            name=name,
            api_key=SecretStr(key),
            token=SecretStr(f"token of {name}"),
            wallet_id=WalletId(wallet) if wallet else None,
            now=shop.clock(),
        )


async def wallet_of(shop: Shop, merchant: Merchant) -> str | None:
    async with shop.database.reading() as tx:
        found = await merchants.by_id(tx, merchant.id)
    return found.wallet_id


async def test_blinkpos_is_asked_for_its_wallet_once(shop: Shop) -> None:
    assert not shop.accounts.is_known
    for _ in range(3):
        assert (await shop.accounts.pos()).wallet_id == shop.pos.btc_wallet_id
    assert shop.accounts.is_known
    assert shop.operations(shop.pos).count(READ) == 1


async def test_a_merchants_wallet_is_learnt_and_kept(shop: Shop) -> None:
    bob = shop.blink.open_account("bob")
    merchant = await put(shop, "bob", shop.blink.create_key(bob))
    for _ in range(2):
        assert (await shop.accounts.of(merchant.id)).wallet_id == bob.btc_wallet_id
    assert await wallet_of(shop, merchant) == bob.btc_wallet_id
    assert shop.operations(bob).count(READ) == 1


async def test_a_wallet_that_is_given_is_not_asked_for(shop: Shop) -> None:
    account = await shop.accounts.of(shop.seller.id)
    assert account.wallet_id == shop.merchant.btc_wallet_id
    assert shop.operations(shop.merchant) == []


async def test_a_merchants_new_key_is_used_at_once(shop: Shop) -> None:
    old = await shop.accounts.of(shop.seller.id)
    again = await shop.accounts.of(shop.seller.id)
    assert old.client is again.client
    carol = shop.blink.open_account("carol")
    await put(shop, "merchant", shop.blink.create_key(carol))
    new = await shop.accounts.of(shop.seller.id)
    assert new.client is not old.client
    assert new.wallet_id == carol.btc_wallet_id


async def test_every_wallet_is_learnt_before_it_is_needed_although_some_cannot_be(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accounts_module, "LEARN_AGAIN_SECONDS", 0.01)
    bob, carol = shop.blink.open_account("bob"), shop.blink.open_account("carol")
    one = await put(shop, "bob", shop.blink.create_key(bob))
    other = await put(shop, "carol", shop.blink.create_key(carol, ["RECEIVE"]))
    disabled = await put(shop, "dave", "some-key")
    async with shop.database.transaction() as tx:
        await merchants.disable(tx, disabled)
    shop.fault(READ, "http_503", account=shop.pos.id)
    async with running(shop.accounts.learn):
        await until(lambda: shop.accounts.is_known)
        assert await wallet_of(shop, one) == bob.btc_wallet_id
        assert await wallet_of(shop, other) is None
        assert "a wallet is not known yet" in logged.text
        await put(shop, "carol", shop.blink.create_key(carol))

        async def is_learnt() -> bool:
            return await wallet_of(shop, other) == carol.btc_wallet_id

        await until(is_learnt)
    assert await wallet_of(shop, disabled) is None


async def test_once_all_is_known_blink_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "LEARN_AGAIN_SECONDS", 0.001)
    async with running(shop.accounts.learn):
        await until(lambda: shop.accounts.is_known)
        await asyncio.sleep(0.05)
    assert len(shop.blink.calls) == 1


async def test_who_cannot_be_learnt_says_why(shop: Shop) -> None:
    carol = shop.blink.open_account("carol")
    merchant = await put(shop, "carol", shop.blink.create_key(carol, ["RECEIVE"]))
    with pytest.raises(BlinkError):
        await shop.accounts.of(merchant.id)


async def test_a_key_that_cannot_be_read_says_so(shop: Shop) -> None:
    from pydantic import SecretStr as Secret

    from forwarder.model.keyring import Keyring
    from forwarder.store.vault import Vault

    vault = Vault(Keyring((Secret("another"),)))
    opening = Accounts.open(shop.blink.api_url, SecretStr(shop.pos_key), None, shop.database, vault)
    async with opening as accounts:
        with pytest.raises(VaultError):
            await accounts.of(shop.seller.id)
