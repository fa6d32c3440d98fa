"""What Blink's ledger knows and ours does not comes to light, is mended, and is paid once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from forwarder.model.actor import Actor
from forwarder.model.finding import FindingKind
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import Invoice, Order
from forwarder.model.keyring import FORWARD
from forwarder.model.report import Report
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.sandbox.faults import FaultKind
from forwarder.sandbox.invoices import InvoiceOrder
from forwarder.sandbox.transactions import TransactionView
from forwarder.store import merchants, payments, reconciliation
from forwarder.worker import reconciler
from forwarder.worker.reconciler import Reconciler
from tests.worker.conftest import PAY, READ, TOKEN, Shop, Worker, cut, running, until

QUEUED, INVOICED, SENDING, FORWARDED, HELD, RESOLVED = ForwardState


async def forwarded(shop: Shop, sats: int = 1_000) -> Invoice:
    """A sale that is at its end, and old enough to be understood."""
    invoice = await shop.queue(sats)
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    shop.clock.advance(120)
    return invoice


async def send(shop: Shop, name: str, sats: int = 1_000) -> TransactionView:
    """BlinkPOS pays an invoice of the merchant's that has this name."""
    order = InvoiceOrder(shop.merchant.btc_wallet_id, sats, "x", 15, name)
    made = shop.blink.bank.invoices.create(order)
    await shop.blink.pay_from(shop.pos, made.payment_request)
    return shop.blink.sends(shop.pos.btc_wallet_id)[0]


async def receive(shop: Shop, name: str, sats: int = 1_000) -> PaymentHash:
    """A customer pays an invoice of BlinkPOS's that is none of our sales."""
    order = InvoiceOrder(shop.pos.btc_wallet_id, sats, "x", 15, name)
    made = shop.blink.bank.invoices.create(order)
    await shop.blink.pay(made.payment_request)
    return PaymentHash(made.payment_hash)


async def finds_nothing(shop: Shop) -> None:
    report = await shop.reconciler.reconcile()
    assert report.is_clean, report


# Receipts


