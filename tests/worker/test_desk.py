"""What an operator can do, from two places and twice, and what that never does."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.model.actor import Actor
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import Invoice
from forwarder.model.payment import Share
from forwarder.model.units import PaymentHash, Sats
from forwarder.store import forwards, payments
from forwarder.worker.desk import Desk, NoSuchPayment, NothingHeld
from tests.worker.conftest import Shop

NOWHERE = PaymentHash("ee" * 32)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop.common)


async def held(shop: Shop, sats: int = 1_000) -> Invoice:
    """A sale whose forward is held for a person, who has seen to the cause."""
    invoice = await shop.queue(sats)
    shop.blink.disable_receive(shop.merchant)
    await shop.worker.work()
    shop.blink.disable_receive(shop.merchant, disabled=False)
    assert (await shop.forward(invoice)).state is ForwardState.HELD
    return invoice


async def split(shop: Shop, invoice: Invoice, first: int, second: int) -> None:
    """Divide the forward of a sale in two."""
    forward = await shop.forward(invoice)
    await shop.force(forward, amount=first)
    async with shop.database.transaction() as tx:
        payment = await payments.find(tx, invoice.payment_hash)
        assert payment is not None
        share = Share(1, shop.seller.id, Sats(second))
        name = shop.keyring.forward_name(invoice.payment_hash, 1, 1)
        await forwards.add(tx, payment, share, name, shop.clock())


async def test_what_is_held_is_paid_once_however_often_it_is_replayed(
    shop: Shop, desk: Desk
) -> None:
    invoice = await held(shop)
    replayed = await asyncio.gather(
        *(desk.replay(invoice.payment_hash, Actor.HTTP) for _ in range(3)),
        desk.replay_all(Actor.COMMAND),
    )
    assert [forward.payment_hash for forward in replayed[0]] == [invoice.payment_hash]
    assert await shop.payout_bell.wait(0)
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    assert await desk.replay(invoice.payment_hash, Actor.HTTP) == []
    assert (await shop.worker.work(), shop.sends, shop.earned) == (0, 1, 1_000)


async def test_everything_that_is_held_can_be_replayed_together(shop: Shop, desk: Desk) -> None:
    sold = [await held(shop, 100 + n) for n in range(3)]
    assert len(await desk.replay_all(Actor.COMMAND)) == 3
    await shop.worker.work()
    for invoice in sold:
        await shop.is_forwarded(invoice)


async def test_a_dry_run_says_what_would_be_replayed_and_moves_nothing(
    shop: Shop, desk: Desk
) -> None:
    invoice = await held(shop)
    before = await shop.forward(invoice), await shop.story(invoice.payment_hash)
    assert await desk.replay(invoice.payment_hash, Actor.HTTP, dry_run=True) == [before[0]]
    assert await desk.replay_all(Actor.HTTP, dry_run=True) == [before[0]]
    assert (await shop.forward(invoice), await shop.story(invoice.payment_hash)) == before


async def test_what_somebody_works_on_is_left_alone(shop: Shop, desk: Desk) -> None:
    invoice = await shop.queue()
    await shop.worker.claim()
    assert await desk.replay(invoice.payment_hash, Actor.HTTP) == []


async def test_a_payment_that_is_not_kept_can_be_neither_replayed_nor_settled(desk: Desk) -> None:
    with pytest.raises(NoSuchPayment):
        await desk.replay(NOWHERE, Actor.HTTP)
    with pytest.raises(NoSuchPayment):
        await desk.resolve(NOWHERE, "paid in cash", Actor.HTTP)


async def test_what_is_settled_by_hand_is_told_and_never_paid(shop: Shop, desk: Desk) -> None:
    invoice = await held(shop)
    (done,) = await desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    assert done.payment_hash == invoice.payment_hash
    assert (await shop.forward(invoice)).state is ForwardState.RESOLVED
    assert shop.page.kinds == ["payment", "forwarded"]
    with pytest.raises(NothingHeld):
        await desk.resolve(invoice.payment_hash, "again", Actor.HTTP)
    assert await desk.replay(invoice.payment_hash, Actor.HTTP) == []
    assert (await shop.worker.work(), shop.sends) == (0, 0)


async def test_what_is_not_held_cannot_be_settled_by_hand(shop: Shop, desk: Desk) -> None:
    invoice = await shop.queue()
    with pytest.raises(NothingHeld):
        await desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    await shop.worker.work()
    await shop.is_forwarded(invoice)


async def test_a_page_is_told_only_when_the_last_part_of_a_payment_has_arrived(
    shop: Shop, desk: Desk
) -> None:
    invoice = await held(shop)
    await split(shop, invoice, 600, 400)
    await desk.resolve(invoice.payment_hash, "600 in cash", Actor.HTTP)
    assert shop.page.kinds == ["payment"]
    await shop.worker.work()
    assert (shop.earned, shop.page.kinds) == (400, ["payment", "forwarded"])
