"""Sends: what Blink answers to each, and what is in the books afterwards."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from forwarder.sandbox import Fault, SandboxError
from tests.sandbox.client import SEND, Shop

ALREADY = {"code": "LIGHTNING_PAYMENT_ERROR", "message": "Invoice is already paid"}
NO_AMOUNT = """mutation ($input: LnNoAmountInvoiceCreateInput!) { lnNoAmountInvoiceCreate(
  input: $input) { errors { message code } invoice { __typename paymentRequest } } }"""
SEND_AMOUNT = """mutation ($input: LnNoAmountInvoicePaymentInput!) { lnNoAmountInvoicePaymentSend(
  input: $input) { errors { message code } status transaction { settlementAmount } } }"""
PROBE = """mutation ($input: LnInvoiceFeeProbeInput!) { lnInvoiceFeeProbe(input: $input) {
  errors { message code } amount } }"""
TRANSFER = """mutation ($input: IntraLedgerPaymentSendInput!) { intraLedgerPaymentSend(
  input: $input) { errors { message code } status transaction { id memo initiationVia {
  __typename } } } }"""
USD = """mutation ($input: LnUsdInvoiceCreateInput!) { lnUsdInvoiceCreate(input: $input) {
  errors { message code } invoice { paymentRequest satoshis } } }"""
BY_HASH = """query ($w: WalletId!, $h: PaymentHash!) { me { defaultAccount {
  walletById(walletId: $w) { transactionsByPaymentHash(paymentHash: $h) {
  direction status settlementAmount } } } } }"""


async def by_hash(world: Shop, payment_hash: str) -> list[tuple[str, str, int]]:
    answer = await world.ask(BY_HASH, {"w": world.wallet, "h": payment_hash})
    found = answer["data"]["me"]["defaultAccount"]["walletById"]["transactionsByPaymentHash"]
    return [(tx["direction"], tx["status"], tx["settlementAmount"]) for tx in found]


async def refusal(world: Shop, request: str, **values: object) -> dict[str, str]:
    """The one error of a send that fails and moves nothing."""
    before = world.sandbox.balance(world.wallet)
    payload = await world.send(request, **values)
    assert payload["status"] == "FAILURE"
    assert payload["transaction"] is None
    assert world.sandbox.balance(world.wallet) == before
    error: dict[str, str] = payload["errors"][0]
    return error


async def test_a_payment_inside_blink_moves_the_amount_at_once_and_without_fee(world: Shop) -> None:
    payload = await world.send(await world.payout(2100))
    assert (payload["status"], payload["errors"]) == ("SUCCESS", [])
    assert payload["transaction"]["settlementAmount"] == -2100
    assert payload["transaction"]["settlementFee"] == 0
    assert world.sandbox.balance(world.wallet) == 997_900
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 2100
    [sent], [received] = (
        world.sandbox.sends(world.wallet),
        world.sandbox.receipts(world.merchant.btc_wallet_id),
    )
    assert sent.id == payload["transaction"]["id"]
    assert sent.id != received.id
    assert sent.payment_hash == received.payment_hash


async def test_paying_again_within_five_minutes_is_already_paid_with_the_first_send(
    world: Shop,
) -> None:
    request = await world.payout()
    first = await world.send(request)
    world.clock.advance(minutes=4, seconds=59)
    again = await world.send(request)
    assert (again["status"], again["errors"]) == ("ALREADY_PAID", [])
    assert again["transaction"]["id"] == first["transaction"]["id"]
    assert len(world.sandbox.sends(world.wallet)) == 1


async def test_paying_again_after_five_minutes_is_a_failure(world: Shop) -> None:
    request = await world.payout()
    await world.send(request)
    world.clock.advance(minutes=5, seconds=1)
    assert await refusal(world, request) == ALREADY
    assert len(world.sandbox.sends(world.wallet)) == 1


async def test_an_invoice_that_another_wallet_has_paid_is_a_failure(world: Shop) -> None:
    request = await world.payout()
    await world.sandbox.pay(request)
    assert await refusal(world, request) == ALREADY


async def test_paid_elsewhere_after_our_probe_is_already_paid_without_a_transaction(
    world: Shop,
) -> None:
    request = await world.payout()
    probed = await world.mutate(PROBE, walletId=world.wallet, paymentRequest=request)
    assert probed == {"errors": [], "amount": 0}
    await world.sandbox.pay(request)
    payload = await world.send(request)
    assert (payload["status"], payload["transaction"]) == ("ALREADY_PAID", None)


async def test_an_expired_invoice_with_a_description_is_paid(world: Shop) -> None:
    request = await world.payout(memo="payout", expiresIn=1)
    world.clock.advance(hours=2)
    assert (await world.send(request))["status"] == "SUCCESS"


async def test_an_expired_invoice_without_a_description_is_not_found(world: Shop) -> None:
    request = await world.payout(memo=None, expiresIn=1)
    world.clock.advance(hours=2)
    error = await refusal(world, request)
    assert error["code"] == "UNEXPECTED_CLIENT_ERROR"
    assert "(code: InvoiceNotFoundError: Unknown error)" in error["message"]


async def test_a_cancelled_invoice_with_a_description_is_paid(world: Shop) -> None:
    request = await world.payout()
    [invoice] = world.sandbox.invoices(world.merchant.btc_wallet_id)
    world.sandbox.bank.invoices.cancel(invoice.wallet_id, invoice.payment_hash)
    assert (await world.send(request))["status"] == "SUCCESS"


async def test_nobody_pays_themselves_but_the_other_wallet_may_be_paid(world: Shop) -> None:
    own = await world.create()
    error = await refusal(world, own["paymentRequest"])
    assert error == {"code": "CANT_PAY_SELF", "message": "User tried to pay themselves"}
    other = await world.mutate(USD, walletId=world.shop.usd_wallet_id, amount=50)
    assert other["invoice"]["satoshis"] == 500
    assert (await world.send(other["invoice"]["paymentRequest"]))["status"] == "SUCCESS"
    assert world.sandbox.balance(world.shop.usd_wallet_id) == 50


async def test_too_little_money_is_named(world: Shop) -> None:
    error = await refusal(world, await world.payout(1_000_001))
    assert error == {
        "code": "INSUFFICIENT_BALANCE",
        "message": "Payment amount '1000001' sats exceeds balance '1000000'",
    }


async def test_a_recipient_who_cannot_receive_gets_nothing(world: Shop) -> None:
    request = await world.payout()
    world.sandbox.disable_receive(world.merchant)
    assert (await refusal(world, request))["code"] == "RECEIVE_DISABLED"
    world.sandbox.set_status(world.merchant, "migrated")
    assert (await refusal(world, request))["message"] == "Account is inactive."


async def test_an_invoice_of_our_node_that_nobody_made_does_not_exist(world: Shop) -> None:
    node = world.sandbox.bank.node
    terms, _ = node.terms(5, "x", world.clock(), timedelta(hours=1))
    error = await refusal(world, node.sign(terms))
    assert error["code"] == "LIGHTNING_PAYMENT_ERROR"
    assert terms.payment_hash in error["message"]
    assert (await refusal(world, "lnbc1nonsense"))["code"] == "INVOICE_DECODE_ERROR"


async def test_amounts_and_invoices_have_to_fit(world: Shop) -> None:
    made = await world.mutate(
        NO_AMOUNT, key=world.merchant_key, walletId=world.merchant.btc_wallet_id, memo="tip"
    )
    assert made["invoice"]["__typename"] == "LnNoAmountInvoice"
    open_request = made["invoice"]["paymentRequest"]
    error = await refusal(world, open_request)
    assert error["message"] == "Invoice does not have a valid amount to pay"
    values = {"walletId": world.wallet, "paymentRequest": open_request}
    zero = await world.mutate(SEND_AMOUNT, **values, amount=0)
    assert zero["errors"][0]["message"] == "A valid satoshi amount is required"
    paid = await world.mutate(SEND_AMOUNT, **values, amount=70)
    assert paid["transaction"] == {"settlementAmount": -70}
    values["paymentRequest"] = await world.payout()
    wrong = await world.mutate(SEND_AMOUNT, **values, amount=70)
    assert wrong["errors"][0]["message"] == "Invoice must be a zero-amount invoice"


async def test_direct_transfers_happen_as_often_as_they_are_asked_for(world: Shop) -> None:
    values = {"walletId": world.wallet, "recipientWalletId": world.merchant.btc_wallet_id}
    for _ in range(2):
        payload = await world.mutate(TRANSFER, **values, amount=300, memo="hello")
        assert payload["status"] == "SUCCESS"
        assert payload["transaction"]["initiationVia"] == {"__typename": "InitiationViaIntraLedger"}
    receipts = world.sandbox.receipts(world.merchant.btc_wallet_id)
    assert [(tx.amount_sat, tx.memo, tx.payment_hash) for tx in receipts] == [
        (300, "hello", None),
        (300, "hello", None),
    ]
    own = await world.mutate(
        TRANSFER, walletId=world.wallet, recipientWalletId=world.wallet, amount=1
    )
    assert own["errors"][0]["code"] == "CANT_PAY_SELF"


async def test_a_foreign_invoice_costs_a_reserve_unless_it_was_probed(world: Shop) -> None:
    request = world.sandbox.outside_invoice(10_000, "far away")
    payload = await world.send(request)
    assert payload["transaction"]["settlementAmount"] == -10_050
    assert payload["transaction"]["settlementFee"] == 50
    assert payload["transaction"]["externalId"] is None
    again = await world.send(request)
    assert again["status"] == "ALREADY_PAID"
    assert again["transaction"]["id"] == payload["transaction"]["id"]
    probed = world.sandbox.outside_invoice(10_000)
    await world.mutate(PROBE, walletId=world.wallet, paymentRequest=probed)
    assert (await world.send(probed))["transaction"]["settlementFee"] == 1


async def test_a_foreign_invoice_that_is_dead_fails_for_good(world: Shop) -> None:
    request = world.sandbox.outside_invoice(100)
    world.clock.advance(hours=2)
    error = await refusal(world, request)
    assert error["message"] == "Invoice already expired, or has bad payment hash"


async def test_a_pending_foreign_payment_blocks_a_second_one_and_then_settles(world: Shop) -> None:
    request = world.sandbox.outside_invoice(1000)
    world.sandbox.faults.add(Fault("lnInvoicePaymentSend", "pending_then_success", seconds=0.05))
    payload = await world.send(request)
    assert (payload["status"], payload["transaction"]["status"]) == ("PENDING", "PENDING")
    error = await refusal(world, request)
    assert error["message"] == "There is a pending payment for this invoice"
    await asyncio.sleep(0.1)
    [tx] = world.sandbox.transactions(world.wallet)
    assert (tx.id, tx.status) == (payload["transaction"]["id"], "SUCCESS")


async def test_a_pending_payment_that_fails_leaves_a_reversed_pair_and_can_be_tried_again(
    world: Shop,
) -> None:
    request = await world.payout(500)
    [invoice] = world.sandbox.invoices(world.merchant.btc_wallet_id)
    world.sandbox.faults.add(Fault("lnInvoicePaymentSend", "pending_then_failure", seconds=0.05))
    assert (await world.send(request))["status"] == "PENDING"
    assert world.sandbox.balance(world.wallet) == 999_500
    await asyncio.sleep(0.1)
    assert world.sandbox.balance(world.wallet) == 1_000_000
    pair = [("RECEIVE", "FAILURE", 500), ("SEND", "FAILURE", -500)]
    assert await by_hash(world, invoice.payment_hash) == pair
    assert (await world.send(request))["status"] == "SUCCESS"
    retried = [("SEND", "SUCCESS", -500), *pair]
    assert await by_hash(world, invoice.payment_hash) == retried


async def test_sends_of_one_wallet_come_one_after_the_other(world: Shop) -> None:
    requests = [await world.payout(100, externalId=f"p-{n}") for n in range(4)]
    payloads = await asyncio.gather(*(world.send(request) for request in requests))
    assert [payload["status"] for payload in payloads] == ["SUCCESS"] * 4
    assert world.sandbox.balance(world.wallet) == 999_600


async def test_whoever_waits_too_long_for_the_wallet_gives_up(world: Shop) -> None:
    requests = [await world.payout(100, externalId=f"p-{n}") for n in range(3)]
    world.sandbox.set_latency("lnInvoicePaymentSend", 0.25)
    payloads = await asyncio.gather(*(world.send(request) for request in requests))
    assert sorted(payload["status"] for payload in payloads) == ["FAILURE", "FAILURE", "SUCCESS"]
    error = next(payload for payload in payloads if payload["errors"])["errors"][0]
    assert "ResourceAttemptsRedlockServiceError" in error["message"]
    assert error["code"] == "UNEXPECTED_CLIENT_ERROR"
    assert len(world.sandbox.sends(world.wallet)) == 1


async def test_one_invoice_sent_many_times_at_once_is_paid_once(world: Shop) -> None:
    request = await world.payout()
    payloads = await asyncio.gather(*(world.send(request) for _ in range(5)))
    assert sorted(payload["status"] for payload in payloads) == ["ALREADY_PAID"] * 4 + ["SUCCESS"]
    assert len(world.sandbox.sends(world.wallet)) == 1


async def test_limits_of_accounts_and_keys_hold_for_a_day(world: Shop) -> None:
    world.sandbox.limit_account(world.shop, 200_00)
    await world.send(await world.payout(150_000, externalId="a"))
    error = await refusal(world, await world.payout(100_000, externalId="b"))
    assert error["code"] == "TRANSACTION_RESTRICTED"
    assert error["message"] == "Cannot transfer more than $200.00 in 24 hours"
    world.clock.advance(hours=24)
    assert (await world.send(await world.payout(100_000, externalId="c")))["status"] == "SUCCESS"
    world.sandbox.limit_account(world.shop, None)
    world.sandbox.limit_key(world.key, 100_500)
    error = await refusal(world, await world.payout(600, externalId="d"))
    assert "daily spending limit exceeded" in error["message"]


async def test_a_dollar_wallet_pays_and_is_paid_through_the_dealer(world: Shop) -> None:
    made = await world.mutate(USD, walletId=world.shop.usd_wallet_id, amount=500)
    await world.sandbox.pay(made["invoice"]["paymentRequest"])
    assert world.sandbox.balance(world.shop.usd_wallet_id) == 500
    paid = await world.mutate(
        SEND, walletId=world.shop.usd_wallet_id, paymentRequest=await world.payout(1001)
    )
    assert paid["transaction"]["settlementAmount"] == -101
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 1001


async def test_less_than_a_cent_goes_to_the_bitcoin_wallet(world: Shop) -> None:
    made = await world.mutate(NO_AMOUNT, walletId=world.shop.usd_wallet_id)
    tx = await world.sandbox.pay(made["invoice"]["paymentRequest"], sats=9)
    assert (tx.wallet_id, tx.amount_sat) == (world.wallet, 9)


async def test_customers_pay_what_can_be_paid_and_may_pay_more(world: Shop) -> None:
    request = (await world.create(100))["paymentRequest"]
    with pytest.raises(SandboxError, match="99 sats"):
        await world.sandbox.pay(request, sats=99)
    assert (await world.sandbox.pay(request, sats=150)).amount_sat == 150
    with pytest.raises(SandboxError, match="is paid"):
        await world.sandbox.pay(request)
    late = (await world.create(100, expiresIn=1))["paymentRequest"]
    world.clock.advance(minutes=1)
    with pytest.raises(SandboxError, match="is expired"):
        await world.sandbox.pay(late)
    cancelled = await world.create(100)
    world.sandbox.bank.invoices.cancel(world.wallet, cancelled["paymentHash"])
    with pytest.raises(SandboxError, match="is cancelled"):
        await world.sandbox.pay(cancelled["paymentRequest"])
    for unknown in ("nonsense", world.sandbox.outside_invoice(5)):
        with pytest.raises(SandboxError):
            await world.sandbox.pay(unknown)


async def test_a_user_of_blink_pays_even_an_expired_invoice(world: Shop) -> None:
    customer = world.sandbox.open_account("carol", sats=500)
    request = (await world.create(100, memo="late", expiresIn=1))["paymentRequest"]
    world.clock.advance(hours=1)
    tx = await world.sandbox.pay_from(customer, request)
    assert (tx.direction, tx.wallet_id, tx.amount_sat) == ("RECEIVE", world.wallet, 100)
    assert (tx.settlement, tx.counterparty_username) == ("intraledger", "carol")
    with pytest.raises(SandboxError):
        await world.sandbox.pay_from(world.shop, request)


async def test_a_refund_is_a_receipt_with_our_own_hash(world: Shop) -> None:
    payload = await world.send(await world.payout(700))
    tx = await world.sandbox.refund(payload["transaction"]["id"])
    [sent] = world.sandbox.sends(world.wallet)
    assert (tx.direction, tx.amount_sat, tx.payment_hash) == ("RECEIVE", 700, sent.payment_hash)
    assert world.sandbox.balance(world.wallet) == 1_000_000
    with pytest.raises(SandboxError):
        await world.sandbox.refund("0" * 24)
