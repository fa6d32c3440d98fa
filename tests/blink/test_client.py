"""The client, against a local Blink: what is asked, how often, and how it is understood."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.blink.date import date_of
from forwarder.blink.errors import Refused, Unknown
from forwarder.model.ledger import Direction, EntryStatus, Paid, Underway, proof_of
from forwarder.model.payment import Receipt
from forwarder.model.refusal import NOT_SHOWN, Refusal
from forwarder.model.units import PaymentHash, Sats
from forwarder.sandbox import Fault
from forwarder.sandbox.invoices import InvoiceOrder
from tests.blink.conftest import Bank, Odd

NAME = "fwd-0123456789"
HASH = PaymentHash("ab" * 32)


async def create(bank: Bank, sats: int = 1_000, name: str = NAME) -> str:
    issued = await bank.client.create_invoice(bank.wallet, Sats(sats), "Sale", 15, name)
    return issued.payment_request


async def payout(bank: Bank, sats: int = 1_000) -> str:
    """An invoice of the merchant's."""
    order = InvoiceOrder(bank.merchants_wallet, sats, "payout", 15)
    return bank.blink.bank.invoices.create(order).payment_request


async def test_an_invoice_is_made_as_it_was_ordered(bank: Bank) -> None:
    issued = await bank.client.create_invoice(bank.wallet, Sats(1_234), "Sale ☕", 15, NAME)
    (made,) = bank.blink.invoices(bank.wallet)
    assert (issued.payment_hash, issued.payment_request) == (
        made.payment_hash,
        made.payment_request,
    )
    assert (made.sats, made.memo, made.external_id) == (1_234, "Sale ☕", NAME)
    assert made.expires_at - made.created_at == timedelta(minutes=15)
    assert issued.issued_at == made.created_at.replace(microsecond=0)


async def test_an_empty_memo_is_not_sent(bank: Bank) -> None:
    await bank.client.create_invoice(bank.wallet, Sats(1), "", 15, NAME)
    assert "memo" not in bank.blink.calls[-1].variables["input"]


async def test_a_name_that_was_used_is_refused_as_a_duplicate(bank: Bank) -> None:
    await create(bank)
    with pytest.raises(Refused) as caught:
        await create(bank)
    assert caught.value.refusal.is_duplicate
    assert len(bank.blink.invoices(bank.wallet)) == 1


async def test_an_answer_without_an_invoice_and_without_an_error_is_unknown(
    odd: Odd, oddly: BlinkClient, bank: Bank
) -> None:
    odd.says({"data": {"lnInvoiceCreate": {"errors": [], "invoice": None}}})
    with pytest.raises(Unknown, match="neither"):
        await oddly.create_invoice(bank.wallet, Sats(1), "", 15, NAME)


async def test_an_invoice_is_cancelled_once(bank: Bank) -> None:
    await create(bank)
    (made,) = bank.blink.invoices(bank.wallet)
    await bank.client.cancel_invoice(bank.wallet, PaymentHash(made.payment_hash))
    assert bank.blink.invoices(bank.wallet)[0].state == "cancelled"
    with pytest.raises(Refused):
        await bank.client.cancel_invoice(bank.wallet, PaymentHash(made.payment_hash))


async def test_a_cancelling_that_is_neither_done_nor_refused_is_unknown(
    odd: Odd, oddly: BlinkClient, bank: Bank
) -> None:
    odd.says({"data": {"lnInvoiceCancel": {"errors": [], "success": None}}})
    with pytest.raises(Unknown):
        await oddly.cancel_invoice(bank.wallet, HASH)


# Paying


async def test_a_payment_that_went_through_is_proven_by_its_send(bank: Bank) -> None:
    request = await payout(bank)
    first = await bank.client.pay_invoice(bank.wallet, request)
    (send,) = bank.blink.sends(bank.wallet)
    assert first == Paid(send.id)
    # ALREADY_PAID with our own SEND is the same proof.
    assert await bank.client.pay_invoice(bank.wallet, request) == first


async def test_a_payment_that_is_pending_is_under_way(bank: Bank) -> None:
    bank.blink.faults.add(Fault("lnInvoicePaymentSend", "pending_then_success", seconds=0.05))
    assert await bank.client.pay_invoice(bank.wallet, await payout(bank)) == Underway()


async def test_success_without_a_transaction_is_no_proof(bank: Bank) -> None:
    bank.blink.faults.add(Fault("lnInvoicePaymentSend", "success_without_transaction"))
    assert await bank.client.pay_invoice(bank.wallet, await payout(bank)) == Underway()


async def test_what_somebody_else_has_paid_is_not_paid_by_us(bank: Bank) -> None:
    bank.blink.faults.add(Fault("lnInvoicePaymentSend", "already_paid_elsewhere"))
    outcome = await bank.client.pay_invoice(bank.wallet, await payout(bank))
    assert isinstance(outcome, Refusal)
    assert outcome.code == NOT_SHOWN


