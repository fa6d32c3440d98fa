"""The way of a forward when something goes wrong, step by step and at a time of our choice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from forwarder import failpoints
from forwarder.model.actor import Actor
from forwarder.model.creations import LIMIT, SPARED
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, Order
from forwarder.model.keyring import Keyring
from forwarder.model.payment import Receipt, Witness
from forwarder.model.source import Source
from forwarder.model.units import Sats, WalletId
from forwarder.sandbox import Account
from forwarder.sandbox.faults import FaultKind
from forwarder.sandbox.invoices import InvoiceOrder
from forwarder.sandbox.lateness import Query
from forwarder.store import invoices, merchants, moves, tables
from forwarder.store.database import StoreError
from forwarder.store.vault import Vault
from forwarder.worker import creations, patience, sending
from forwarder.worker.accounts import Accounts
from forwarder.worker.desk import Desk
from tests.model.samples import issue
from tests.worker.conftest import CREATE, PAY, READ, Shop, Worker

QUEUED, INVOICED, SENDING, FORWARDED, HELD, RESOLVED = ForwardState


async def held(shop: Shop, invoice: Invoice, resumes: bool) -> str:
    """Why the forward of a sale is held."""
    forward = await shop.forward(invoice)
    assert forward.state is HELD, forward
    assert (forward.due_at is not None) is resumes
    assert forward.held_reason is not None
    return forward.held_reason


async def invoiced(shop: Shop) -> tuple[Invoice, Forward]:
    """A sale whose forward has a payout invoice that is about to be paid."""
    invoice = await shop.queue()
    shop.fault(PAY, "lock_busy")
    await shop.worker.work()
    forward = await shop.forward(invoice)
    assert forward.state is INVOICED
    return invoice, forward


async def later(shop: Shop, seconds: float = 120) -> None:
    """Let time pass, and work on what is due then."""
    shop.clock.advance(seconds)
    await shop.worker.work()


async def test_a_forward_goes_all_the_way_at_once(shop: Shop) -> None:
    invoice = await shop.queue(1_234)
    assert await shop.worker.work() == 1
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_234, 1)
    assert await shop.worker.work() == 0


async def test_a_forward_at_its_end_is_not_worked_on(shop: Shop) -> None:
    invoice = await shop.queue()
    await shop.worker.work()
    calls = len(shop.blink.calls)
    for state in (FORWARDED, RESOLVED):
        done = replace(await shop.forward(invoice), state=state)
        await shop.worker.forwarding.advance(done)
    assert len(shop.blink.calls) == calls


# Held: a person is needed


async def test_a_merchant_who_may_not_receive_is_for_a_person(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.blink.disable_receive(shop.merchant)
    await shop.worker.work()
    assert "RECEIVE_DISABLED" in await held(shop, invoice, resumes=False)
    assert (shop.earned, shop.sends) == (0, 0)


async def test_what_is_held_for_a_person_is_not_taken_up_again(shop: Shop) -> None:
    await shop.queue()
    shop.blink.disable_receive(shop.merchant)
    await shop.worker.work()
    shop.clock.advance(86_400)
    assert await shop.worker.work() == 0


async def test_blinkpos_whose_key_was_revoked_waits_and_pays_nothing_twice(shop: Shop) -> None:
    invoice, _ = await invoiced(shop)
    shop.blink.revoke_key(shop.pos_key)
    await later(shop)
    assert (await shop.forward(invoice)).state is SENDING  # nothing can be proven
    assert shop.sends == 0


# Held, but it goes on when somebody has seen to it


async def test_a_merchant_whose_account_was_locked_is_paid_when_it_is_open_again(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.blink.set_status(shop.merchant, "locked")
    await shop.worker.work()
    assert "Not authorized" in await held(shop, invoice, resumes=True)
    shop.blink.set_status(shop.merchant, "active")
    await later(shop)
    await shop.is_forwarded(invoice)


async def test_a_merchant_whose_key_was_revoked_is_paid_when_there_is_a_new_one(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.blink.revoke_key(shop.merchant_key)
    await shop.worker.work()
    assert "KEY_REFUSED" in await held(shop, invoice, resumes=True)
    await give_key(shop, "RECEIVE", "READ")
    await later(shop)
    await shop.is_forwarded(invoice)


async def test_a_merchant_whose_key_cannot_be_read_is_paid_when_it_can_be(shop: Shop) -> None:
    invoice = await shop.queue()
    other = Vault(Keyring((SecretStr("another secret"),)))
    worker = Worker(shop, await shop.accounts_at(shop.blink.api_url, other))
    await worker.work()
    assert "FORWARDER_SECRET_KEY" in await held(shop, invoice, resumes=True)
    await later(shop)
    await shop.is_forwarded(invoice)


# Held, but it lifts by itself


async def test_an_empty_balance_is_waited_out(shop: Shop) -> None:
    invoice = await shop.queue()
    float_sats = shop.blink.balance(shop.pos.btc_wallet_id)
    drain = shop.blink.bank.invoices.create(
        InvoiceOrder(shop.merchant.btc_wallet_id, float_sats, "elsewhere", 15)
    )
    await shop.blink.pay_from(shop.pos, drain.payment_request)
    await shop.worker.work()
    assert "INSUFFICIENT_BALANCE" in await held(shop, invoice, resumes=True)
    refill = shop.blink.bank.invoices.create(
        InvoiceOrder(shop.pos.btc_wallet_id, 5_000, "refill", 15)
    )
    await shop.blink.pay(refill.payment_request)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert shop.earned == float_sats + 1_000


@pytest.mark.parametrize("whose", ["account", "key"])
async def test_a_spending_limit_is_waited_out(shop: Shop, whose: str) -> None:
    def limit(to: int | None) -> None:
        if whose == "key":
            shop.blink.limit_key(shop.pos_key, to)
        else:
            shop.blink.limit_account(shop.pos, to)

    invoice = await shop.queue()
    limit(0)
    await shop.worker.work()
    assert "TRANSACTION_RESTRICTED" in await held(shop, invoice, resumes=True)
    await later(shop)
    assert "TRANSACTION_RESTRICTED" in await held(shop, invoice, resumes=True)
    limit(None)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


async def test_a_limit_on_receiving_is_waited_out(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.merchant_fault(CREATE, "failure_no_effect", code="TRANSACTION_RESTRICTED")
    await shop.worker.work()
    assert "TRANSACTION_RESTRICTED" in await held(shop, invoice, resumes=True)
    await later(shop)
    await shop.is_forwarded(invoice)


# The payout invoice


@pytest.mark.parametrize("kind", ["too_many_requests", "lock_busy", "http_503", "refuse"])
async def test_a_payout_invoice_that_cannot_be_had_now_is_asked_for_again(
    shop: Shop, kind: str
) -> None:
    invoice = await shop.queue()
    shop.merchant_fault(CREATE, kind)  # type: ignore[arg-type]
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is QUEUED
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


def named(shop: Shop, forward: Forward, **order: object) -> None:
    """An invoice of the name that the payout invoice is to have, made by somebody else."""
    values = {"wallet_id": shop.merchant.btc_wallet_id, "amount": 1_000, "memo": "x", **order}
    values = {"expires_in": 15, "external_id": forward.external_id, **values}
    shop.blink.bank.invoices.create(InvoiceOrder(**values))  # type: ignore[arg-type]


async def test_a_payout_invoice_of_another_amount_is_not_paid(shop: Shop) -> None:
    invoice = await shop.queue()
    named(shop, await shop.forward(invoice), amount=1_001)
    await shop.worker.work()
    assert "1001000 msat, not 1000 sat" in await held(shop, invoice, resumes=False)
    assert shop.sends == 0


async def test_a_payout_invoice_that_has_expired_is_replaced(shop: Shop) -> None:
    invoice = await shop.queue()
    named(shop, await shop.forward(invoice), expires_in=1)
    await later(shop)
    assert shop.sends == 0
    await later(shop, 201)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 2
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_a_payout_invoice_of_another_network_is_not_paid(shop: Shop) -> None:
    mainnet = issue(1_000, "mainnet", at=shop.clock())
    order = Order("mainnet", Sats(1_000), "", 900)
    async with shop.database.transaction() as tx:
        invoice = await invoices.keep(tx, shop.seller.id, order, mainnet, shop.clock(), shop.wallet)
    assert invoice is not None
    receipt = Receipt(mainnet.payment_hash, "tx-mainnet", Sats(1_000))
    await shop.intake.take([receipt], Source.BLINK, Witness.SUBSCRIPTION)
    await shop.worker.work()
    assert "network" in await held(shop, invoice, resumes=False)
    assert shop.sends == 0


# A name that Blink knows already


async def give_key(shop: Shop, *scopes: str) -> None:
    """Give the merchant a key that may do so much."""
    key = shop.blink.create_key(shop.merchant, scopes)
    async with shop.database.transaction() as tx:
        await merchants.put(
            tx,
            shop.vault,
            name="merchant",
            api_key=SecretStr(key),
            token=SecretStr("token"),
            wallet_id=WalletId(shop.merchant.btc_wallet_id),
            now=shop.clock(),
        )


async def test_a_lost_payout_invoice_that_cannot_be_listed_is_not_replaced_before_that_is_sure(
    shop: Shop,
) -> None:
    await give_key(shop, "RECEIVE")
    invoice = await shop.queue()
    shop.merchant_fault(CREATE, "lost_answer")
    await shop.worker.work()
    await later(shop, 61)
    waiting = await shop.forward(invoice)
    assert (waiting.state, waiting.attempt) == (QUEUED, 1)
    assert waiting.asked_at is not None
    assert waiting.due_at == waiting.asked_at + timedelta(seconds=200)
    assert await shop.worker.work(late=138) == 0
    assert shop.sends == 0
    await later(shop, 140)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 2
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_a_name_that_is_not_among_the_merchants_invoices_is_not_replaced_at_once(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    wallet = {"wallet_id": shop.merchant.usd_wallet_id, "currency": "USD", "amount": 5}
    named(shop, await shop.forward(invoice), expires_in=5, **wallet)
    await shop.worker.work()
    waiting = await shop.forward(invoice)
    assert (waiting.state, waiting.attempt) == (QUEUED, 1)
    assert waiting.due_at == shop.clock() + timedelta(seconds=200)
    await later(shop, 201)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 2


async def forgotten(shop: Shop, invoice: Invoice) -> None:
    """Put a forward back to before its payout invoice, as an old copy of the database would."""
    forward = await shop.forward(invoice)
    await shop.force(
        forward,
        state=QUEUED,
        payout_request=None,
        payout_hash=None,
        payout_expires_at=None,
        transaction_id=None,
        owner=None,
        due_at=shop.clock(),
    )


async def test_what_our_database_has_forgotten_is_found_paid_at_blink(shop: Shop) -> None:
    invoice = await shop.queue()
    await shop.worker.work()
    await forgotten(shop, invoice)
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_what_our_database_has_forgotten_and_blink_is_still_paying_is_waited_for(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "pending_then_success", seconds=3_600)
    await shop.worker.work()
    await forgotten(shop, invoice)
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is QUEUED
    shop.blink.hasten()
    await later(shop)
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_a_name_that_cannot_be_looked_up_now_is_looked_up_later(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.merchant_fault(CREATE, "lost_answer")
    await shop.worker.work()
    shop.fault(READ, "http_503", account=shop.pos.id)
    await later(shop, 2)
    assert (await shop.forward(invoice)).state is QUEUED
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


async def test_a_throttled_look_for_a_lost_payout_invoice_is_had_later(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.merchant_fault(CREATE, "lost_answer")
    await shop.worker.work()
    shop.merchant_fault(READ, "http_429")
    await later(shop, 2)
    waiting = await shop.forward(invoice)
    assert (waiting.state, waiting.attempt) == (QUEUED, 1)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


async def test_a_lost_payout_invoice_is_found_behind_others(shop: Shop) -> None:
    invoice = await shop.queue()
    forward = await shop.forward(invoice)
    named(shop, forward)
    named(shop, forward, external_id="a-sale-of-the-merchants-own")
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 1


async def test_a_person_is_asked_before_payout_invoices_are_lost_for_ever(shop: Shop) -> None:
    await give_key(shop, "RECEIVE")
    invoice = await shop.queue()
    for tried in range(6):
        # The name is known already, and the next one is lost again.
        shop.merchant_fault(CREATE, "lost_answer", after=min(tried, 1))
        await later(shop, 201)
    assert "5 payout invoices were lost" in await held(shop, invoice, resumes=False)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 5
    assert shop.sends == 0


# Paying


async def test_a_payment_that_never_left_is_made_later(shop: Shop, unused_tcp_port: int) -> None:
    invoice, _ = await invoiced(shop)
    shop.clock.advance(120)
    dead = Worker(shop, await shop.accounts_at(f"http://127.0.0.1:{unused_tcp_port}/graphql"))
    await dead.work()
    forward = await shop.forward(invoice)
    assert (forward.state, forward.lost_at) == (INVOICED, None)
    await later(shop)
    await shop.is_forwarded(invoice)


async def test_a_payment_whose_answer_was_lost_is_found_by_its_proof(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "lost_answer")
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is SENDING
    await later(shop)
    await shop.is_forwarded(invoice)
    assert shop.operations(shop.pos).count(PAY) == 1


async def test_a_payment_that_was_lost_before_blink_saw_it_is_made_with_the_same_invoice(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "refuse")
    await shop.worker.work()
    await later(shop)
    forward = await shop.forward(invoice)
    assert (forward.state, forward.lost_at) == (INVOICED, forward.sent_at)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


async def test_a_proof_that_cannot_be_had_is_asked_for_later(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "failure_after_commit")
    shop.fault(READ, "http_503", account=shop.pos.id)
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is SENDING
    await later(shop)
    await shop.is_forwarded(invoice)
    assert shop.operations(shop.pos).count(PAY) == 1


@pytest.mark.parametrize("kind", ["pending_then_success", "pending_then_failure"])
async def test_a_payment_that_is_under_way_is_waited_for(shop: Shop, kind: str) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, kind, seconds=3_600)  # type: ignore[arg-type]
    await shop.worker.work()
    await later(shop)
    assert (await shop.forward(invoice)).state is SENDING
    pending = [it for it in shop.blink.transactions(shop.pos.btc_wallet_id)]
    assert pending[0].status == "PENDING"

    shop.blink.hasten()
    await later(shop)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1
    assert shop.earned == 1_000


async def test_a_merchants_account_is_asked_for_no_more_than_blink_makes_in_a_minute(
    shop: Shop,
) -> None:
    """Whichever process asked, and however long it lived."""
    wallet = WalletId(shop.merchant.btc_wallet_id)
    async with shop.database.transaction() as tx:
        for _ in range(LIMIT):
            await creations.take(tx, shop.clock, wallet)
    invoice = await shop.queue()  # BlinkPOS's own account has a minute of its own
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is QUEUED
    assert CREATE not in shop.operations(shop.merchant)
    shop.clock.advance(60)
    await shop.worker.work()
    await shop.is_forwarded(invoice)


async def test_sales_that_were_rebuilt_leave_most_of_a_minute_to_those_of_today(
    shop: Shop,
) -> None:
    """A stranger who has paid a sale knows its name, and can have satoshis taken for lost sales."""
    wallet = WalletId(shop.merchant.btc_wallet_id)
    lost, sold = await shop.queue(), await shop.queue()
    table = tables.invoices
    async with shop.database.transaction() as tx:
        for _ in range(LIMIT - SPARED):
            await creations.take(tx, shop.clock, wallet)
        mine = update(table).where(table.c.id == lost.id)
        await tx.execute(mine.values(external_id=f"pos-{'0' * 16}-{'0' * 40}"))
    await shop.worker.work()
    assert (await shop.forward(lost)).state is QUEUED
    assert (await shop.forward(sold)).state is FORWARDED
    shop.clock.advance(60)
    await shop.worker.work()
    await shop.is_forwarded(lost)


async def test_more_than_was_received_is_never_sent(shop: Shop) -> None:
    invoice, _ = await invoiced(shop)
    async with shop.database.transaction() as tx:
        await tx.execute(update(tables.payments).values(received=999))
    await later(shop)
    assert "more would be sent" in await held(shop, invoice, resumes=False)
    assert shop.sends == 0


async def test_while_another_process_is_sending_one_waits(shop: Shop) -> None:
    mine, yours = await shop.queue(), await shop.queue()
    other = Worker(shop, shop.accounts)
    (first, second) = await other.claim()
    shop.clock.advance(1)
    ready: list[Forward] = []
    for forward in (first, second):
        payout = await other.invoicing.make(forward)
        assert payout is not None
        ready.append(payout)
    assert await other.moves.begin_sending(ready[0], shop.wallet) is not None
    await other.forwarding.advance(ready[1])
    waiting = await shop.forward(yours)
    assert waiting.state is INVOICED
    assert waiting.due_at is not None
    assert 0 < (waiting.due_at - shop.clock()).total_seconds() < 1
    assert (await shop.forward(mine)).state is SENDING


async def test_who_is_stopping_begins_no_payment(shop: Shop) -> None:
    invoice, _ = await invoiced(shop)
    shop.clock.advance(120)
    (claimed,) = await shop.worker.claim()
    shop.worker.sending.close()
    await shop.worker.forwarding.advance(claimed)
    shop.worker.forwarding.stop()
    await shop.worker.forwarding.advance(claimed)
    assert (await shop.forward(invoice)).state is INVOICED
    assert shop.sends == 0


async def at_wallet(shop: Shop, url: str, wallet_id: str | None) -> Worker:
    """A process whose BlinkPOS is another wallet, or one that it does not know yet."""
    key, wallet = SecretStr(shop.pos_key), None if wallet_id is None else WalletId(wallet_id)
    opening = Accounts.open(url, key, wallet, shop.database, shop.vault)
    return Worker(shop, await shop.stack.enter_async_context(opening))


async def test_a_payment_waits_while_the_wallet_that_pays_is_not_known(
    shop: Shop, unused_tcp_port: int
) -> None:
    invoice, _ = await invoiced(shop)
    shop.clock.advance(120)
    await (await at_wallet(shop, f"http://127.0.0.1:{unused_tcp_port}/graphql", None)).work()
    assert (await shop.forward(invoice)).state is INVOICED
    await later(shop)
    await shop.is_forwarded(invoice)


@pytest.mark.parametrize("fault", ["lock_busy", "lost_answer"])
async def test_only_the_wallet_that_may_have_paid_goes_on(shop: Shop, fault: FaultKind) -> None:
    """Another one could neither prove what was paid, nor know that paying again is wrong."""
    invoice = await shop.queue()
    shop.fault(PAY, fault)
    await shop.worker.work()
    shop.clock.advance(120)
    paid = shop.sends
    await (await at_wallet(shop, shop.blink.api_url, shop.pos.usd_wallet_id)).work()
    assert shop.pos.btc_wallet_id in await held(shop, invoice, resumes=False)
    assert shop.sends == paid


@pytest.mark.parametrize("refusal", [None, "never to be paid"])
async def test_a_forward_without_a_payout_invoice_is_never_paid(
    shop: Shop, refusal: str | None
) -> None:
    invoice, forward = await invoiced(shop)
    await shop.force(forward, payout_hash=None, refusal=refusal)
    shop.clock.advance(120)
    (claimed,) = await shop.worker.claim()
    with pytest.raises((AssertionError, StoreError)):
        await shop.worker.forwarding.advance(claimed)
    assert (await shop.forward(invoice)).state is INVOICED
    assert shop.sends == 0


# A payout invoice that will never be paid, or so it is said


DEAD = {"kind": "failure_no_effect", "code": "INVOICE_DECODE_ERROR", "message": "what is this"}
PAID = {
    "kind": "failure_no_effect",
    "code": "LIGHTNING_PAYMENT_ERROR",
    "message": "Invoice is already paid",
}


async def condemned(shop: Shop) -> Invoice:
    """A sale whose payout invoice is dead."""
    invoice = await shop.queue()
    shop.fault(PAY, **DEAD)  # type: ignore[arg-type]
    await shop.worker.work()
    forward = await shop.forward(invoice)
    assert (forward.state, forward.attempt) == (SENDING, 1)
    assert "what is this" in (forward.refusal or "")
    return invoice


async def wait_out(shop: Shop) -> None:
    """Let both readings be had that prove that a payment is not in the ledger."""
    for seconds in (200, 60, 60):
        await later(shop, seconds)


@pytest.mark.usefixtures("one_clock")
async def test_a_dead_payout_invoice_is_replaced_only_when_the_ledger_is_sure(shop: Shop) -> None:
    invoice = await condemned(shop)
    for _ in range(3):
        await later(shop, 66)  # 198 s, whatever was answered
    forward = await shop.forward(invoice)
    assert (forward.attempt, forward.absent_at) == (1, None)
    await later(shop, 62)
    assert (await shop.forward(invoice)).absent_at == shop.clock()
    assert await shop.worker.work(late=9) == 0
    await later(shop, 10)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 2
    assert (shop.earned, shop.sends) == (1_000, 1)
    # Each payout invoice was sent once: who knows that one is dead does not try it again.
    assert shop.operations(shop.pos).count(PAY) == 2


@pytest.mark.usefixtures("one_clock")
async def test_who_has_replayed_before_has_not_agreed_to_pay_what_is_said_to_be_paid(
    shop: Shop,
) -> None:
    invoice, _ = await invoiced(shop)
    await shop.force(await shop.forward(invoice), state=HELD, held_reason="no balance")
    await shop.desk.replay(invoice.payment_hash, Actor.HTTP)
    shop.fault(PAY, "already_paid_elsewhere")
    await shop.worker.work()
    for _ in range(6):
        await later(shop, 66)
    assert "no payment of it is in the ledger" in await held(shop, invoice, resumes=False)
    assert shop.sends == 0


@pytest.mark.usefixtures("one_clock")
async def test_a_clock_that_is_put_right_makes_nobody_busy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept an hour ahead is due neither at once, again and again, nor in an hour."""
    invoice = await condemned(shop)
    for _ in range(4):
        await later(shop, 66)
    assert (await shop.forward(invoice)).absent_at is not None
    monkeypatch.setattr(patience, "monotonic", lambda: shop.clock().timestamp() + 7_200)
    shop.clock.advance(-3_600)
    steps = len(await shop.story(invoice.payment_hash))
    calls = len(shop.operations())
    for _ in range(5):
        await shop.worker.work()
    assert len(await shop.story(invoice.payment_hash)) <= steps + 2
    assert len(shop.operations()) <= calls + 2
    for _ in range(2):
        await later(shop, 70)
    await shop.is_forwarded(invoice)


