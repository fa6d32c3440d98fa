"""Invoices and transactions as GraphQL shows them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLScalarType
from hypothesis import given
from hypothesis import strategies as st

from forwarder.sandbox import schema
from forwarder.sandbox.errors import InvalidInput
from forwarder.sandbox.invoices import expiry_minutes
from forwarder.sandbox.ledger import Currency
from tests.sandbox.client import CREATE, SEND, Shop

CANCEL = """mutation ($input: LnInvoiceCancelInput!) { lnInvoiceCancel(input: $input) {
  errors { message code } success } }"""
USD = """mutation ($input: LnUsdInvoiceCreateInput!) { lnUsdInvoiceCreate(input: $input) {
  errors { message code } invoice { paymentRequest } } }"""
ON_BEHALF = """mutation ($input: LnInvoiceCreateOnBehalfOfRecipientInput!) {
  lnInvoiceCreateOnBehalfOfRecipient(input: $input) { errors { message code } invoice {
  paymentHash } } }"""
STATUS = """query ($input: LnInvoicePaymentStatusByHashInput!) {
  lnInvoicePaymentStatusByHash(input: $input) { paymentHash paymentPreimage status } }"""
WALLET = """query ($w: WalletId!) { me { defaultAccount { walletById(walletId: $w) { %s } } } }"""


async def wallet(world: Shop, selection: str, key: str | None = "") -> dict[str, object]:
    ids = {world.key: world.wallet, world.merchant_key: world.merchant.btc_wallet_id}
    wallet_id = ids[key or world.key]
    answer = await world.ask(WALLET % selection, {"w": wallet_id}, key)
    found: dict[str, object] = answer["data"]["me"]["defaultAccount"]["walletById"]
    return found


@pytest.mark.parametrize(
    ("currency", "has_amount", "wanted", "given_minutes"),
    [
        ("BTC", True, None, 240),
        ("BTC", True, 0, 240),
        ("BTC", False, None, 120),
        ("BTC", True, 1, 1),
        ("BTC", True, 1440, 1440),
        ("BTC", True, 1441, 240),
        ("USD", True, None, 5),
        ("USD", True, 3, 3),
        ("USD", False, 6, 5),
    ],
)
def test_a_wish_for_an_expiry_is_granted_or_silently_replaced(
    currency: Currency, has_amount: bool, wanted: int | None, given_minutes: int
) -> None:
    assert expiry_minutes(currency, has_amount, wanted) == given_minutes


async def test_an_invoice_says_what_was_asked_for(world: Shop) -> None:
    invoice = await world.create(2100, memo="order 42", externalId="order-42", expiresIn=15)
    [view] = world.sandbox.invoices(world.wallet)
    assert (view.sats, view.memo, view.external_id) == (2100, "order 42", "order-42")
    assert (view.expires_at - view.created_at).total_seconds() == 900
    assert invoice["externalId"] == "order-42"
    assert invoice["createdAt"] == int(world.clock().timestamp())
    assert invoice["paymentSecret"] != invoice["paymentHash"]
    assert (await world.create())["externalId"] != "order-42"


async def test_the_external_id_defaults_to_the_hash_and_is_unique_per_account(world: Shop) -> None:
    invoice = await world.create()
    assert invoice["externalId"] == invoice["paymentHash"]
    await world.create(externalId="once")
    again = await world.mutate(CREATE, walletId=world.wallet, amount=1, externalId="once")
    assert again["invoice"] is None
    assert again["errors"] == [
        {
            "code": "INVALID_INPUT",
            "message": "External id for invoice or transaction already exists",
            "path": None,
        }
    ]
    other_wallet = await world.mutate(
        USD, walletId=world.shop.usd_wallet_id, amount=1, externalId="once"
    )
    assert other_wallet["errors"][0]["code"] == "INVALID_INPUT"
    await world.payout(externalId="once")


async def test_both_sides_of_a_payment_inside_blink_see_the_recipients_external_id(
    world: Shop,
) -> None:
    await world.send(await world.payout(externalId="fwd-1"))
    [sent] = world.sandbox.sends(world.wallet)
    [received] = world.sandbox.receipts(world.merchant.btc_wallet_id)
    assert (sent.external_id, received.external_id) == ("fwd-1", "fwd-1")


async def test_each_side_sees_its_own_memo(world: Shop) -> None:
    await world.send(await world.payout(memo="for the payee"), memo="for the payer")
    [sent] = world.sandbox.sends(world.wallet)
    [received] = world.sandbox.receipts(world.merchant.btc_wallet_id)
    assert (sent.memo, received.memo) == ("for the payer", "for the payee")


@pytest.mark.parametrize(("sats", "memo"), [(49, None), (50, "payout")])
async def test_the_memo_of_a_tiny_receipt_is_hidden(
    world: Shop, sats: int, memo: str | None
) -> None:
    payload = await world.send(await world.payout(sats))
    assert payload["transaction"]["memo"] == "payout"
    [received] = world.sandbox.receipts(world.merchant.btc_wallet_id)
    assert received.memo == memo


async def test_the_counterparty_has_a_name_but_never_a_wallet(world: Shop) -> None:
    payload = await world.send(await world.payout())
    via = payload["transaction"]["settlementVia"]
    assert via["counterPartyUsername"] == "alice"
    assert via["counterPartyWalletId"] is None
    assert len(via["preImage"]) == 64


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        ({"amount": 0}, "INVALID_INPUT", "A valid satoshi amount is required"),
        ({"amount": -1}, None, "Invalid value for SatAmount"),
        ({"amount": True}, None, "Invalid value for SatAmount"),
        ({"amount": 10_000_000_000_001}, None, "Value too big for SatAmount"),
        ({"memo": "é" * 320}, None, "Memo is too long"),
        ({"expiresIn": -5}, None, "Invalid value for Minutes"),
        ({"externalId": "UPPER"}, None, "Invalid external id string passed."),
        ({"externalId": "x" * 101}, None, "Invalid external id string passed."),
        ({"walletId": "not-a-uuid"}, None, "Invalid value for WalletId"),
    ],
)
async def test_input_that_does_not_parse_is_a_payload_error(
    world: Shop, values: dict[str, object], code: str | None, message: str
) -> None:
    order: dict[str, Any] = {"walletId": world.wallet, "amount": 1} | values
    payload = await world.mutate(CREATE, **order)
    assert payload["invoice"] is None
    assert payload["errors"][0]["code"] == code
    assert payload["errors"][0]["message"].startswith(message)


async def test_literals_and_numeric_strings_are_taken_like_variables(world: Shop) -> None:
    query = """mutation { lnInvoiceCreate(input: {walletId: "%s", amount: "12", expiresIn: 3}) {
      invoice { satoshis } } }"""
    answer = await world.ask(query % world.wallet)
    assert answer["data"]["lnInvoiceCreate"]["invoice"]["satoshis"] == 12
    bad = await world.ask(query.replace("12", "-12") % world.wallet)
    assert bad["data"]["lnInvoiceCreate"]["invoice"] is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SatAmount", 5.9, 5),
        ("SatAmount", "12", 12),
        ("SatAmount", None, "Invalid value for SatAmount"),
        ("CentAmount", 5.9, "Invalid value for CentAmount"),
        ("CentAmount", 10_000_000_000_001, "Invalid value for CentAmount"),
        ("Memo", 5, "Invalid value for Memo"),
        ("Minutes", "15", 15),
        ("Hex32Bytes", "AB", "Hex32Bytes is not valid hex"),
        ("Hex32Bytes", "ab", "Hex32Bytes is not 32 bytes"),
        ("Hex32Bytes", "ab" * 32, "ab" * 32),
        ("PaymentHash", "Ab" * 32, "Ab" * 32),
        ("LnPaymentRequest", "LNBC1x", "LNBC1x"),
        ("EndpointUrl", "ftp://x", "Invalid value for EndpointUrl"),
    ],
)
def test_scalars_hand_their_errors_on_instead_of_raising_them(
    name: str, value: object, expected: object
) -> None:
    scalar = schema.load().get_type(name)
    assert isinstance(scalar, GraphQLScalarType)
    parsed = scalar.coerce_input_value(value)
    assert (parsed.message if isinstance(parsed, InvalidInput) else parsed) == expected


async def test_currencies_have_to_match(world: Shop) -> None:
    payload = await world.mutate(CREATE, walletId=world.shop.usd_wallet_id, amount=5)
    assert payload["errors"][0]["message"] == "Unsupported operation for wallet's currency."


async def test_whoever_cannot_receive_gets_no_invoice(world: Shop) -> None:
    world.sandbox.disable_receive(world.shop)
    payload = await world.mutate(CREATE, walletId=world.wallet, amount=5)
    assert payload["errors"][0]["code"] == "RECEIVE_DISABLED"


async def test_sixty_invoices_a_minute_then_a_block_of_five(world: Shop) -> None:
    for _ in range(60):
        await world.create()
    refused = await world.mutate(CREATE, walletId=world.wallet, amount=5)
    assert refused["errors"][0]["code"] == "TOO_MANY_REQUEST"
    assert refused["errors"][0]["message"].startswith("Too many invoices creation")
    behalf = {"recipientWalletId": world.wallet, "amount": 5}
    assert (await world.mutate(ON_BEHALF, key=None, **behalf))["errors"] == []
    world.clock.advance(seconds=299)
    assert (await world.mutate(CREATE, walletId=world.wallet, amount=5))["errors"]
    world.clock.advance(seconds=1)
    await world.create()


async def test_anybody_makes_invoices_on_behalf_of_somebody(world: Shop) -> None:
    payload = await world.mutate(
        ON_BEHALF, key=None, recipientWalletId=world.merchant.btc_wallet_id, amount=77
    )
    [invoice] = world.sandbox.invoices(world.merchant.btc_wallet_id)
    assert payload["invoice"]["paymentHash"] == invoice.payment_hash


async def test_only_a_pending_invoice_of_the_wallet_is_cancelled(world: Shop) -> None:
    values = {"walletId": world.wallet, "paymentHash": (await world.create())["paymentHash"]}
    assert await world.mutate(CANCEL, **values) == {"errors": [], "success": True}
    [view] = world.sandbox.invoices(world.wallet)
    assert view.state == "cancelled"
    again = await world.mutate(CANCEL, **values)
    assert again["success"] is False
    assert again["errors"][0]["message"] == "The invoice has already been processed"
    unknown = await world.mutate(CANCEL, walletId=world.wallet, paymentHash="0" * 64)
    assert unknown["errors"][0]["code"] == "LIGHTNING_PAYMENT_ERROR"


async def test_the_status_of_an_invoice_is_public_and_proves_payment(world: Shop) -> None:
    invoice = await world.create(expiresIn=1)
    variables = {"input": {"paymentHash": invoice["paymentHash"]}}
    answer = await world.ask(STATUS, variables, key=None)
    status = answer["data"]["lnInvoicePaymentStatusByHash"]
    assert (status["status"], status["paymentPreimage"]) == ("PENDING", None)
    tx = await world.sandbox.pay(invoice["paymentRequest"])
    status = (await world.ask(STATUS, variables, key=None))["data"]["lnInvoicePaymentStatusByHash"]
    assert (status["status"], status["paymentPreimage"]) == ("PAID", tx.preimage)
    unknown = await world.ask(STATUS, {"input": {"paymentHash": "0" * 64}}, key=None)
    assert unknown["data"] is None
    assert "InvoiceNotFoundError" in unknown["errors"][0]["message"]
    assert "extensions" not in unknown["errors"][0]


async def test_a_cancelled_invoice_looks_pending_until_it_expires(world: Shop) -> None:
    invoice = await world.create(expiresIn=1)
    payment_hash = invoice["paymentHash"]
    await world.mutate(CANCEL, walletId=world.wallet, paymentHash=payment_hash)
    ask = f'invoiceByPaymentHash(paymentHash: "{payment_hash}") {{ paymentStatus }}'
    assert await wallet(world, ask) == {"invoiceByPaymentHash": {"paymentStatus": "PENDING"}}
    world.clock.advance(minutes=1)
    assert await wallet(world, ask) == {"invoiceByPaymentHash": {"paymentStatus": "EXPIRED"}}


async def test_a_transaction_is_found_by_id_by_hash_and_by_request(world: Shop) -> None:
    invoice = await world.create()
    tx = await world.sandbox.pay(invoice["paymentRequest"])
    for ask in (
        f'transactionsByPaymentHash(paymentHash: "{tx.payment_hash}") {{ id }}',
        f'transactionsByPaymentRequest(paymentRequest: "{tx.payment_request}") {{ id }}',
    ):
        assert list((await wallet(world, ask)).values()) == [[{"id": tx.id}]]
    by_id = f'transactionById(transactionId: "{tx.id}") {{ id settlementDisplayAmount }}'
    assert await wallet(world, by_id) == {
        "transactionById": {"id": tx.id, "settlementDisplayAmount": "2.10"}
    }
    missing = await world.ask(
        WALLET % 'transactionById(transactionId: "%s") { id }' % ("0" * 24), {"w": world.wallet}
    )
    assert "CouldNotFindTransactionError" in missing["errors"][0]["message"]


async def test_the_starting_balance_is_no_transaction(world: Shop) -> None:
    assert world.sandbox.balance(world.wallet) == 1_000_000
    assert world.sandbox.transactions(world.wallet) == []
    found = await wallet(world, "balance transactions { edges { node { id } } }")
    assert found == {"balance": 1_000_000, "transactions": {"edges": []}}


async def test_a_foreign_wallet_is_not_to_be_read_or_used(world: Shop) -> None:
    answer = await world.ask(WALLET % "id", {"w": world.merchant.btc_wallet_id})
    assert answer["data"] == {"me": None}
    for wallet_id, name in (
        (world.merchant.btc_wallet_id, "InvalidWalletForAccountError"),
        (world.merchant.id, "CouldNotFindWalletFromIdError"),
    ):
        payload = await world.mutate(SEND, walletId=wallet_id, paymentRequest="lnbc1")
        assert (payload["status"], payload["transaction"]) == (None, None)
        assert payload["errors"][0]["code"] is None
        assert name in payload["errors"][0]["message"]


@given(st.integers(0, 5000))
def test_no_bitcoin_invoice_lives_longer_than_a_day(minutes: int) -> None:
    assert 1 <= expiry_minutes("BTC", True, minutes) <= 1440
