"""The books of the sandbox, whatever is done to them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.sandbox import Account, Fault, LedgerError, Sandbox, SandboxError
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.errors import Refusal
from forwarder.sandbox.faults import SendKind
from forwarder.sandbox.invoices import InvoiceOrder
from forwarder.sandbox.ledger import Details, Ledger, Posting, house_wallet
from forwarder.sandbox.payments import Attempt, SendOrder, TransferOrder
from tests.sandbox.client import START, Clock

ENTROPY = Entropy(Random(1))  # noqa: S311  replayable
OUTSIDE = house_wallet("outside", "BTC")

FAULTS: list[SendKind | None] = [
    None,
    "failure_after_commit",
    "pending_then_success",
    "pending_then_failure",
    "already_paid_elsewhere",
    "success_without_transaction",
]
STEP = st.tuples(
    st.integers(0, 3),  # the wallet that pays
    st.integers(0, 3),  # the wallet that is paid
    st.integers(1, 3000),
    st.sampled_from(["invoice", "transfer", "customer", "foreign"]),
    st.sampled_from(FAULTS),
)


def funded(ledger: Ledger, sats: int) -> None:
    postings = [Posting("alice", "BTC", sats), Posting(OUTSIDE, "BTC", -sats)]
    ledger.post(postings, Details("opening"), START)


def test_a_journal_that_does_not_add_up_is_not_booked() -> None:
    ledger = Ledger(ENTROPY)
    with pytest.raises(LedgerError, match="add up"):
        ledger.post([Posting("alice", "BTC", 1)], Details("opening"), START)
    mixed = [Posting("alice", "BTC", 1), Posting("alice", "USD", -1)]
    with pytest.raises(LedgerError, match="add up"):
        ledger.post(mixed, Details("opening"), START)
    assert ledger.balance("alice") == 0


def test_nobody_but_the_house_can_be_overdrawn() -> None:
    ledger = Ledger(ENTROPY)
    funded(ledger, 10)
    postings = [Posting("alice", "BTC", -11), Posting(OUTSIDE, "BTC", 11)]
    with pytest.raises(LedgerError, match="overdrawn by 1"):
        ledger.post(postings, Details("intraledger"), START)
    assert ledger.balance("alice") == 10


def test_a_reversed_journal_leaves_a_failed_pair_and_the_old_balance() -> None:
    ledger = Ledger(ENTROPY)
    funded(ledger, 10)
    postings = [Posting("alice", "BTC", -7), Posting(OUTSIDE, "BTC", 7)]
    details = Details("lightning", payment_hash="aa")
    entries = ledger.post(postings, details, START, "PENDING")
    assert ledger.balance("alice") == 3
    assert ledger.is_pending("aa")
    ledger.reverse(entries[0].journal_id, START)
    assert ledger.balance("alice") == 10
    assert [entry.status for entry in ledger.with_hash("aa")] == ["FAILURE"] * 4
    assert not ledger.is_recorded("aa")
    with pytest.raises(LedgerError, match="not pending"):
        ledger.settle(entries[0].journal_id)
    ledger.verify()


def test_ids_begin_with_their_second() -> None:
    object_id = ENTROPY.object_id(START)
    assert len(object_id) == 24
    assert int(object_id[:8], 16) == int(START.timestamp())


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=20), st.integers(0, 1000))
def test_the_books_balance_and_nobody_is_overdrawn(
    steps: list[tuple[int, int, int, str, SendKind | None]], seed: int
) -> None:
    asyncio.run(play(steps, seed))


async def play(steps: list[tuple[int, int, int, str, SendKind | None]], seed: int) -> None:
    sandbox = Sandbox(clock=Clock(), seed=seed)
    accounts = [sandbox.open_account(name, sats=5000) for name in ("alice", "bobby")]
    wallets = [wallet.id for account in accounts for wallet in account.wallets]
    for payer, payee, sats, action, kind in steps:
        fault = Fault("lnInvoicePaymentSend", kind, seconds=0) if kind else None
        with suppress(Refusal, SandboxError):
            await act(sandbox, wallets[payer], wallets[payee], sats, action, Attempt(fault=fault))
        await asyncio.sleep(0.001)
        sandbox.verify()
    assert total(sandbox, accounts) >= 0


async def act(
    sandbox: Sandbox, payer: str, payee: str, sats: int, action: str, attempt: Attempt
) -> None:
    bank = sandbox.bank
    if action == "transfer":
        await bank.payments.transfer(TransferOrder(payer, payee, sats), attempt)
    elif action == "foreign":
        request = sandbox.outside_invoice(sats)
        await bank.payments.send(SendOrder(payer, request), attempt)
    else:
        request = bank.invoices.create(InvoiceOrder(payee, memo="x")).payment_request
        if action == "customer":
            await sandbox.pay(request, sats)
        else:
            await bank.payments.send(SendOrder(payer, request, amount=sats), attempt)


def total(sandbox: Sandbox, accounts: list[Account]) -> int:
    return sum(sandbox.balance(wallet.id) for account in accounts for wallet in account.wallets)
