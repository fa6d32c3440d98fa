"""What an operator can do, from two places and twice, and what that never does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from forwarder.model.actor import Actor
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import Invoice
from forwarder.model.payment import Share
from forwarder.model.units import PaymentHash, Sats
from forwarder.sandbox.lateness import QUERIES
from forwarder.store import forwards, payments
from forwarder.worker.desk import AlreadyForwarded, Desk, NoSuchPayment, NothingHeld, NotYetSure
from tests.worker.conftest import PAY, Shop

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


# What the ledger says before anybody pays by hand


async def lost(shop: Shop) -> Invoice:
    """A payout whose answer was lost, and that is held before anybody has looked."""
    invoice = await shop.queue()
    shop.fault(PAY, "lost_answer")
    await shop.worker.work()
    await shop.force(
        await shop.forward(invoice), state=ForwardState.HELD, held_reason="x", owner=None
    )
    return invoice


async def test_what_the_ledger_shows_as_paid_nobody_settles_by_hand(shop: Shop) -> None:
    invoice = await lost(shop)
    with pytest.raises(AlreadyForwarded):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    await shop.is_forwarded(invoice)
    with pytest.raises(NothingHeld):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)


async def test_what_the_ledger_may_still_show_is_not_settled_by_hand_yet(shop: Shop) -> None:
    invoice = await lost(shop)
    for query in QUERIES:
        shop.blink.delay_sends(query, 190)
    with pytest.raises(NotYetSure, match="pay nothing by hand yet") as refused:
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    assert refused.value.sure_at > shop.clock()
    assert (await shop.forward(invoice)).state is ForwardState.HELD
    shop.clock.advance(201)
    with pytest.raises(AlreadyForwarded):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)


async def test_what_is_under_way_is_not_settled_by_hand(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "pending_then_success", seconds=3_600)
    await shop.worker.work()
    await shop.force(await shop.forward(invoice), state=ForwardState.HELD, held_reason="x")
    shop.clock.advance(201)
    with pytest.raises(NotYetSure):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)


async def test_what_was_sent_long_ago_and_is_not_in_the_ledger_can_be_settled_by_hand(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "http_503")
    await shop.worker.work()
    await shop.force(await shop.forward(invoice), state=ForwardState.HELD, held_reason="x")
    shop.clock.advance(201)
    (done,) = await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    assert done.payment_hash == invoice.payment_hash
    assert (await shop.worker.work(), shop.sends) == (0, 0)


async def test_a_payment_of_a_lost_payout_invoice_is_known_by_its_name(shop: Shop) -> None:
    """An older database knows that something is under way, and not what it pays."""
    invoice = await shop.queue()
    shop.fault(PAY, "pending_then_success", seconds=3_600)
    await shop.worker.work()
    await shop.lose()
    shop.clock.advance(61)
    await shop.reconciler.recover()
    forward = await shop.forward(invoice)
    assert (forward.payout, forward.state) == (None, ForwardState.QUEUED)
    await shop.force(forward, state=ForwardState.HELD, held_reason="its key cannot be read")
    shop.clock.advance(201)
    with pytest.raises(NotYetSure):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)


async def test_what_was_sent_from_another_wallet_is_waited_for(shop: Shop) -> None:
    """Its ledger cannot be asked any more."""
    invoice = await lost(shop)
    await shop.force(await shop.forward(invoice), sent_from="a" * 36)
    with pytest.raises(NotYetSure):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)


async def test_what_somebody_has_found_paid_meanwhile_is_not_found_twice(shop: Shop) -> None:
    invoice = await lost(shop)
    due = shop.clock() + timedelta(hours=1)
    await shop.force(await shop.forward(invoice), owner="somebody", due_at=due)
    with pytest.raises(AlreadyForwarded):
        await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.HTTP)
    assert (await shop.forward(invoice)).state is ForwardState.HELD