async def test_another_clock_does_not_say_that_the_ledger_is_sure(shop: Shop) -> None:
    invoice = await condemned(shop)
    another = Worker(shop, shop.accounts)
    shop.clock.advance(3_600)  # the date was put right, or another process is ahead
    for worker in (shop.worker, another, shop.worker, another):
        await worker.work(late=120)
        shop.clock.advance(60)
    forward = await shop.forward(invoice)
    assert (forward.attempt, forward.absent_at) == (1, None)
    assert shop.sends == 0


LEDGER_SHOWS = (0.3, 1.0, 30.0, 180.0)
QUERIES: tuple[tuple[Query, ...], ...] = (("hash",), ("hash", "list", "answer"))


@pytest.mark.usefixtures("one_clock")
@pytest.mark.parametrize("queries", QUERIES)
@pytest.mark.parametrize("seconds", LEDGER_SHOWS)
@pytest.mark.parametrize("said", ["failure_after_commit", "lost_answer"])
async def test_a_ledger_that_shows_a_payment_late_leads_to_no_second_one(
    shop: Shop, said: FaultKind, seconds: float, queries: tuple[Query, ...]
) -> None:
    """The money has moved, and everything that is asked says otherwise for a while."""
    for query in queries:
        shop.blink.delay_sends(query, seconds)
    invoice = await shop.queue()
    shop.fault(PAY, said)
    await shop.worker.work()
    for _ in range(40):  # more than six minutes: the flow is older than five by then
        await later(shop, 10)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 1
    assert (shop.earned, shop.sends) == (1_000, 1)