@pytest.mark.parametrize("kind", ["failure_after_commit", "failure_no_effect", "lock_busy"])
async def test_failure_is_a_refusal_and_the_entries_tell_the_truth(bank: Bank, kind: str) -> None:
    bank.blink.faults.add(Fault("lnInvoicePaymentSend", kind))  # type: ignore[arg-type]
    request = await payout(bank)
    assert isinstance(await bank.client.pay_invoice(bank.wallet, request), Refusal)
    (made,) = bank.blink.invoices(bank.merchants_wallet)
    entries = await bank.client.entries_of(bank.wallet, PaymentHash(made.payment_hash))
    assert isinstance(proof_of(entries), Paid) is (kind == "failure_after_commit")


def sent(status: str, direction: str = "SEND") -> dict[str, str]:
    return {"id": "send-1", "direction": direction, "status": status}


@pytest.mark.parametrize(
    ("status", "transaction", "outcome"),
    [
        ("SUCCESS", sent("SUCCESS"), Paid("send-1")),
        ("SUCCESS", sent("PENDING"), Underway()),
        ("SUCCESS", sent("SUCCESS", "RECEIVE"), Underway()),
        ("SUCCESS", None, Underway()),
        ("PENDING", sent("PENDING"), Underway()),
        ("PENDING", None, Underway()),
        ("PENDING", sent("SUCCESS"), Underway()),
        ("ALREADY_PAID", sent("SUCCESS"), Paid("send-1")),
        ("ALREADY_PAID", sent("PENDING"), Underway()),
        ("ALREADY_PAID", sent("SUCCESS", "RECEIVE"), Underway()),
        ("FAILURE", None, Refusal(None, "no reason given")),
        (None, None, Refusal(None, "no reason given")),
        # A SEND beside a FAILURE proves nothing here: the entries are asked.
        ("FAILURE", sent("SUCCESS"), Refusal(None, "no reason given")),
    ],
)
async def test_each_status_is_understood_as_what_it_proves(
    odd: Odd, oddly: BlinkClient, bank: Bank, status: object, transaction: object, outcome: object
) -> None:
    reply = {"errors": [], "status": status, "transaction": transaction}
    odd.says({"data": {"lnInvoicePaymentSend": reply}})
    assert await oddly.pay_invoice(bank.wallet, "lnbcrt1something") == outcome


async def test_the_first_error_is_the_reason(odd: Odd, oddly: BlinkClient, bank: Bank) -> None:
    errors = [{"message": "first", "code": None}, {"message": "second", "code": "B"}]
    reply = {"errors": errors, "status": "FAILURE", "transaction": None}
    odd.says({"data": {"lnInvoicePaymentSend": reply}})
    assert await oddly.pay_invoice(bank.wallet, "lnbcrt1something") == Refusal(None, "first")


# Reading


async def test_the_entries_of_a_hash_are_those_of_the_wallet(bank: Bank) -> None:
    bank.blink.bank.settlement.receive(
        made := bank.blink.bank.invoices.create(InvoiceOrder(bank.wallet, 1_000, "Sale", 15)), 1_000
    )
    (entry,) = await bank.client.entries_of(bank.wallet, PaymentHash(made.payment_hash))
    (kept,) = bank.blink.transactions(bank.wallet)
    assert entry.receipt() == Receipt(PaymentHash(made.payment_hash), kept.id, Sats(1_000))
    assert (entry.direction, entry.status) == (Direction.RECEIVE, EntryStatus.SUCCESS)
    assert entry.external_id == kept.external_id
    assert await bank.client.entries_of(bank.wallet, HASH) == []


async def receive(bank: Bank, count: int) -> list[str]:
    """Receipts, one after the other; their transaction ids, newest first."""
    bank.blink.bank.invoices.own_limit.points = count + 10
    for _ in range(count):
        made = bank.blink.bank.invoices.create(InvoiceOrder(bank.wallet, 10, "Sale", 15))
        await bank.blink.pay(made.payment_request)
    return [entry.id for entry in bank.blink.transactions(bank.wallet)]


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (99, 1), (100, 1), (101, 2), (205, 3)]
)
async def test_as_many_pages_are_read_as_there_are(bank: Bank, count: int, pages: int) -> None:
    ids = await receive(bank, count)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    before = len(bank.blink.calls)
    read = [page async for page in bank.client.entries_since(bank.wallet, long_ago)]
    assert len(bank.blink.calls) - before == len(read) == pages
    assert sorted(entry.id for page in read for entry in page) == sorted(ids)


async def test_no_page_is_read_beyond_the_one_on_which_the_time_lies(bank: Bank) -> None:
    await receive(bank, 150)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    before = len(bank.blink.calls)
    read = [page async for page in bank.client.entries_since(bank.wallet, soon)]
    assert [list(page) for page in read] == [[]]
    assert len(bank.blink.calls) == before + 1


async def test_who_has_seen_enough_reads_no_further_page(bank: Bank) -> None:
    await receive(bank, 150)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    before = len(bank.blink.calls)
    async for page in bank.client.entries_since(bank.wallet, long_ago):
        assert len(page) == 100
        break
    assert len(bank.blink.calls) == before + 1


