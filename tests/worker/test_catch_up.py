"""Asking Blink for what nobody told us: far enough back, and no further."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from forwarder.blink.errors import Unknown
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.sandbox.invoices import InvoiceOrder
from tests.worker.conftest import READ, Shop

PAID, PENDING = InvoiceState.PAID, InvoiceState.PENDING


def looks(shop: Shop) -> int:
    return shop.operations(shop.pos).count(READ)


async def sold(shop: Shop, count: int) -> list[Invoice]:
    return [await shop.sell(100 + n) for n in range(count)]


async def test_nothing_is_asked_while_nothing_is_pending(shop: Shop) -> None:
    await shop.catch_up.run()
    assert looks(shop) == 0


async def test_a_look_costs_one_query(shop: Shop) -> None:
    invoice = await shop.sell()
    before = looks(shop)
    await shop.pay(invoice)
    await shop.catch_up.run()
    assert await shop.state(invoice) is PAID
    assert looks(shop) == before + 1


async def test_what_was_paid_before_the_oldest_pending_invoice_was_made_is_not_looked_for(
    shop: Shop,
) -> None:
    early = shop.blink.bank.invoices.create(InvoiceOrder(shop.pos.btc_wallet_id, 5, "x", 15))
    await shop.blink.pay(early.payment_request)
    shop.clock.advance(1)
    await shop.sell()
    await shop.catch_up.run()
    assert await shop.story(cast(Invoice, early).payment_hash) == []


async def test_what_was_paid_in_the_second_in_which_an_invoice_was_made_is_found(
    shop: Shop,
) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    shop.clock.advance(0.9)
    await shop.catch_up.run()
    assert await shop.state(invoice) is PAID


@pytest.mark.parametrize(("late", "found"), [(0, True), (30, True), (31, False)])
async def test_the_edge_of_the_last_look_is_looked_at_again(
    shop: Shop, late: int, found: bool
) -> None:
    """Blink's entries are in order by the second, not by commit: one can appear behind another."""
    first, second, _ = await sold(shop, 3)
    shop.clock.advance(100)
    await shop.pay(first)
    await shop.catch_up.run()
    shop.clock.advance(-late)
    await shop.pay(second)
    shop.clock.advance(late)
    await shop.catch_up.run()
    assert await shop.state(second) is (PAID if found else PENDING)


async def test_a_look_that_fails_leaves_everything_to_the_next_one(shop: Shop) -> None:
    first, second = await sold(shop, 2)
    await shop.pay(first)
    await shop.catch_up.run()
    await shop.pay(second)
    shop.fault(READ, "http_503")
    with pytest.raises(Unknown):
        await shop.catch_up.run()
    assert await shop.state(second) is PENDING
    await shop.catch_up.run()
    assert await shop.state(second) is PAID


async def test_a_look_that_finds_nothing_forgets_nothing(shop: Shop) -> None:
    first, second = await sold(shop, 2)
    await shop.catch_up.run()
    await shop.pay(first)
    await shop.catch_up.run()
    await shop.pay(second)
    await shop.catch_up.run()
    assert [await shop.state(it) for it in (first, second)] == [PAID, PAID]


async def test_dollars_are_no_income(shop: Shop) -> None:
    await shop.sell()
    order = InvoiceOrder(shop.pos.usd_wallet_id, 100, "x", 5, currency="USD")
    dollars = shop.blink.bank.invoices.create(order)
    await shop.blink.pay(dollars.payment_request)
    await shop.catch_up.run()
    assert await shop.story(cast(Invoice, dollars).payment_hash) == []


async def test_two_looks_at_once_take_turns(shop: Shop) -> None:
    invoice, _ = await sold(shop, 2)
    await shop.pay(invoice)
    await asyncio.gather(shop.catch_up.run(), shop.catch_up.run())
    assert shop.page.kinds == ["payment"]