@pytest.mark.usefixtures("one_clock")
async def test_a_payment_that_is_shown_on_some_queries_only_is_found(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.blink.delay_sends("hash", 86_400)
    shop.blink.delay_sends("answer", 86_400)
    shop.fault(PAY, "failure_after_commit")
    await shop.worker.work()
    await later(shop, 1)
    await wait_out(shop)
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)


@pytest.mark.usefixtures("one_clock")
@pytest.mark.parametrize("fault", [{"kind": "already_paid_elsewhere"}, PAID])
async def test_what_is_said_to_be_paid_waits_for_a_person_who_knows_by_whom(
    shop: Shop, fault: dict[str, object]
) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, **fault)  # type: ignore[arg-type]
    await shop.worker.work()
    await wait_out(shop)
    assert "paid" in await held(shop, invoice, resumes=False)
    assert (await shop.forward(invoice)).attempt == 1
    shop.clock.advance(86_400)
    assert await shop.worker.work() == 0
    await Desk(shop.common).replay(invoice.payment_hash, Actor.HTTP)
    await later(shop, 1)
    await later(shop, 1)
    await shop.is_forwarded(invoice)
    assert ((await shop.forward(invoice)).attempt, shop.sends) == (2, 1)


@pytest.mark.usefixtures("one_clock")
async def test_the_last_look_finds_that_a_dead_payout_invoice_was_paid(shop: Shop) -> None:
    invoice = await condemned(shop)
    payout = (await shop.forward(invoice)).payout
    assert payout is not None
    await later(shop, 200)
    await shop.blink.pay_from(shop.pos, payout.payment_request)
    await wait_out(shop)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 1
    assert (shop.earned, shop.sends) == (1_000, 1)