async def test_the_invoices_of_a_wallet_are_listed_newest_first(bank: Bank) -> None:
    bank.blink.bank.invoices.own_limit.points = 200
    for n in range(120):
        bank.blink.bank.invoices.create(
            InvoiceOrder(bank.wallet, 10, "Sale", 15, external_id=f"name-{n}")
        )
    long_ago = datetime.now(UTC) - timedelta(days=1)
    read = [page async for page in bank.client.invoices_since(bank.wallet, long_ago)]
    assert [len(page) for page in read] == [100, 20]
    assert {it.external_id for page in read for it in page} == {f"name-{n}" for n in range(120)}


async def test_dollars_are_no_entries(odd: Odd, oddly: BlinkClient, bank: Bank) -> None:
    via = {"__typename": "InitiationViaOnChain"}
    entry = {"id": "1", "direction": "RECEIVE", "status": "SUCCESS", "settlementAmount": 5}
    entry |= {"settlementCurrency": "USD", "externalId": None, "createdAt": 1}
    found = {"transactionsByPaymentHash": [{**entry, "initiationVia": via}]}
    odd.says({"data": {"me": {"defaultAccount": {"walletById": found}}}})
    assert await oddly.entries_of(bank.wallet, HASH) == []


async def test_an_entry_that_was_not_begun_by_lightning_has_no_hash(bank: Bank) -> None:
    friend = bank.blink.open_account("friend", sats=1_000)
    query = """mutation ($i: IntraLedgerPaymentSendInput!) {
        intraLedgerPaymentSend(input: $i) { status } }"""
    value = {"walletId": friend.btc_wallet_id, "recipientWalletId": bank.wallet, "amount": 500}
    key = bank.connect("WRITE", account=friend)
    from aiohttp import ClientSession

    async with ClientSession(headers={"X-API-KEY": key}) as http:
        body = {"query": query, "variables": {"i": value}}
        async with http.post(bank.blink.api_url, json=body) as answer:
            assert answer.status == 200
    long_ago = datetime.now(UTC) - timedelta(days=1)
    (page,) = [page async for page in bank.client.entries_since(bank.wallet, long_ago)]
    assert [(it.amount, it.payment_hash, it.receipt()) for it in page] == [(500, None, None)]


async def test_the_btc_wallet_is_found(bank: Bank) -> None:
    assert await bank.client.btc_wallet() == bank.wallet


async def test_an_account_without_a_btc_wallet_is_told_of(odd: Odd, oddly: BlinkClient) -> None:
    wallets = [{"id": "usd", "walletCurrency": "USD"}]
    odd.says({"data": {"me": {"defaultAccount": {"wallets": wallets}}}})
    with pytest.raises(Unknown, match="no BTC wallet"):
        await oddly.btc_wallet()


async def test_the_credentials_are_what_blink_says_of_the_key(bank: Bank) -> None:
    found = await bank.client.credentials()
    assert set(found.scopes) == {"READ", "RECEIVE", "WRITE"}
    assert found.network == "regtest"
    assert {(it.wallet_currency, it.balance) for it in found.wallets} == {
        ("BTC", 1_000_000),
        ("USD", 0),
    }


async def test_a_key_that_may_not_read_is_refused(bank: Bank) -> None:
    key = SecretStr(bank.connect("RECEIVE"))
    async with BlinkClient.connect(bank.blink.api_url, key) as client:
        with pytest.raises(Refused):
            await client.credentials()
        with pytest.raises(Refused):
            await client.btc_wallet()
        await client.create_invoice(bank.wallet, Sats(1), "", 15, NAME)


async def test_a_key_that_blink_does_not_know_is_refused(bank: Bank) -> None:
    bank.blink.revoke_key(bank.key)
    with pytest.raises(Refused, match="KEY_REFUSED"):
        await bank.client.btc_wallet()


# The date


async def test_the_date_is_the_servers(bank: Bank) -> None:
    off = datetime.now(UTC) - await date_of(bank.blink.api_url)
    assert timedelta(seconds=-1) < off < timedelta(seconds=3)


async def test_a_refusal_has_a_date_too(odd: Odd) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Date": "Sat, 01 Aug 2026 12:00:00 GMT"})

    odd.answer = answer
    assert await date_of(odd.url) == datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Aug 2026 12:00:00 GMT"])
async def test_a_date_that_is_none_is_unknown(odd: Odd, date: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Date": date})

    odd.answer = answer
    with pytest.raises(Unknown):
        await date_of(odd.url)


async def test_the_date_of_who_is_not_there_is_unknown(unused_tcp_port: int) -> None:
    with pytest.raises(Unknown):
        await date_of(f"http://127.0.0.1:{unused_tcp_port}/")


# Secrets


async def test_the_api_key_is_in_no_log(bank: Bank, logged: pytest.LogCaptureFixture) -> None:
    await create(bank)
    with pytest.raises(Refused):
        await create(bank)
    await bank.client.credentials()
    logging.getLogger("aiohttp.client").debug("something is logged")
    assert "something is logged" in logged.text
    assert bank.key not in logged.text
