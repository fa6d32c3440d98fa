"""The secret is replaced without a pause, and an older value goes only when nothing needs it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from forwarder.model.invoice import PAGE_OUTLIVES_INVOICE
from forwarder.model.keyring import Keyring
from forwarder.model.rotation import Rotation
from forwarder.store import merchants, secrets
from forwarder.store.secrets import ForeignSecret, NotLeading
from forwarder.store.vault import Vault, VaultError
from forwarder.worker import rotation
from tests.worker.conftest import SECRET, TOKEN, Shop

OLD, NEW, NEWER = SecretStr(SECRET), SecretStr("the-new-value"), SecretStr("the-newer-value")
BOTH = Keyring((NEW, OLD))
NEW_ALONE = Keyring((NEW,))


async def start(shop: Shop, keyring: Keyring) -> None:
    """What a service does at its start."""
    async with shop.database.transaction() as tx:
        await secrets.lead(tx, keyring.fingerprints(), shop.clock())


async def rotate(shop: Shop, keyring: Keyring = BOTH, *, dry_run: bool = False) -> Rotation:
    return await rotation.rotate(shop.database, keyring, shop.clock(), dry_run=dry_run)


async def api_key(shop: Shop, keyring: Keyring) -> str:
    async with shop.database.reading() as tx:
        opened = await merchants.api_key(tx, Vault(keyring), shop.seller)
    return opened.get_secret_value()


async def is_readable(shop: Shop, keyring: Keyring) -> bool:
    try:
        return await api_key(shop, keyring) == shop.merchant_key
    except VaultError:
        return False


@pytest.fixture
async def rotating(shop: Shop) -> Shop:
    """A shop whose service ran with the old value, and was started again with the new one."""
    await start(shop, Keyring((OLD,)))
    shop.clock.advance(60)
    await start(shop, BOTH)
    shop.clock.advance(60)
    return shop


async def test_every_key_is_encrypted_under_the_newest_value(rotating: Shop) -> None:
    assert not await is_readable(rotating, NEW_ALONE)
    done = await rotate(rotating)
    assert (done.resealed, done.current, done.unreadable) == (["merchant"], [], [])
    assert await is_readable(rotating, NEW_ALONE)
    assert not await is_readable(rotating, Keyring((OLD,)))


async def test_a_second_time_changes_nothing(rotating: Shop) -> None:
    await rotate(rotating)
    async with rotating.database.reading() as tx:
        sealed = await merchants._sealed(tx, rotating.seller)
    done = await rotate(rotating)
    assert (done.resealed, done.current) == ([], ["merchant"])
    async with rotating.database.reading() as tx:
        assert await merchants._sealed(tx, rotating.seller) == sealed


async def test_a_dry_run_says_the_same_and_does_nothing(rotating: Shop) -> None:
    said = await rotate(rotating, dry_run=True)
    assert not await is_readable(rotating, NEW_ALONE)
    assert await rotate(rotating) == said


async def test_cut_off_before_its_end_it_has_changed_nothing(
    rotating: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rotation, "_older", cut)
    with pytest.raises(KeyboardInterrupt):
        await rotate(rotating)
    monkeypatch.undo()
    assert await is_readable(rotating, Keyring((OLD,)))
    assert (await rotate(rotating)).resealed == ["merchant"]


async def test_nothing_is_encrypted_under_a_value_that_no_service_knows(shop: Shop) -> None:
    await start(shop, Keyring((OLD,)))
    with pytest.raises(NotLeading):
        await rotate(shop)
    with pytest.raises(ForeignSecret):
        await rotate(shop, NEW_ALONE)
    assert await is_readable(shop, Keyring((OLD,)))


async def test_a_value_that_is_known_but_not_the_first_does_not_lead(shop: Shop) -> None:
    """All processes are to know a value before one of them uses it."""
    await start(shop, Keyring((OLD, NEW)))
    with pytest.raises(NotLeading):
        await rotate(shop)
    shop.clock.advance(1)
    await start(shop, BOTH)
    assert (await rotate(shop)).resealed == ["merchant"]


async def test_a_key_that_cannot_be_read_is_left_and_told_of(rotating: Shop) -> None:
    async with rotating.database.transaction() as tx:
        await merchants.put(
            tx,
            Vault(Keyring((SecretStr("lost"),))),
            name="bob",
            api_key=SecretStr("bobs-key"),
            token=SecretStr(TOKEN + "-of-bob"),
            wallet_id=None,
            now=rotating.clock(),
        )
    done = await rotate(rotating)
    assert (done.resealed, done.unreadable) == (["merchant"], ["bob"])


def reasons(done: Rotation) -> str:
    (older,) = done.older
    return " ".join(older.reasons)


async def test_an_unused_value_may_be_dropped_at_once(rotating: Shop) -> None:
    assert (await rotate(rotating)).older[0].may_be_dropped


async def test_a_value_must_stay_while_pages_of_its_time_may_ask(shop: Shop) -> None:
    await start(shop, Keyring((OLD,)))
    await shop.sell(seconds=900)
    shop.clock.advance(60)
    await start(shop, BOTH)
    assert "page tokens" in reasons(await rotate(shop))
    shop.clock.advance(900 - 60 + PAGE_OUTLIVES_INVOICE.total_seconds() - 1)
    assert "page tokens" in reasons(await rotate(shop))
    shop.clock.advance(1)
    assert (await rotate(shop)).older[0].may_be_dropped


async def test_a_value_must_stay_while_a_forward_under_its_name_is_open(shop: Shop) -> None:
    await start(shop, Keyring((OLD,)))
    await shop.queue()
    shop.clock.advance(60)
    await start(shop, BOTH)
    shop.clock.advance(timedelta(days=30).total_seconds())
    done = await rotate(shop)
    assert not done.older[0].may_be_dropped
    assert "1 forward under its names" in reasons(done)


async def test_a_value_must_stay_if_it_has_named_payouts_of_newer_sales(shop: Shop) -> None:
    """Where several processes changed over one by one, a rebuilt database needs both values."""
    await start(shop, Keyring((OLD,)))
    shop.clock.advance(60)
    await start(shop, BOTH)
    shop.clock.advance(60)
    invoice = await shop.queue()
    forward = await shop.forward(invoice)
    await shop.force(forward, state="resolved", due_at=None)
    shop.clock.advance(timedelta(days=30).total_seconds())
    assert "would pay them again" in reasons(await rotate(shop))


async def test_of_three_values_each_is_told_of(rotating: Shop) -> None:
    await rotating.queue()
    rotating.clock.advance(60)
    three = Keyring((NEWER, NEW, OLD))
    await start(rotating, three)
    rotating.clock.advance(timedelta(days=30).total_seconds())
    done = await rotate(rotating, three)
    assert [(older.place, older.may_be_dropped) for older in done.older] == [(2, True), (3, False)]