@pytest.mark.usefixtures("one_clock")
async def test_a_last_look_that_cannot_be_had_is_had_later(shop: Shop) -> None:
    invoice = await condemned(shop)
    shop.fault(READ, "http_503", account=shop.pos.id)
    await later(shop, 200)
    assert (await shop.forward(invoice)).absent_at is None
    await wait_out(shop)
    await shop.is_forwarded(invoice)
    assert shop.sends == 1


@pytest.mark.usefixtures("one_clock")
async def test_a_person_is_asked_before_payout_invoices_are_made_for_ever(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, times=None, **DEAD)  # type: ignore[arg-type]
    await shop.worker.work()
    for _ in range(5):
        await wait_out(shop)
    assert "5 payout invoices were refused" in await held(shop, invoice, resumes=False)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 5
    assert shop.sends == 0
    shop.blink.faults.clear()
    await Desk(shop.common).replay(invoice.payment_hash, Actor.HTTP)
    await later(shop, 1)
    await later(shop, 1)
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_a_process_that_was_stopped_before_its_call_does_not_make_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was about to send may have been given up by others meanwhile."""
    invoice, _ = await invoiced(shop)

    async def stop() -> None:
        frozen = asyncio.get_running_loop().time() + 600
        monkeypatch.setattr(sending, "monotonic", lambda: frozen)

    failpoints.arm("sending.kept", stop)
    await later(shop)
    assert shop.operations(shop.pos).count(PAY) == 1  # the one that found the lock busy
    failpoints.disarm()
    await later(shop)
    await shop.is_forwarded(invoice)
    assert shop.sends == 1


# A merchant who has another account


async def moves_away(shop: Shop, name: str = "elsewhere") -> Account:
    """The merchant's money goes to another account from now on."""
    account = shop.blink.open_account(name)
    key = shop.blink.create_key(account)
    async with shop.database.transaction() as tx:
        await merchants.put(
            tx,
            shop.vault,
            name="merchant",
            api_key=SecretStr(key),
            token=SecretStr("token"),
            wallet_id=None,
            now=shop.clock(),
        )
    return account


