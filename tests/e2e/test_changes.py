"""What changes between two starts, or is refused in between, costs nobody anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from forwarder.sandbox import Fault
from tests.e2e.conftest import OPERATOR_TOKEN, World

PAY = "lnInvoicePaymentSend"


async def test_another_blinkpos_wallet_pays_nothing_again(world: World) -> None:
    sale = await world.till.sell()
    await world.until_read()
    await world.until(lambda: world.blink.subscriptions == 1)  # nothing else will tell
    world.blink.faults.add(Fault(operation=PAY, kind="lost_answer", times=1))
    world.blink.faults.add(Fault(operation="me", kind="http_503", times=None))
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: PAY in world.operations(world.pos))
    await world.forwarder.kill()
    world.blink.faults.clear()
    world.forwarder.environment["BLINKPOS_API_KEY"] = world.blink.create_key(world.friend)
    await world.forwarder.start()
    await asyncio.sleep(2)
    assert world.earned == 1_000
    assert world.blink.sends(world.friend.btc_wallet_id) == []
    assert (await world.till.snapshot(sale))["status"] == "paid"


async def replay(world: World, sale: dict[str, Any]) -> None:
    """An operator has what is held tried again."""
    path = f"/api/payments/{sale['paymentHash']}/replay"
    status, _ = await world.till.call("POST", path, {}, token=OPERATOR_TOKEN)
    assert status == 200


async def test_money_on_the_blinkpos_account_of_before_is_paid_on_from_there_alone(
    world: World,
) -> None:
    key = world.forwarder.environment["BLINKPOS_API_KEY"]
    world.blink.disable_receive(world.merchant)
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "paid")
    world.forwarder.environment["BLINKPOS_API_KEY"] = world.blink.create_key(world.friend)
    await world.forwarder.stop()
    world.blink.disable_receive(world.merchant, disabled=False)
    await world.forwarder.start()
    await replay(world, sale)
    await world.until(lambda: b"than wallet" in world.forwarder.output, seconds=15)
    assert world.earned == 0

    world.forwarder.environment["BLINKPOS_API_KEY"] = key
    await world.forwarder.stop()
    await world.forwarder.start()
    await replay(world, sale)
    await world.till.until(sale, "forwarded")
    assert (world.earned, world.blink.sends(world.friend.btc_wallet_id)) == (1_000, [])


async def test_a_database_refuses_a_secret_that_it_does_not_know(world: World) -> None:
    await world.forwarder.stop()
    secret = world.forwarder.environment["FORWARDER_SECRET_KEY"]
    world.forwarder.environment["FORWARDER_SECRET_KEY"] = "canary-another-secret-0123456789"
    with pytest.raises(AssertionError, match="made with another FORWARDER_SECRET_KEY"):
        await world.forwarder.start()
    assert await world.forwarder.wait() == 2
    world.forwarder.environment["FORWARDER_SECRET_KEY"] = f"canary-newest-0123456789,{secret}"
    await world.forwarder.start()


async def test_sales_go_on_while_the_secret_is_being_replaced(world: World) -> None:
    old = world.forwarder.environment["FORWARDER_SECRET_KEY"]
    sale = await world.till.sell()
    await world.forwarder.stop()
    world.forwarder.environment["FORWARDER_SECRET_KEY"] = f"canary-newest-0123456789,{old}"
    await world.forwarder.start()
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("forwarded")
    assert world.earned == 1_000


@pytest.mark.parametrize("kind", ["http_429", "http_503", "graphql_error", "refuse"])
async def test_an_invoice_that_blink_did_not_cancel_stays_pending(world: World, kind: str) -> None:
    sale = await world.till.sell()
    world.blink.faults.add(Fault(operation="lnInvoiceCancel", kind=kind, times=1))  # type: ignore[arg-type]
    status, refused = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert status >= 429
    assert refused["success"] is False
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")


async def test_a_lost_answer_to_a_cancelling_can_be_asked_for_again(world: World) -> None:
    sale = await world.till.sell()
    fault = Fault(operation="lnInvoiceCancel", kind="lost_answer", times=1)
    world.blink.faults.add(fault)
    status, _ = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert status == 503
    status, again = await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert (status, again["status"]) == (200, "cancelled")


async def test_what_lifts_by_itself_needs_nobody(world: World) -> None:
    sale = await world.till.sell()
    world.blink.limit_account(world.pos, daily_cents=0)
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: PAY in world.operations(world.pos))
    await asyncio.sleep(0.3)
    assert world.earned == 0
    world.blink.limit_account(world.pos, daily_cents=None)
    await world.till.until(sale, "forwarded")
    assert len(world.payouts()) == 1


async def test_the_61st_sale_of_a_minute_is_refused_here_and_not_by_blink(world: World) -> None:
    answers = [
        await world.till.call("POST", "/api/invoice", {"amountSat": 100 + n}) for n in range(62)
    ]
    assert [status for status, _ in answers].count(200) == 59
    status, refused = answers[-1]
    assert (status, refused["error"]["code"]) == (429, "blink_busy")
    assert world.operations(world.pos).count("lnInvoiceCreate") == 59
