"""Receipts: each is taken in once, with everything that follows from it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from forwarder import failpoints
from forwarder.model.actor import Actor
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState, Issued, Order
from forwarder.model.payment import Receipt, Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats
from forwarder.store import invoices, payments
from tests.worker.conftest import CREATE, Shop

FROM_BLINK = (Source.BLINK, Witness.SUBSCRIPTION)
ORDER = Order("late", Sats(700), "", 900)
ELSEWHERE = Receipt(PaymentHash("ee" * 32), "tx-elsewhere", Sats(5))


async def test_a_receipt_pays_the_invoice_queues_its_forward_and_tells_the_page(shop: Shop) -> None:
    invoice = await shop.sell(1_000)
    receipt = await shop.pay(invoice, 1_234)
    await shop.intake.take([receipt], *FROM_BLINK)
    forward = await shop.forward(invoice)
    assert await shop.state(invoice) is InvoiceState.PAID
    assert (forward.state, forward.amount) == (ForwardState.QUEUED, 1_234)
    assert [told.body["amountSat"] for told in shop.page.told] == [1_234]
    assert await shop.payout_bell.wait(0)
    assert await shop.watcher_bell.wait(0)


async def test_a_receipt_that_is_told_again_changes_nothing(shop: Shop) -> None:
    invoice = await shop.sell()
    receipt = await shop.pay(invoice)
    await shop.intake.take([receipt, receipt], *FROM_BLINK)
    await asyncio.gather(
        *(shop.intake.take([receipt], Source.BLINK, Witness.CATCH_UP) for _ in range(5))
    )
    assert len(await shop.forwards(invoice)) == 1
    assert shop.page.kinds == ["payment"]


async def test_a_second_payment_of_an_invoice_is_not_income_twice(shop: Shop) -> None:
    invoice = await shop.sell()
    receipt = await shop.pay(invoice)
    await shop.intake.take([receipt], *FROM_BLINK)
    await shop.intake.take([replace(receipt, transaction_id="another")], *FROM_BLINK)
    await shop.intake.take([replace(receipt, payment_hash=PaymentHash("ee" * 32))], *FROM_BLINK)
    assert len(await shop.forwards(invoice)) == 1
    async with shop.database.reading() as tx:
        assert await payments.find(tx, PaymentHash("ee" * 32)) is None


async def test_a_batch_is_taken_in_whole_whatever_is_known_of_it(shop: Shop) -> None:
    sold = [await shop.sell(100 + n) for n in range(4)]
    receipts = [await shop.pay(invoice) for invoice in sold]
    await shop.intake.take(receipts[:1], *FROM_BLINK)
    await shop.intake.take([ELSEWHERE, *receipts], *FROM_BLINK)
    await shop.intake.take([], *FROM_BLINK)
    assert [await shop.state(invoice) for invoice in sold] == [InvoiceState.PAID] * 4
    assert shop.page.kinds == ["payment"] * 4


async def test_a_payment_without_an_invoice_is_kept_and_waits_for_it(shop: Shop) -> None:
    await shop.intake.take([ELSEWHERE], *FROM_BLINK)
    async with shop.database.reading() as tx:
        kept = await payments.find(tx, ELSEWHERE.payment_hash)
    assert kept is not None
    assert kept.invoice_id is None
    issued = Issued(ELSEWHERE.payment_hash, "lnbcrt1", shop.clock())
    async with shop.database.transaction() as tx:
        invoice = await invoices.keep(tx, shop.seller.id, ORDER, issued, shop.clock(), shop.wallet)
        assert invoice is not None
        told = await shop.intake.match(tx, invoice)
        assert await shop.intake.match(tx, invoice) == []
    assert [message.body["type"] for message in told] == ["payment"]
    assert await shop.state(invoice) is InvoiceState.PAID
    assert (await shop.forward(invoice)).amount == ELSEWHERE.amount


async def test_a_customer_who_pays_before_blink_has_answered_is_not_forgotten(shop: Shop) -> None:
    async def take() -> None:
        (tx,) = shop.blink.receipts(shop.pos.btc_wallet_id)
        receipt = Receipt(PaymentHash(tx.payment_hash or ""), tx.id, Sats(tx.amount))
        await shop.intake.take([receipt], *FROM_BLINK)

    shop.fault(CREATE, "paid_before_answer", seconds=0)
    failpoints.arm("sales.answered", take)
    invoice = await shop.sales.create(shop.seller, ORDER)
    assert await shop.state(invoice) is InvoiceState.PAID
    assert (await shop.forward(invoice)).amount == 700


async def test_a_refund_of_a_payout_is_no_income(shop: Shop) -> None:
    invoice = await shop.queue()
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    (send,) = shop.blink.sends(shop.pos.btc_wallet_id)
    refund = await shop.blink.refund(send.id)
    await shop.sell()  # something to look for
    await shop.catch_up.run()
    receipt = Receipt(PaymentHash(refund.payment_hash or ""), refund.id, Sats(refund.amount))
    await shop.intake.take([receipt], *FROM_BLINK)
    async with shop.database.reading() as tx:
        assert await payments.find(tx, receipt.payment_hash) is None
    assert await shop.worker.work() == 0


async def test_money_that_comes_late_is_money(shop: Shop) -> None:
    invoice = await shop.sell()
    async with shop.database.transaction() as tx:
        await invoices.end(tx, invoice, InvoiceState.EXPIRED, shop.clock(), Actor.EXPIRY)
    await shop.intake.take([await shop.pay(invoice)], *FROM_BLINK)
    assert await shop.state(invoice) is InvoiceState.PAID
    await shop.worker.work()
    await shop.is_forwarded(invoice)
