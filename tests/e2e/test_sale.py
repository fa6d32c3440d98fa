"""A sale through the real process, when nothing goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.sandbox import Fault
from tests.e2e.conftest import World


async def test_a_payment_is_forwarded_and_the_page_learns_each_step(world: World) -> None:
    sale = await world.till.sell(2_100, description="two coffees", externalId="sale-1")
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        paid = await page.until("payment")
        forwarded = await page.until("forwarded")
    assert paid["status"] == "paid"
    assert paid["amountSat"] == forwarded["amountSat"] == 2_100
    assert paid["paymentHash"] == sale["paymentHash"]
    assert world.earned == 2_100
    snapshot = await world.till.snapshot(sale)
    assert snapshot["status"] == "forwarded"
    assert snapshot["paidAt"] <= snapshot["forwardedAt"]


async def test_a_forward_costs_two_calls(world: World) -> None:
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    await asyncio.sleep(0.2)  # whatever the opening of the subscription asks for is asked now
    before = len(world.blink.calls)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    after = [call.operation for call in world.blink.calls[before:]]
    assert after == ["lnInvoiceCreate", "lnInvoicePaymentSend"]


async def test_the_page_hears_of_the_payment_before_a_payout_call_leaves(world: World) -> None:
    sale = await world.till.sell()
    world.blink.set_latency("lnInvoicePaymentSend", 0.2)
    await world.until(lambda: world.blink.subscriptions == 1)
    async with world.till.page(sale) as page:
        calls = len(world.operations(world.merchant))
        await world.blink.pay(sale["invoice"])
        await page.until("payment")
        assert len(world.operations(world.merchant)) == calls
        await page.until("forwarded")
        assert world.earned == 1_000


async def test_an_overpaid_invoice_is_forwarded_with_all_that_was_received(world: World) -> None:
    sale = await world.till.sell(1_000)
    await world.blink.pay(sale["invoice"], sats=1_234)
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_234


async def test_the_subscription_is_open_only_while_an_invoice_is_pending(world: World) -> None:
    assert world.blink.websockets == 0
    sale = await world.till.sell()
    await world.until(lambda: world.blink.websockets == 1, seconds=1.0)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    await world.until(lambda: world.blink.websockets == 0)

    sale = await world.till.sell()
    await world.until(lambda: world.blink.websockets == 1, seconds=1.0)
    status, cancelled = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert (status, cancelled["status"]) == (200, "cancelled")
    await world.until(lambda: world.blink.websockets == 0)

    sale = await world.till.sell(expiresInSeconds=2)
    await world.until(lambda: world.blink.websockets == 1, seconds=1.0)
    async with world.till.page(sale) as page:
        await page.until("expired")
    await world.until(lambda: world.blink.websockets == 0)


async def test_25_sales_in_ten_seconds_cost_few_handshakes(world: World) -> None:
    for _ in range(25):
        sale = await world.till.sell()
        await world.blink.pay(sale["invoice"])
        await world.till.until(sale, "forwarded")
        await asyncio.sleep(0.2)
    assert len(world.blink.handshakes) <= 10
    await world.until(lambda: world.blink.websockets == 0)
    assert world.earned == 25_000


async def test_sales_at_the_same_time_are_all_forwarded_over_one_subscription(world: World) -> None:
    sales = await asyncio.gather(*(world.till.sell(100 + n) for n in range(20)))
    await asyncio.gather(*(world.blink.pay(sale["invoice"]) for sale in sales))
    for sale in sales:
        await world.till.until(sale, "forwarded")
    assert world.earned == sum(100 + n for n in range(20))
    assert len(world.blink.handshakes) == 1


async def test_the_same_order_gives_the_same_invoice(world: World) -> None:
    first, second = await asyncio.gather(
        *(world.till.sell(500, externalId="order-1") for _ in range(2))
    )
    third = await world.till.sell(500, externalId="order-1")
    assert first["invoice"] == second["invoice"] == third["invoice"]
    status, refused = await world.till.call(
        "POST", "/api/invoice", {"amountSat": 501, "externalId": "order-1"}
    )
    assert (status, refused["error"]["code"]) == (409, "external_id_conflict")


async def test_a_paid_invoice_cannot_be_cancelled(world: World) -> None:
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    status, refused = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert (status, refused["error"]["code"]) == (409, "already_paid")


async def test_a_payment_that_overtakes_the_cancelling_wins(world: World) -> None:
    world.blink.faults.add(Fault(operation="event", kind="drop", times=1))
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    status, refused = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert (status, refused["error"]["code"]) == (409, "already_paid")
    await world.till.until(sale, "forwarded")


async def test_a_page_that_comes_late_learns_all_that_has_happened(world: World) -> None:
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    async with world.till.page(sale) as page:
        await page.until("forwarded")
    kinds = [event["type"] for event in page.events]
    assert kinds == ["connected", "identified", "payment", "forwarded"]


@pytest.mark.parametrize("sats", [1, 21, 10_000_000])
async def test_any_amount_arrives_to_the_sat(world: World, sats: int) -> None:
    sale = await world.till.sell(sats)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == sats
