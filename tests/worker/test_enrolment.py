"""Merchants from the environment and by command: whichever came later counts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from forwarder.model.merchant import Merchant
from forwarder.settings import Settings
from forwarder.store import merchants
from forwarder.worker.enrolment import enrol, enrol_from_environment
from tests.worker.conftest import Shop


def environment(shop: Shop, **changes: object) -> Settings:
    """An environment that has the merchant."""
    said = {
        "merchant_name": "merchant",
        "merchant_api_key": SecretStr(shop.merchant_key),
        "pos_token": SecretStr("token"),
    }
    return shop.settings.model_copy(update={**said, **changes})


async def start(shop: Shop, settings: Settings) -> Merchant:
    """What is kept of the merchant once the service has started."""
    shop.clock.advance(60)
    async with shop.database.transaction() as tx:
        await enrol_from_environment(tx, settings, shop.clock())
        known = await merchants.named(tx, "merchant")
    assert known is not None
    return known


async def key_of(shop: Shop, merchant: Merchant) -> str:
    async with shop.database.reading() as tx:
        return (await merchants.api_key(tx, shop.vault, merchant)).get_secret_value()


async def command(shop: Shop) -> str:
    """`forwarder merchants add` with a key of another account."""
    shop.clock.advance(60)
    key = shop.blink.create_key(shop.blink.open_account("elsewhere"))
    token = SecretStr("token-of-the-till")
    await enrol(shop.settings, shop.database, "merchant", SecretStr(key), token, None, shop.clock())
    return key


async def test_what_a_command_has_changed_the_next_start_leaves_and_says_so(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    settings = environment(shop)
    await start(shop, settings)
    key = await command(shop)
    moved_at = shop.clock()
    merchant = await start(shop, settings)
    assert await key_of(shop, merchant) == key
    assert merchant.moved_at == moved_at
    assert "a command has changed the environment's merchant" in logged.text


async def test_an_environment_that_has_changed_since_counts(shop: Shop) -> None:
    await start(shop, environment(shop))
    await command(shop)
    newest = shop.blink.create_key(shop.blink.open_account("newest"))
    merchant = await start(shop, environment(shop, merchant_api_key=SecretStr(newest)))
    assert await key_of(shop, merchant) == newest
    assert merchant.moved_at == shop.clock()
    assert merchant.wallet_id is None  # it is another account's: Blink has to be asked


async def test_an_environment_that_says_the_same_moves_nobody(shop: Shop) -> None:
    before = await start(shop, environment(shop))
    assert before.moved_at is None
    assert before.wallet_id == shop.merchant.btc_wallet_id
    assert await start(shop, environment(shop)) == before


async def test_a_merchant_that_a_command_has_disabled_stays_so(shop: Shop) -> None:
    merchant = await start(shop, environment(shop))
    async with shop.database.transaction() as tx:
        await merchants.disable(tx, merchant)
    assert not (await start(shop, environment(shop))).enabled


async def test_a_new_secret_does_not_make_the_environment_news(shop: Shop) -> None:
    settings = environment(shop)
    await start(shop, settings)
    key = await command(shop)
    both = SecretStr(f"another-secret {settings.forwarder_secret_key.get_secret_value()}")  # type: ignore[union-attr]
    merchant = await start(shop, settings.model_copy(update={"forwarder_secret_key": both}))
    assert await key_of(shop, merchant) == key