async def test_what_was_not_sent_yet_goes_where_the_merchants_money_goes_now(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.worker.sending.close()
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is INVOICED
    account = await moves_away(shop)
    after = Worker(shop, shop.accounts)
    await after.work(late=61)
    await shop.is_forwarded(invoice)
    assert (shop.blink.balance(account.btc_wallet_id), shop.earned) == (1_000, 0)


@pytest.mark.usefixtures("one_clock")
@pytest.mark.parametrize("why", ["closed", "disabled", "empty"])
async def test_what_was_refused_goes_to_the_merchants_new_account(shop: Shop, why: str) -> None:
    """Held for the old account or for want of money: it is never paid to the old one."""
    invoice, _ = await invoiced(shop)
    if why == "empty":
        shop.fault(PAY, "failure_no_effect", code="INSUFFICIENT_BALANCE", message="too little")
    elif why == "closed":
        shop.blink.set_status(shop.merchant, "migrated")
    else:
        shop.blink.disable_receive(shop.merchant)
    await later(shop)
    assert (await shop.forward(invoice)).state is HELD
    account = await moves_away(shop)
    shop.blink.set_status(shop.merchant, "active")
    shop.blink.disable_receive(shop.merchant, disabled=False)
    await Desk(shop.common).replay_all(Actor.HTTP)
    await later(shop, 1)
    await later(shop, 1)
    await wait_out(shop)
    await shop.is_forwarded(invoice)
    assert (shop.blink.balance(account.btc_wallet_id), shop.earned) == (1_000, 0)
    assert shop.sends == 1


@pytest.mark.usefixtures("one_clock")
@pytest.mark.parametrize("state", [QUEUED, INVOICED])
async def test_an_older_database_pays_no_new_account_what_a_late_ledger_may_still_show(
    shop: Shop, state: ForwardState
) -> None:
    """Blink refuses a second invoice of one name, but only on the account that has the first."""
    invoice = await shop.queue()
    for query in QUERIES[-1]:
        shop.blink.delay_sends(query, 180)
    if state is QUEUED:
        await shop.worker.work()
        await forgotten(shop, invoice)
    else:
        shop.worker.sending.close()
        await shop.worker.work()
        before = await shop.forward(invoice)
        await give_up_and_pay(shop, before)
        await shop.force(before, owner=None, due_at=shop.clock())
    assert shop.sends == 1
    await moves_away(shop)
    shop.clock.advance(1)
    after = Worker(shop, shop.accounts)
    for seconds in (1, *(60 for _ in range(6))):
        shop.clock.advance(seconds)
        await after.work()
    await shop.is_forwarded(invoice)
    assert shop.sends == 1


async def give_up_and_pay(shop: Shop, forward: Forward) -> None:
    """What a later state of the database did: the second attempt was paid, on another account."""
    name = shop.keyring.forward_name(forward.payment_hash, forward.position, 2)
    second = InvoiceOrder(
        shop.blink.open_account("between").btc_wallet_id, 1_000, "x", 15, external_id=name
    )
    made = shop.blink.bank.invoices.create(second)
    await shop.blink.pay_from(shop.pos, made.payment_request)


async def test_a_new_key_of_the_same_account_changes_nothing(shop: Shop) -> None:
    invoice, _ = await invoiced(shop)
    async with shop.database.transaction() as tx:
        await merchants.put(
            tx,
            shop.vault,
            name="merchant",
            api_key=SecretStr(shop.blink.create_key(shop.merchant)),
            token=SecretStr("token"),
            wallet_id=None,  # not known yet
            now=shop.clock(),
        )
    await later(shop)
    await shop.is_forwarded(invoice)
    assert (await shop.forward(invoice)).attempt == 1


@pytest.mark.parametrize("unknown", ["unreachable", "unreadable"])
async def test_a_new_account_that_is_not_known_yet_is_waited_for(
    shop: Shop, unknown: str, unused_tcp_port: int
) -> None:
    invoice, _ = await invoiced(shop)
    account = await moves_away(shop)
    shop.clock.advance(120)
    if unknown == "unreachable":
        shop.fault(READ, "http_503", account=account.id)
        await shop.worker.work()
        assert (await shop.forward(invoice)).state is INVOICED
    else:
        other = Vault(Keyring((SecretStr("another secret"),)))
        await Worker(shop, await shop.accounts_at(shop.blink.api_url, other)).work()
        assert "FORWARDER_SECRET_KEY" in await held(shop, invoice, resumes=True)
    assert shop.sends == 0


# A dead owner


async def dies_before(shop: Shop, step: Callable[[ForwardState], bool]) -> Invoice:
    """A sale on which a process worked that has died."""
    invoice = await shop.queue()
    dead = Worker(shop, shop.accounts)
    (claimed,) = await dead.claim()
    forward: Forward | None = claimed
    while forward is not None and not step(forward.state):
        if forward.state is INVOICED:
            begun = await dead.moves.begin_sending(forward, shop.wallet)
            assert begun is not None
            forward = begun
        else:
            forward = await dead.invoicing.make(forward)
    return invoice


@pytest.mark.parametrize("state", [QUEUED, INVOICED, SENDING])
@pytest.mark.parametrize("paid", [False, True])
async def test_what_a_dead_owner_has_left_is_taken_over_when_its_lease_ends(
    shop: Shop, state: ForwardState, paid: bool
) -> None:
    invoice = await dies_before(shop, lambda now: now is state)
    forward = await shop.forward(invoice)
    assert forward.state is state
    if paid and state is SENDING:
        assert forward.payout is not None
        await shop.blink.pay_from(shop.pos, forward.payout.payment_request)
    shop.clock.advance(4)
    assert await shop.worker.work() == 0
    await later(shop, 1)
    await later(shop)
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)
    assert len(shop.blink.invoices(shop.merchant.btc_wallet_id)) == 1


async def test_a_dead_owner_that_comes_back_moves_nothing(shop: Shop) -> None:
    invoice = await shop.queue()
    dead = Worker(shop, shop.accounts)
    (claimed,) = await dead.claim()
    await later(shop, 60)
    await shop.is_forwarded(invoice)
    with pytest.raises(moves.LostClaim):
        await dead.forwarding.advance(claimed)
    assert (shop.earned, shop.sends) == (1_000, 1)
