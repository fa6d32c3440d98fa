"""The end of invoices: in time, after a last look, and at Blink too."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.model.source import Source
from forwarder.worker import expiry
from tests.worker.conftest import READ, Shop, running, until

PAID, EXPIRED = InvoiceState.PAID, InvoiceState.EXPIRED


async def expire(shop: Shop, invoice: Invoice, seconds: float) -> None:
    """Let time pass, and let the expiry see to what is over."""
    async with running(shop.expiry.run):
        await asyncio.sleep(0)
        shop.clock.advance(seconds)
        shop.common.bells.expiry.ring()

        async def has_ended() -> bool:
            return await shop.state(invoice) is not InvoiceState.PENDING

        await until(has_ended)
        await asyncio.sleep(0.02)


def at_blink(shop: Shop, invoice: Invoice) -> str:
    views = shop.blink.invoices(shop.pos.btc_wallet_id)
    return next(it.state for it in views if it.payment_hash == invoice.payment_hash)


async def test_an_invoice_that_ends_before_blink_ends_it_is_cancelled_there(shop: Shop) -> None:
    invoice = await shop.sell(seconds=61)
    await expire(shop, invoice, 61)
    assert await shop.state(invoice) is EXPIRED
    assert at_blink(shop, invoice) == "cancelled"
    assert shop.page.kinds == ["expired"]


async def test_an_invoice_that_blink_does_not_cancel_any_more_has_the_ledger_read(
    shop: Shop,
) -> None:
    invoice = await shop.sell(seconds=61)
    said = "The invoice has already been processed"
    shop.fault("lnInvoiceCancel", "failure_no_effect", code="INVALID_INPUT", message=said)
    await expire(shop, invoice, 61)
    assert await shop.state(invoice) is EXPIRED
    assert await shop.common.bells.reconcilers[Source.BLINK].wait(0)


async def test_an_invoice_that_blink_ends_itself_is_left_to_it(shop: Shop) -> None:
    invoice = await shop.sell(seconds=60)
    await expire(shop, invoice, 60)
    assert await shop.state(invoice) is EXPIRED
    assert "lnInvoiceCancel" not in shop.operations()


async def test_an_invoice_is_not_ended_early(shop: Shop) -> None:
    first, second = await shop.sell(seconds=60), await shop.sell(seconds=120)
    await expire(shop, first, 60)
    assert await shop.state(second) is InvoiceState.PENDING
    await expire(shop, second, 60)
    assert await shop.state(second) is EXPIRED


@pytest.mark.parametrize("seconds", [60, 61])
async def test_the_last_look_finds_a_payment_that_nobody_told_of(shop: Shop, seconds: int) -> None:
    invoice = await shop.sell(seconds=seconds)
    await shop.pay(invoice)
    await expire(shop, invoice, seconds)
    assert await shop.state(invoice) is PAID
    assert shop.page.kinds == ["payment"]


async def test_an_invoice_ends_although_blink_cannot_be_asked(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    invoice = await shop.sell(seconds=60)
    shop.fault(READ, "http_503", times=None)
    await expire(shop, invoice, 60)
    assert await shop.state(invoice) is EXPIRED
    assert "invoices expire" in logged.text


async def test_a_page_is_told_soon_although_blink_does_not_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LAST_LOOK_SECONDS", 0.05)
    invoice = await shop.sell(seconds=61)
    shop.fault("*", "timeout_before", times=None)
    await expire(shop, invoice, 61)
    assert shop.page.kinds == ["expired"]


async def test_whoever_makes_an_invoice_need_not_wake_an_idle_expiry_in_vain(shop: Shop) -> None:
    async with running(shop.expiry.run):
        shop.common.bells.expiry.ring()
        await asyncio.sleep(0.02)
    assert shop.page.kinds == []
