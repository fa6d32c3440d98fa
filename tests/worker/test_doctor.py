"""The doctor's findings, and the enrolment of merchants."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from forwarder.blink.errors import Refused
from forwarder.model.units import WalletId
from forwarder.store import merchants, secrets
from forwarder.store.merchants import TokenTaken
from forwarder.store.secrets import ForeignSecret
from forwarder.worker import doctor
from forwarder.worker.clock import Clock, utc_now
from forwarder.worker.doctor import Finding
from forwarder.worker.enrolment import enrol
from tests.worker.conftest import READ, TOKEN, Shop

OTHER_WALLET = WalletId("00000000-0000-4000-8000-000000000000")


async def findings(shop: Shop, clock: Clock = utc_now, **settings: object) -> dict[str, Finding]:
    """What the doctor finds, by its subject."""
    changed = shop.settings.model_copy(update=settings)
    found = [it async for it in doctor.examine(changed, clock)]
    return {finding.subject: finding for finding in found}


async def test_where_all_is_well_all_is_well(shop: Shop) -> None:
    found = await findings(shop)
    assert list(found) == [
        "database",
        "secret",
        "merchant 'merchant'",
        "findings",
        "BlinkPOS key",
        "clock",
    ]
    assert all(finding.ok for finding in found.values()), found
    assert "1000000 sat" in found["BlinkPOS key"].detail
    assert shop.pos_key not in repr(found)


async def test_a_database_that_cannot_be_opened_is_found(shop: Shop, tmp_path: Path) -> None:
    found = await findings(shop, database_url=f"sqlite+aiosqlite:///{tmp_path}/nowhere/at/all.db")
    assert not found["database"].ok
    assert found["BlinkPOS key"].ok


@pytest.mark.parametrize("scopes", [["READ"], ["READ", "RECEIVE"], ["READ", "WRITE"]])
async def test_a_key_that_may_do_too_little_is_found(shop: Shop, scopes: list[str]) -> None:
    key = SecretStr(shop.blink.create_key(shop.pos, scopes))
    found = (await findings(shop, blinkpos_api_key=key))["BlinkPOS key"]
    assert not found.ok
    missing = sorted({"READ", "RECEIVE", "WRITE"} - set(scopes))
    assert ", ".join(missing) in found.detail


async def test_a_missing_unknown_or_wrong_key_is_found(shop: Shop) -> None:
    missing = (await findings(shop, blinkpos_api_key=None))["BlinkPOS key"]
    unknown = (await findings(shop, blinkpos_api_key=SecretStr("canary")))["BlinkPOS key"]
    assert not missing.ok
    assert "not set" in missing.detail
    assert not unknown.ok
    assert "canary" not in unknown.detail


async def test_a_wallet_of_somebody_else_is_found(shop: Shop) -> None:
    subject = "BlinkPOS key"
    right = await findings(shop, blinkpos_btc_wallet_id=shop.pos.btc_wallet_id)
    assert right[subject].ok
    for wallet in (OTHER_WALLET, shop.pos.usd_wallet_id, shop.merchant.btc_wallet_id):
        assert not (await findings(shop, blinkpos_btc_wallet_id=wallet))[subject].ok


async def test_no_merchant_yet_is_found(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await merchants.disable(tx, shop.seller)
    assert not (await findings(shop))["merchants"].ok


async def test_a_merchants_wallet_of_somebody_else_is_found(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await merchants.learn_wallet(tx, shop.seller, OTHER_WALLET)
    assert not (await findings(shop))["merchant 'merchant'"].ok


async def give_key(shop: Shop, key: str, wallet_id: str | None) -> None:
    """The merchant has another key."""
    async with shop.database.transaction() as tx:
        await merchants.put(
            tx,
            shop.vault,
            name="merchant",
            api_key=SecretStr(key),
            token=SecretStr(TOKEN),
            wallet_id=None if wallet_id is None else WalletId(wallet_id),
            now=shop.clock(),
        )


async def test_a_merchants_key_that_cannot_be_checked_is_told_of(shop: Shop) -> None:
    key = shop.blink.create_key(shop.merchant, ["RECEIVE"])  # enough, where its wallet is known
    await give_key(shop, key, shop.merchant.btc_wallet_id)
    found = (await findings(shop))["merchant 'merchant'"]
    assert found.ok
    assert "cannot be checked" in found.detail
    await give_key(shop, shop.blink.create_key(shop.merchant, ["RECEIVE"]), None)
    assert not (await findings(shop))["merchant 'merchant'"].ok


@pytest.mark.parametrize("scopes", [["READ"], None])
async def test_a_merchants_key_that_cannot_receive_is_found(
    shop: Shop, scopes: list[str] | None
) -> None:
    key = "blink_nobodys" if scopes is None else shop.blink.create_key(shop.merchant, scopes)
    await give_key(shop, key, shop.merchant.btc_wallet_id)
    assert not (await findings(shop))["merchant 'merchant'"].ok


async def test_a_secret_key_that_is_not_the_one_is_found(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await secrets.lead(tx, shop.settings.keyring().fingerprints(), shop.clock())
    found = await findings(shop, forwarder_secret_key=SecretStr("another"))
    assert not found["secret"].ok
    assert not found["merchant 'merchant'"].ok
    assert "FORWARDER_SECRET_KEY" in found["merchant 'merchant'"].detail


async def test_a_clock_that_is_wrong_or_cannot_be_compared_is_found(
    shop: Shop, unused_tcp_port: int
) -> None:
    assert not (await findings(shop, clock=shop.clock))["clock"].ok
    nowhere = f"http://127.0.0.1:{unused_tcp_port}/graphql"
    found = await findings(shop, blink_api_url=nowhere)
    assert not found["clock"].ok
    assert not found["BlinkPOS key"].ok


async def test_a_merchant_is_enrolled_once_blink_knows_its_key(shop: Shop) -> None:
    bob = shop.blink.open_account("bob")
    key, token = SecretStr(shop.blink.create_key(bob)), SecretStr("bobs-token")
    settings, database = shop.settings, shop.database
    enrolled = await enrol(settings, database, "bob", key, token, None, shop.clock())
    assert (enrolled.name, enrolled.wallet_id) == ("bob", bob.btc_wallet_id)
    assert await shop.sales.merchant_of("bobs-token") == enrolled
    given = await enrol(settings, database, "bob", key, token, OTHER_WALLET, shop.clock())
    assert (given.id, given.wallet_id) == (enrolled.id, OTHER_WALLET)


async def test_a_merchant_is_not_enrolled_under_another_secret(shop: Shop) -> None:
    """The service could not open its key."""
    bob = SecretStr(shop.blink.create_key(shop.blink.open_account("bob")))
    foreign = shop.settings.model_copy(update={"forwarder_secret_key": SecretStr("foreign")})
    async with shop.database.transaction() as tx:
        await secrets.lead(tx, shop.keyring.fingerprints(), shop.clock())
    with pytest.raises(ForeignSecret):
        await enrol(foreign, shop.database, "bob", bob, SecretStr("new"), None, shop.clock())


async def test_a_merchant_is_not_enrolled_with_a_key_or_a_token_that_is_not_its_own(
    shop: Shop,
) -> None:
    settings, database = shop.settings, shop.database
    nobody, token = SecretStr("nobody"), SecretStr(TOKEN)
    with pytest.raises(Refused):
        await enrol(settings, database, "bob", nobody, SecretStr("new"), None, shop.clock())
    with pytest.raises(TokenTaken):
        await enrol(settings, database, "bob", nobody, token, OTHER_WALLET, shop.clock())
    async with database.reading() as tx:
        assert [it.name for it in await merchants.everyone(tx)] == ["merchant"]


async def test_the_merchant_of_the_environment_is_looked_at_instead_of_the_one_of_its_name(
    shop: Shop,
) -> None:
    subject = "merchant 'merchant'"
    wallet, keys = shop.merchant.btc_wallet_id, (shop.merchant_key, shop.pos_key)
    right, wrong = [
        await findings(shop, merchant_api_key=SecretStr(key), merchant_wallet_id=wallet)
        for key in keys
    ]
    assert (right[subject].ok, wrong[subject].ok) == (True, False)
    async with shop.database.transaction() as tx:
        await merchants.disable(tx, shop.seller)
    new = await findings(shop, merchant_api_key=SecretStr(shop.merchant_key), merchant_name="new")
    assert new["merchant 'new'"].ok
    assert "merchants" not in new


async def test_a_key_for_pages_that_cannot_be_looked_at_is_told_of(shop: Shop) -> None:
    key = SecretStr(shop.blink.create_key(shop.pos, ["READ"]))
    shop.fault(READ, "http_503", account=shop.pos.id, times=None)
    found = (await findings(shop, blinkpos_read_api_key=key))["key for POS pages"]
    assert not found.ok
    assert "did not say" in found.detail
