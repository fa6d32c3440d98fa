"""Payments that nobody told us of, or told us of too often, too early, or while we were away."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.sandbox import Fault
from tests.e2e.conftest import World


async def test_paid_while_the_service_was_stopped(world: World) -> None:
    sale = await world.till.sell()
    assert await world.forwarder.stop() == 0
    await world.blink.pay(sale["invoice"])
    await world.forwarder.start()
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_paid_while_the_service_was_killed(world: World) -> None:
    sale = await world.till.sell()
    await world.forwarder.kill()
    await world.blink.pay(sale["invoice"])
    await world.forwarder.start()
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_paid_between_the_invoice_and_the_live_subscription(world: World) -> None:
    world.blink.faults.add(Fault(operation="websocket", kind="late_ack", seconds=0.5))
    sale = await world.till.sell()
    assert world.blink.subscriptions == 0
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_paid_while_the_websocket_was_cut(world: World) -> None:
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    await world.blink.cut_websockets()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_paid_while_no_websocket_can_be_had(world: World) -> None:
    world.blink.faults.add(Fault(operation="websocket", kind="refuse"))
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


@pytest.mark.parametrize(
    "kind", ["no_ack", "drop_before_ack", "not_authenticated", "no_first_event", "complete"]
)
async def test_a_websocket_that_misbehaves_delays_but_loses_nothing(
    world: World, kind: str
) -> None:
    fault = Fault(operation="websocket", kind=kind, times=1, seconds=0.1)  # type: ignore[arg-type]
    world.blink.faults.add(fault)
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_a_half_open_websocket_is_noticed(world: World) -> None:
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    world.blink.freeze_websockets()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded", seconds=30)
    assert world.earned == 1_000


async def test_an_event_that_is_lost_is_made_up_for(world: World) -> None:
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    await asyncio.sleep(0.3)  # the look at the opening is over
    world.blink.faults.add(Fault(operation="event", kind="drop", times=1))
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded", seconds=30)
    assert world.earned == 1_000


@pytest.mark.parametrize("kind", ["duplicate", "delay", "reorder", "malformed", "error"])
async def test_an_event_that_is_not_as_it_should_be(world: World, kind: str) -> None:
    sale, other = await world.till.sell(1_000), await world.till.sell(500)
    await world.until(lambda: world.blink.subscriptions == 1)
    world.blink.faults.add(Fault(operation="event", kind=kind, times=1, seconds=0.3))  # type: ignore[arg-type]
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await world.blink.pay(other["invoice"])
        await page.until("forwarded")
    await world.till.until(other, "forwarded")
    kinds = [event["type"] for event in page.events if event["type"] != "subscription"]
    assert kinds == ["connected", "identified", "payment", "forwarded"]
    assert world.earned == 1_500


async def test_paid_before_the_call_that_made_the_invoice_was_answered(world: World) -> None:
    first = await world.till.sell(500)
    await world.until(lambda: world.blink.subscriptions == 1)
    fault = Fault(operation="lnInvoiceCreate", kind="paid_before_answer", times=1, seconds=0.5)
    world.blink.faults.add(fault)
    sale = await world.till.sell()
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000
    assert (await world.till.snapshot(first))["status"] == "pending"


async def test_paid_before_the_answer_and_before_the_subscription(world: World) -> None:
    world.blink.faults.add(Fault(operation="websocket", kind="late_ack", seconds=0.3))
    fault = Fault(operation="lnInvoiceCreate", kind="paid_before_answer", times=1, seconds=0.8)
    world.blink.faults.add(fault)
    sale = await world.till.sell()
    await world.till.until(sale, "forwarded", seconds=5)
    assert world.earned == 1_000


async def test_cancelling_one_sale_leaves_the_others_watched(world: World) -> None:
    sale, other = await world.till.sell(), await world.till.sell(500)
    await world.until(lambda: world.blink.subscriptions == 1)
    status, _ = await world.till.call("DELETE", f"/api/invoice/{other['externalId']}")
    assert status == 200
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")


async def test_a_reopened_subscription_asks_once(world: World) -> None:
    for n in range(5):
        await world.till.sell(100 + n)
    await world.until(lambda: world.blink.subscriptions == 1)
    await asyncio.sleep(0.3)
    before = world.operations(world.pos).count("me")
    await world.blink.cut_websockets()
    await world.until(lambda: world.blink.subscriptions == 1)
    await asyncio.sleep(0.3)
    assert world.operations(world.pos).count("me") == before + 1


async def test_a_sigterm_lets_the_payout_that_is_under_way_end(world: World) -> None:
    sale = await world.till.sell()
    world.blink.set_latency("lnInvoicePaymentSend", 0.5)
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: "lnInvoicePaymentSend" in world.operations(world.pos))
    assert await world.forwarder.stop() == 0
    assert world.earned == 1_000
    await world.forwarder.start()
    assert (await world.till.snapshot(sale))["status"] == "forwarded"
    assert world.operations(world.pos).count("lnInvoicePaymentSend") == 1


@pytest.mark.parametrize("operation", ["lnInvoiceCreate", "lnInvoicePaymentSend"])
async def test_killed_in_the_middle_of_a_payout_call(world: World, operation: str) -> None:
    sale = await world.till.sell()
    world.blink.set_latency(operation, 0.4)
    calls = len(world.operations())
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: operation in world.operations()[calls:])
    await asyncio.sleep(0.1)
    await world.forwarder.kill()
    await world.forwarder.start()
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000
    assert len(world.payouts()) == 1
