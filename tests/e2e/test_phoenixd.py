"""Sales on a phoenixd node, end to end: paid on from the node, once, whatever goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder.sandbox import Fault
from forwarder.sandbox.phoenixd import NodeFault
from tests.e2e.conftest import NodeWorld
from tests.e2e.test_commands import pipe

FAULTS = [
    NodeFault("payinvoice", "lost_answer"),
    NodeFault("payinvoice", "lost_answer", times=3),
    NodeFault("payinvoice", "executed_then_500"),
    NodeFault("payinvoice", "garbage"),
    NodeFault("payinvoice", "refuse", times=2),
    NodeFault("payinvoice", "http_500", times=2),
    NodeFault("payinvoice", "http_503", times=2),
    NodeFault("payinvoice", "failed", times=2),
    NodeFault("payinvoice", "pending_then_success", seconds=0.7),
    NodeFault("payinvoice", "pending_then_failure", seconds=0.7),
    NodeFault("outgoing", "http_500", times=2),
    NodeFault("getinfo", "refuse", times=2),
]


async def is_forwarded(house: NodeWorld, sale: dict[str, Any], sats: int = 1_000) -> None:
    await house.world.till.until(sale, "forwarded", seconds=45)
    assert house.world.earned == sats
    assert [one.msats for one in house.node.sends] == [sats * 1000]


async def status(house: NodeWorld) -> dict[str, Any]:
    _, found = await house.world.till.call("GET", "/api/status", token="canary-operator-token-4343")
    return found


async def test_a_sale_is_told_by_the_webhook_and_paid_on_from_the_node(house: NodeWorld) -> None:
    sale = await house.sell(description="two coffees")
    await house.world.until(lambda: house.node.calls.count("incoming_list") > 1)  # it is caught up
    house.node.faults.add(NodeFault("incoming_list", "http_500", times=None))  # the poll is blind
    async with house.world.till.page(sale) as page:
        house.node.pay(sale["invoice"])
        await page.until("payment")
        await page.until("forwarded")
    await is_forwarded(house, sale)
    assert [one.status for one in house.node.webhooks.deliveries] == [200]
    assert (await status(house))["subscription"]["opens"] == 0
    assert not house.world.blink.handshakes
    assert house.world.blink.balance(house.world.pos.btc_wallet_id) == 1_000_000


async def test_a_webhook_that_is_lost_is_made_up_for_by_the_poll(house: NodeWorld) -> None:
    house.node.faults.add(NodeFault("webhook", "drop"))
    sale = await house.sell()
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)
    assert not house.node.webhooks.deliveries


async def test_webhooks_that_are_repeated_pay_once(house: NodeWorld) -> None:
    house.node.faults.add(NodeFault("webhook", "duplicate", copies=5))
    sale = await house.sell()
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)
    await house.world.until(lambda: len(house.node.webhooks.deliveries) == 5)
    assert {one.status for one in house.node.webhooks.deliveries} == {200}


async def test_what_was_received_is_paid_on_not_what_was_asked(house: NodeWorld) -> None:
    sale = await house.sell(1_000)
    house.node.pay(sale["invoice"], sats=1_234)
    await is_forwarded(house, sale, 1_234)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.operation}-{f.kind}-{f.times}")
async def test_a_payout_is_made_once_whatever_becomes_of_its_call(
    house: NodeWorld, fault: NodeFault
) -> None:
    sale = await house.sell()
    house.node.faults.add(fault)
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)
    assert len(house.world.payouts()) == 1


async def test_a_lost_payout_invoice_is_found_again(house: NodeWorld) -> None:
    sale = await house.sell()
    account = house.world.merchant.id
    house.world.blink.faults.add(Fault("lnInvoiceCreate", "lost_answer", account=account))
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)
    assert len(house.world.payouts()) == 1


async def test_an_empty_node_holds_the_sale_and_goes_on_by_itself(house: NodeWorld) -> None:
    house.node.fund(-1_000_000)
    sale = await house.sell()
    house.node.pay(sale["invoice"])  # 1 000 sat came, and routing costs more than nothing

    async def is_held() -> bool:
        return bool((await status(house))["forwards"]["held"])

    await house.world.till.until(sale, "paid")
    while not await is_held():
        pass
    house.node.fund(100)
    await is_forwarded(house, sale)


async def test_a_lost_answer_to_an_invoice_leaves_one_that_nobody_pays(house: NodeWorld) -> None:
    house.node.faults.add(NodeFault("createinvoice", "lost_answer"))
    order = {"amountSat": 1_000, "externalId": "sale-1", "source": "phoenixd"}
    code, told = await house.world.till.call("POST", "/api/invoice", order)
    assert (code, told["error"]["code"]) == (503, "phoenixd_unavailable")
    sale = await house.sell(externalId="sale-1")
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)
    assert len(house.node.books.incoming) == 2


async def test_a_cancelled_sale_that_is_paid_all_the_same_is_paid_on(house: NodeWorld) -> None:
    sale = await house.sell()
    code, ended = await house.world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    assert (code, ended["status"]) == (200, "cancelled")
    house.node.pay(sale["invoice"])
    await is_forwarded(house, sale)


async def test_late_money_that_no_webhook_tells_of_is_found_by_reconciling(
    house: NodeWorld,
) -> None:
    sale = await house.sell(expiresInSeconds=1)
    await house.world.till.until(sale, "expired")
    house.node.faults.add(NodeFault("webhook", "drop"))
    house.node.pay(sale["invoice"])
    token = "canary-operator-token-4343"
    code, report = await house.world.till.call("POST", "/api/reconcile", token=token)
    assert code == 200
    assert len(report["missed"]) == 1
    await is_forwarded(house, sale)


async def test_a_command_says_that_the_node_is_away(house: NodeWorld) -> None:
    house.node.faults.add(NodeFault("getinfo", "http_503", times=None))
    status, _, errors = await pipe(house.world, "reconcile")
    assert (status, errors) == (1, "forwarder: phoenixd answered with HTTP status 503\n")


async def test_a_payment_while_the_service_is_dead_is_found_at_its_start(house: NodeWorld) -> None:
    sale = await house.sell()
    await house.world.forwarder.kill()
    house.node.pay(sale["invoice"])
    await house.world.until(lambda: bool(house.node.webhooks.deliveries))
    await house.world.forwarder.start()
    await is_forwarded(house, sale)


async def test_a_kill_in_the_middle_of_a_payout_pays_once(house: NodeWorld) -> None:
    sale = await house.sell()
    house.node.faults.add(NodeFault("payinvoice", "late_answer", seconds=5))
    house.node.pay(sale["invoice"])
    await house.world.until(lambda: "payinvoice" in house.node.calls)
    await house.world.forwarder.kill()
    await house.world.forwarder.start()
    await is_forwarded(house, sale)


async def test_both_sources_pay_on_what_each_has_received(house: NodeWorld) -> None:
    sale, other = await house.sell(1_000), await house.sell(3_000)
    house.node.pay(sale["invoice"])
    house.node.pay(other["invoice"])
    await house.world.till.until(sale, "forwarded", seconds=45)
    await house.world.till.until(other, "forwarded", seconds=45)
    assert house.world.earned == 4_000
    assert (await status(house))["reconciliation"]["driftSats"] == 0