async def test_a_receipt_that_nobody_has_told_of_is_taken_in(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    dry = await shop.reconciler.reconcile(dry_run=True)
    assert (dry.missed, dry.is_clean) == ([invoice.payment_hash], False)
    assert shop.page.kinds == []
    assert (await shop.reconciler.reconcile()).missed == [invoice.payment_hash]
    assert shop.page.kinds == ["payment"]
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    await finds_nothing(shop)


async def test_an_empty_ledger_is_read_without_complaint(shop: Shop) -> None:
    for _ in range(2):
        assert (await shop.reconciler.reconcile()).entries == 0
    await shop.sell()
    await finds_nothing(shop)


async def test_a_payment_that_is_no_sale_is_kept_and_shown(shop: Shop) -> None:
    await shop.sell()
    for name in ("a-gift", "pos-of-a-stranger"):
        gift = await receive(shop, name)
        report = await shop.reconciler.reconcile()
        assert gift in report.unmatched
        assert report.missed == []  # what others receive on the account was never ours to miss
        async with shop.database.reading() as tx:
            kept = await payments.find(tx, gift)
        assert kept is not None
        assert kept.invoice_id is None
    assert await shop.worker.work() == 0


async def test_what_was_received_before_there_was_a_service_is_left_alone(shop: Shop) -> None:
    gift = await receive(shop, "a-gift")
    report = await shop.reconciler.reconcile()
    assert (report.entries, report.is_clean) == (0, True)
    async with shop.database.reading() as tx:
        assert await payments.find(tx, gift) is None


@pytest.mark.parametrize("seen", [0, 1, 2])
async def test_an_invoice_that_blink_books_twice_is_forwarded_once_and_told_of(
    shop: Shop, seen: int, logged: pytest.LogCaptureFixture
) -> None:
    """Blink locks a wallet for its own customers, and a payment hash for all others."""
    invoice = await shop.sell()
    made = shop.blink.bank.invoices.find(invoice.payment_hash)
    assert made is not None
    for number in (1, 2):
        shop.blink.bank.settlement.receive(made, 1_000)
        if number <= seen:
            await shop.catch_up.run()
    report = await shop.reconciler.reconcile()
    assert report.drift_sats == 1_000
    assert await shop.found() == [FindingKind.SECOND_RECEIPT]
    await shop.worker.work()
    await shop.is_forwarded(invoice)
    assert shop.earned == 1_000


async def test_a_refund_is_booked_once_and_is_no_income(shop: Shop) -> None:
    await forwarded(shop)
    (sent,) = shop.blink.sends(shop.pos.btc_wallet_id)
    refund = await shop.blink.refund(sent.id)
    assert (await shop.reconciler.reconcile(dry_run=True)).refunded == [refund.id]
    assert (await shop.reconciler.reconcile()).refunded == [refund.id]
    assert (await shop.reconciler.reconcile()).refunded == []
    async with shop.database.reading() as tx:
        assert await reconciliation.refunded(tx) == 1_000
    assert await shop.worker.work() == 0


async def test_a_refund_of_a_payout_that_is_long_past_is_booked(shop: Shop) -> None:
    await forwarded(shop)
    (sent,) = shop.blink.sends(shop.pos.btc_wallet_id)
    shop.clock.advance(3_600)
    refund = await shop.blink.refund(sent.id)
    since = shop.clock() - timedelta(minutes=1)
    assert (await shop.reconciler.reconcile(since)).refunded == [refund.id]


async def test_a_stray_that_comes_back_is_kept_and_shown(shop: Shop) -> None:
    await shop.sell()
    stray = await send(shop, f"{FORWARD}{'0' * 40}-0-1", 300)
    refund = await shop.blink.refund(stray.id)
    report = await shop.reconciler.reconcile()
    assert report.strays == [stray.id]
    assert report.unmatched == [refund.payment_hash]
    assert report.refunded == []


# How far it was read


@pytest.mark.parametrize("was_read_before", [True, False])
async def test_a_run_from_a_given_time_on_hides_nothing_of_before(
    shop: Shop, was_read_before: bool
) -> None:
    await shop.sell()  # so that the ledger is read from here on
    if was_read_before:
        await receive(shop, "a-gift")
        await shop.reconciler.reconcile()
    shop.clock.advance(3_600)
    missed = await receive(shop, "another-gift")
    shop.clock.advance(3_600)
    await receive(shop, "the-last-gift")
    report = await shop.reconciler.reconcile(shop.clock() - timedelta(minutes=1))
    assert missed not in report.unmatched
    assert missed in (await shop.reconciler.reconcile()).unmatched
    shop.clock.advance(3_600)
    assert (await shop.reconciler.reconcile()).entries == 1


async def test_a_clock_that_ran_ahead_and_was_put_right_hides_nothing(shop: Shop) -> None:
    """A node's clock mostly is that of the service, and both are put right together."""
    shop.clock.advance(3_600)
    await forwarded(shop)
    await shop.reconciler.reconcile()
    shop.clock.advance(-3_600)
    first = await receive(shop, "a-gift")
    assert first in (await shop.reconciler.reconcile()).unmatched
    shop.clock.advance(1_200)
    second = await receive(shop, "another-gift")
    shop.clock.advance(1_200)
    assert second in (await shop.reconciler.reconcile()).unmatched


# A database that was lost


async def test_a_lost_sale_is_made_again_from_its_receipt_and_paid_once(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    await shop.lose()
    young = await shop.reconciler.reconcile()  # the till may still keep it
    assert (young.young, young.rebuilt) == ([invoice.payment_hash], [])
    shop.clock.advance(61)
    dry = await shop.reconciler.reconcile(dry_run=True)
    assert dry.rebuilt == [invoice.payment_hash]
    assert await shop.forwards(invoice) == []
    assert (await shop.reconciler.reconcile()).rebuilt == [invoice.payment_hash]
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is FORWARDED
    assert (shop.earned, shop.sends) == (1_000, 1)
    await finds_nothing(shop)


async def test_a_lost_database_is_rebuilt_and_pays_nobody_twice(shop: Shop) -> None:
    sold = [await forwarded(shop, 100 + n) for n in range(3)]
    await shop.lose()
    report = await shop.reconciler.recover()
    assert set(report.rebuilt) == set(report.settled) == {one.payment_hash for one in sold}
    assert report.drift_sats == 0
    assert await shop.worker.work() == 0
    assert shop.sends == 3
    await finds_nothing(shop)


async def test_what_was_paid_on_is_settled_as_it_is_taken_in(shop: Shop) -> None:
    """No moment is left in which it could be paid to the account that its merchant has now."""
    invoice = await forwarded(shop)
    shop.clock.advance(-90)  # so young that its till might still keep it, had it not been paid on
    await shop.lose()
    await cut("rebuilding.kept", shop.reconciler.recover())
    await shop.is_forwarded(invoice)
    assert (await shop.worker.work(), shop.sends) == (0, 1)


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("kind", ["pending_then_success", "pending_then_failure"])
async def test_a_payout_under_way_that_was_lost_is_waited_for(
    shop: Shop, kind: FaultKind, is_moved: bool
) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, kind, seconds=3_600)
    await shop.worker.work()
    await shop.lose()
    if is_moved:
        await move(shop)
    await shop.reconciler.recover()
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is QUEUED
    shop.clock.advance(1_200)
    await shop.worker.work()
    assert shop.operations(shop.pos).count(PAY) == 1

    shop.blink.hasten()
    for _ in range(3):
        shop.clock.advance(300)
        await shop.worker.work()
    forward = await shop.forward(invoice)
    assert (forward.state, shop.sends) == (FORWARDED, 1)
    await finds_nothing(shop)


async def move(shop: Shop) -> None:
    """Give the merchant another account, at which Blink knows no payout invoice of ours."""
    account = shop.blink.open_account("another")
    async with shop.database.transaction() as tx:
        await merchants.put(
            tx,
            shop.vault,
            name="merchant",
            api_key=SecretStr(shop.blink.create_key(account)),
            token=SecretStr(TOKEN),
            wallet_id=WalletId(account.btc_wallet_id),
            now=shop.clock(),
        )


@pytest.mark.parametrize("kind", ["http_503", "http_429"])
async def test_a_lost_sale_that_blink_cannot_show_is_looked_at_until_it_can(
    shop: Shop, kind: FaultKind
) -> None:
    """However much newer the rest of the ledger is."""
    invoice = await shop.sell()
    await shop.pay(invoice)
    shop.clock.advance(1_200)
    await receive(shop, "a-gift")
    await shop.lose()
    shop.clock.advance(120)
    shop.fault(READ, kind, after=2)  # after the look for lost sales, and the reading
    report = await shop.reconciler.reconcile()
    assert invoice.payment_hash in report.unmatched
    assert report.rebuilt == []
    shop.clock.advance(300)
    assert (await shop.reconciler.reconcile()).rebuilt == [invoice.payment_hash]
    await shop.worker.work()
    await shop.is_forwarded(invoice)


async def test_a_lost_sale_whose_invoice_makes_no_sense_is_shown_as_unmatched(
    shop: Shop, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    await shop.lose()
    shop.clock.advance(61)
    made = shop.blink.bank.invoices.find(invoice.payment_hash)
    monkeypatch.setattr(made, "payment_request", "lnbcrt1garbage")
    report = await shop.reconciler.reconcile()
    assert (report.unmatched, report.again_from) == ([invoice.payment_hash], None)
    assert "a lost invoice cannot be read" in logged.text


async def test_a_lost_database_is_noticed_behind_a_hundred_new_sales(shop: Shop) -> None:
    """The first reading of the ledger was cut, and the tills went on."""
    lost = await shop.sell(777)
    await shop.pay(lost)
    shop.clock.advance(3_600)
    await shop.lose()
    for number in range(101):
        shop.clock.advance(2)
        await shop.pay(await shop.sell(100, name=f"new-{number}"))
        await shop.catch_up.run()
    assert (await shop.reconciler.reconcile()).rebuilt == [lost.payment_hash]


async def test_what_a_wallet_received_while_another_was_in_its_place_is_found(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.reconciler.reconcile()
    another = shop.blink.open_account("another", sats=1_000)
    accounts = await shop.accounts_of(another)
    meanwhile = Reconciler(replace(shop.common, accounts=accounts), shop.intake, 300)
    await shop.pay(invoice)
    shop.clock.advance(1_800)
    order = Order("other", Sats(500), "", 900)
    other = await shop.sales_with(accounts).create(shop.seller, order)
    await shop.blink.pay(other.payment_request)
    assert (await meanwhile.reconcile()).missed == [other.payment_hash]
    shop.clock.advance(60)
    assert (await shop.reconciler.reconcile()).missed == [invoice.payment_hash]


# Sends


async def test_a_payout_whose_answer_was_lost_is_found_paid(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "lost_answer")
    await shop.worker.work()
    assert (await shop.forward(invoice)).state is SENDING
    assert (await shop.reconciler.reconcile(dry_run=True)).settled == [invoice.payment_hash]
    assert (await shop.forward(invoice)).state is SENDING
    assert (await shop.reconciler.reconcile()).settled == [invoice.payment_hash]
    await shop.is_forwarded(invoice)
    await finds_nothing(shop)


async def test_a_payout_that_somebody_works_on_is_left_to_them(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.fault(PAY, "lost_answer")
    await shop.worker.work()
    shop.clock.advance(30)
    assert len(await Worker(shop, shop.accounts).claim(late=120)) == 1
    assert (await shop.reconciler.reconcile()).settled == []
    assert (await shop.forward(invoice)).state is SENDING


async def test_a_payout_of_a_later_state_of_the_database_is_known_by_its_name(
    shop: Shop,
) -> None:
    """Yesterday's copy knows attempt 1; what was paid since then is attempt 2."""
    invoice = await shop.queue()
    name = shop.keyring.forward_name(invoice.payment_hash, 0, attempt=2)
    await send(shop, name)
    assert (await shop.reconciler.reconcile()).settled == [invoice.payment_hash]
    found = await shop.forward(invoice)
    assert (found.state, found.external_id) == (FORWARDED, name)
    assert (await shop.worker.work(), shop.sends) == (0, 1)


async def test_a_payout_is_known_by_its_name_when_its_payment_is_long_past(shop: Shop) -> None:
    invoice = await shop.queue()
    shop.clock.advance(3_600)
    await send(shop, shop.keyring.forward_name(invoice.payment_hash, 0, attempt=2))
    since = shop.clock() - timedelta(minutes=1)
    assert (await shop.reconciler.reconcile(since)).settled == [invoice.payment_hash]


async def test_a_send_that_no_payment_explains_is_drift(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    await shop.sell()
    stray = await send(shop, f"{FORWARD}{'0' * 40}-0-1", 300)
    await send(shop, "rent", 5_000)  # what BlinkPOS spends itself is its own business
    report = await shop.reconciler.reconcile()
    assert (report.strays, report.drift_sats) == ([stray.id], 300)
    assert await shop.found() == [FindingKind.FOREIGN_SEND, FindingKind.FOREIGN_SEND]
    assert "ledger and ours differ" in logged.text


async def test_a_send_for_a_payment_that_is_not_kept_yet_is_a_stray(shop: Shop) -> None:
    """A dry run takes nothing in, so what was sent for it has no forward."""
    invoice = await forwarded(shop)
    await shop.lose()
    dry = await shop.reconciler.reconcile(dry_run=True)
    assert (dry.missed, len(dry.strays)) == ([invoice.payment_hash], 1)


async def test_a_forward_that_was_paid_twice_is_told_and_counted(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    invoice = await forwarded(shop)
    await send(shop, shop.keyring.forward_name(invoice.payment_hash, 0, attempt=2))
    assert (await shop.reconciler.reconcile()).drift_sats == 1_000
    assert "a payment was forwarded once more" in logged.text
    shop.clock.advance(86_400)  # what nobody has explained is not forgotten
    assert (await shop.reconciler.reconcile()).drift_sats == 1_000
    (finding,) = await shop.findings()
    assert (finding.kind, finding.amount) == (FindingKind.DOUBLE_PAYOUT, 1_000)
    await shop.desk.close_finding(finding.id, "taken back by hand", Actor.COMMAND)
    assert (await shop.reconciler.reconcile()).drift_sats == 0


# The loop


@pytest.fixture(autouse=True)
def _unread(shop: Shop) -> None:
    """As at a start: Blink's ledger was not read yet."""
    shop.common.unread.add(Source.BLINK)


async def is_current(shop: Shop) -> None:
    await until(lambda: not shop.common.unread)


async def test_it_tries_again_while_blink_is_away_and_payouts_wait_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reconciler, "TRY_AGAIN_SECONDS", 0.01)
    shop.fault(READ, "http_503", times=3)
    async with running(lambda: shop.reconciler.run(Source.BLINK)):
        await until(lambda: "could not be read" in logged.text)
        assert Source.BLINK in shop.common.unread
        await is_current(shop)


async def test_it_looks_again_when_it_is_asked_to(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "SETTLED_SECONDS", 0.0)
    async with running(lambda: shop.reconciler.run(Source.BLINK)):
        await is_current(shop)
        await shop.pay(await shop.sell())
        shop.common.bells.reconcilers[Source.BLINK].ring()
        await until(lambda: shop.page.kinds == ["payment"])


async def test_it_looks_again_by_itself(shop: Shop) -> None:
    often = Reconciler(shop.common, shop.intake, interval_seconds=0.01)
    async with running(lambda: often.run(Source.BLINK)):
        await is_current(shop)
        await shop.pay(await shop.sell())
        await until(lambda: shop.page.kinds == ["payment"])


async def test_it_comes_back_soon_for_what_is_too_young_to_be_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "YOUNG_SECONDS", 0.01)
    invoice = await shop.sell()
    await shop.pay(invoice)
    await shop.lose()

    async def is_rebuilt() -> bool:
        return len(await shop.forwards(invoice)) == 1

    async with running(lambda: shop.reconciler.run(Source.BLINK)):
        await is_current(shop)
        assert not await is_rebuilt()
        shop.clock.advance(61)
        await until(is_rebuilt)


async def test_a_run_waits_for_the_one_before_it(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    reports = await asyncio.gather(*(shop.reconciler.reconcile() for _ in range(3)))
    assert [report.missed for report in reports] == [[invoice.payment_hash], [], []]


@pytest.mark.parametrize("found", ["missed", "rebuilt", "settled", "refunded", "strays", "opened"])
def test_whatever_had_to_be_mended_is_not_clean(found: str) -> None:
    report = Report(dry_run=False)
    assert report.is_clean
    getattr(report, found).append("something")
    assert not report.is_clean
    assert not Report(dry_run=False, drift_sats=1).is_clean
