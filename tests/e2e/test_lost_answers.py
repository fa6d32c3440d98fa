"""Answers that are lost, late, or not to be believed: never a second payout invoice."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.sandbox import Fault
from forwarder.sandbox.lateness import QUERIES
from tests.e2e.conftest import World

PAY = "lnInvoicePaymentSend"
CREATE = "lnInvoiceCreate"

PAY_FAULTS = [
    Fault(operation=PAY, kind="lost_answer", times=1),
    Fault(operation=PAY, kind="lost_answer", times=3),
    Fault(operation=PAY, kind="half_answer", times=1),
    Fault(operation=PAY, kind="html_200", times=1),
    Fault(operation=PAY, kind="garbage", times=1),
    Fault(operation=PAY, kind="null_data", times=1),
    Fault(operation=PAY, kind="executed_then_500", times=1),
    Fault(operation=PAY, kind="executed_then_graphql_error", times=1),
    Fault(operation=PAY, kind="failure_after_commit", times=1),
    Fault(operation=PAY, kind="success_without_transaction", times=1),
    Fault(operation=PAY, kind="pending_then_success", times=1, seconds=0.5),
    Fault(operation=PAY, kind="pending_then_failure", times=1, seconds=0.5),
    Fault(operation=PAY, kind="refuse", times=2),
    Fault(operation=PAY, kind="http_500", times=2),
    Fault(operation=PAY, kind="http_502_html", times=2),
    Fault(operation=PAY, kind="http_503", times=2),
    Fault(operation=PAY, kind="http_429", times=2),
    Fault(operation=PAY, kind="graphql_error", times=2),
    Fault(operation=PAY, kind="lock_busy", times=2),
    Fault(operation=PAY, kind="slow", times=1, seconds=1.0),
]


def named(fault: Fault) -> str:
    return f"{fault.kind}-{fault.times}"


async def sell_with(world: World, fault: Fault) -> None:
    sale = await world.till.sell()
    world.blink.faults.add(fault)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded", seconds=45)
    assert world.earned == 1_000


@pytest.mark.parametrize("fault", PAY_FAULTS, ids=named)
async def test_a_payout_is_made_once_whatever_its_answer(world: World, fault: Fault) -> None:
    await sell_with(world, fault)
    assert len(world.payouts()) == 1


async def test_an_answer_that_comes_after_the_deadline_pays_once(world: World) -> None:
    await sell_with(world, Fault(operation=PAY, kind="late_answer", times=1, seconds=23))
    assert len(world.payouts()) == 1
    assert world.operations(world.pos).count(PAY) == 1


async def test_a_proof_that_cannot_be_had_yet_is_waited_for(world: World) -> None:
    world.blink.faults.add(Fault(operation="me", kind="http_503", times=3, after=0))
    await sell_with(world, Fault(operation=PAY, kind="lost_answer", times=1))
    assert len(world.payouts()) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "lost_answer",
        "half_answer",
        "html_200",
        "garbage",
        "null_data",
        "executed_then_500",
        "executed_then_graphql_error",
    ],
)
async def test_a_payout_invoice_whose_answer_was_lost_is_found_again(
    world: World, kind: str
) -> None:
    sale = await world.till.sell()
    account = world.merchant.id
    world.blink.faults.add(Fault(operation=CREATE, kind=kind, times=1, account=account))  # type: ignore[arg-type]
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert len(world.payouts()) == 1
    assert world.earned == 1_000


async def test_a_payout_invoice_that_is_said_to_be_paid_is_neither_paid_nor_replaced(
    world: World,
) -> None:
    sale = await world.till.sell()
    world.blink.faults.add(Fault(operation=PAY, kind="already_paid_elsewhere", times=1))
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: world.operations(world.pos).count(PAY) == 1)
    await asyncio.sleep(3)  # the ledger is read meanwhile, again and again
    assert len(world.payouts()) == 1
    assert world.operations(world.pos).count(PAY) == 1
    assert world.blink.sends(world.pos.btc_wallet_id) == []


@pytest.mark.parametrize("seconds", [0.3, 2.0])
async def test_a_ledger_that_is_late_leads_to_one_payment(world: World, seconds: float) -> None:
    """The money has moved, the answer is FAILURE, and nothing shows the payment for a while."""
    for query in QUERIES:
        world.blink.delay_sends(query, seconds)
    await sell_with(world, Fault(operation=PAY, kind="failure_after_commit", times=1))
    assert len(world.payouts()) == 1
    assert world.earned == 1_000
    assert len(world.blink.sends(world.pos.btc_wallet_id)) == 1
