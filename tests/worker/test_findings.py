"""What a ledger shows and nothing explains is kept until a person closes it, each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from forwarder.model.actor import Actor
from forwarder.model.finding import FindingKind, FindingState
from forwarder.model.forward import ForwardState
from forwarder.model.history import History, Outcome
from forwarder.model.invoice import Invoice
from forwarder.model.ledger import Direction, Entry, EntryStatus, LedgerPage
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.sandbox.invoices import InvoiceOrder
from forwarder.store import findings as kept_findings
from forwarder.store import histories, payments, reconciliation
from forwarder.store.database import StoreError
from forwarder.worker import missing_sends
from forwarder.worker.audit import Audit
from forwarder.worker.desk import ClosedBefore, NoSuchFinding
from forwarder.worker.doctor import examine
from tests.worker.conftest import PAY, READ, Shop, cut
from tests.worker.test_reconciler import forwarded, receive, send

KINDS = FindingKind


async def settle(shop: Shop) -> list[FindingKind]:
    """Reconcile a day later, twice: what is found then is what stays."""
    await shop.reconciler.reconcile()
    shop.clock.advance(86_400)
    await shop.reconciler.reconcile()
    return await shop.found()


async def gifts(shop: Shop, count: int) -> list[PaymentHash]:
    """What others receive on the account, of no concern to us."""
    return [await receive(shop, f"gift-{number}") for number in range(count)]


async def bustle(shop: Shop, count: int) -> None:
    """So much of other software's business on the account."""
    payer = shop.blink.open_account("payer", sats=count)
    for _ in range(count):
        await shop.blink.transfer(payer, shop.pos, 1)


# Closing


async def test_a_finding_stays_until_a_person_closes_it_and_keeps_what_they_said(
    shop: Shop,
) -> None:
    await shop.sell()
    (gift,) = await gifts(shop, 1)
    assert await settle(shop) == [KINDS.UNMATCHED_RECEIPT]
    (finding,) = await shop.findings()
    assert (finding.payment_hash, finding.amount, finding.closed_at) == (gift, 1_000, None)
    closed = await shop.desk.close_finding(finding.id, "a tip for the chef", Actor.HTTP)
    assert (closed.note, closed.state) == ("a tip for the chef", FindingState.CLOSED)
    assert await settle(shop) == []
    assert [one.id for one in await shop.findings(FindingState.CLOSED)] == [finding.id]
    told = ["payment received, unmatched", "finding opened", "finding closed"]
    assert await shop.story(gift) == told
    with pytest.raises(ClosedBefore):
        await shop.desk.close_finding(finding.id, "no, mine", Actor.HTTP)
    with pytest.raises(NoSuchFinding):
        await shop.desk.close_finding(finding.id + 1, "what is this?", Actor.HTTP)


async def test_the_doctor_says_how_many_are_open(shop: Shop) -> None:
    await shop.sell()
    await gifts(shop, 2)
    await shop.reconciler.reconcile()
    said = {finding.subject: finding async for finding in examine(shop.settings, shop.clock)}
    assert not said["findings"].ok
    assert "2 are open" in said["findings"].detail


async def test_a_dry_run_finds_and_keeps_nothing(shop: Shop) -> None:
    invoice = await forwarded(shop)
    sent = await send(shop, shop.keyring.forward_name(invoice.payment_hash, 0, attempt=2))
    dry = await shop.reconciler.reconcile(dry_run=True)
    assert (dry.opened, dry.drift_sats, await shop.found()) == ([sent.id], 1_000, [])
    await shop.reconciler.reconcile()
    again = await shop.reconciler.reconcile(dry_run=True)
    assert (again.opened, again.drift_sats) == ([], 1_000)


# Kinds


async def test_a_direct_transfer_is_a_payment_by_its_transaction(shop: Shop) -> None:
    await shop.sell()
    payer = shop.blink.open_account("payer", sats=5_000)
    came = await shop.blink.transfer(payer, shop.pos, 700)
    assert await settle(shop) == [KINDS.UNMATCHED_RECEIPT]
    async with shop.database.reading() as tx:
        kept = await payments.find(tx, PaymentHash(came.id))
    assert kept is not None
    assert (kept.received, kept.transaction_id, kept.invoice_id) == (700, came.id, None)
    assert await shop.worker.work() == 0


async def test_a_lost_sale_that_is_kept_again_closes_its_finding(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    await shop.lose()
    shop.clock.advance(61)
    shop.fault(READ, "http_503", after=2)
    await shop.reconciler.reconcile()
    assert await shop.found() == [KINDS.UNMATCHED_RECEIPT]
    await shop.reconciler.reconcile()
    assert await shop.found() == []
    await shop.worker.work()
    await shop.is_forwarded(invoice)


async def test_what_was_settled_by_hand_and_was_paid_as_well_is_a_double_payout(
    shop: Shop,
) -> None:
    invoice = await shop.queue()
    shop.blink.disable_receive(shop.merchant)
    await shop.worker.work()
    shop.blink.disable_receive(shop.merchant, disabled=False)
    await shop.desk.resolve(invoice.payment_hash, "paid in cash", Actor.COMMAND)
    await send(shop, shop.keyring.forward_name(invoice.payment_hash, 0, attempt=2))
    assert await settle(shop) == [KINDS.DOUBLE_PAYOUT]
    (finding,) = await shop.findings()
    assert "settled by hand" in finding.text


async def test_a_refund_is_a_finding_and_no_difference(shop: Shop) -> None:
    await forwarded(shop)
    (sent,) = shop.blink.sends(shop.pos.btc_wallet_id)
    await shop.blink.refund(sent.id)
    assert await settle(shop) == [KINDS.REFUND]
    assert (await shop.reconciler.reconcile()).drift_sats == 0


async def test_a_refund_whose_finding_could_not_be_kept_is_found_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forwarded(shop)
    (sent,) = shop.blink.sends(shop.pos.btc_wallet_id)
    await shop.blink.refund(sent.id)

    async def fail(*_: object) -> bool:
        raise StoreError("the connection was cut")

    with monkeypatch.context() as cut:
        cut.setattr(kept_findings, "discover", fail)
        with pytest.raises(StoreError):
            await shop.reconciler.reconcile()
    assert (await shop.reconciler.reconcile()).refunded == []  # it was booked
    assert await shop.found() == [KINDS.REFUND]


@pytest.mark.parametrize("name", ["fwd-0001", "fwd-2024-0-1", "rent"])
async def test_a_foreign_send_is_no_difference_whatever_its_name_begins_with(
    shop: Shop, name: str
) -> None:
    await shop.sell()
    await send(shop, name)
    report = await shop.reconciler.reconcile()
    assert (report.strays, report.drift_sats) == ([], 0)
    assert await shop.found() == [KINDS.FOREIGN_SEND]


# One entry by itself


@pytest.mark.parametrize("memo", ["\x00", "\x1b]0;x\x07"])
async def test_a_strangers_memo_stops_nothing(shop: Shop, memo: str) -> None:
    """They know the name of a sale, for every payer sees it, and make an invoice of that name."""
    bought = await shop.sell()
    name = str(shop.blink.invoices(shop.pos.btc_wallet_id)[0].external_id)
    like_it = name[:-1] + ("1" if name.endswith("0") else "0")
    order = InvoiceOrder(shop.pos.btc_wallet_id, 1, memo, 15, like_it)
    made = shop.blink.bank.invoices.create(order)
    await shop.blink.pay(made.payment_request)
    await shop.pay(bought)
    await settle(shop)
    await shop.worker.work()
    await shop.is_forwarded(bought)


async def test_an_entry_that_is_not_understood_stops_no_other(shop: Shop) -> None:
    invoice = await shop.sell()
    gift = await receive(shop, "a-gift")
    (odd,) = shop.blink.receipts(shop.pos.btc_wallet_id)
    shop.blink.mystify(odd.id)
    await shop.pay(invoice)
    report = await shop.reconciler.reconcile()
    assert report.missed == [invoice.payment_hash]
    (finding,) = await shop.findings()
    assert (finding.kind, finding.transaction_id) == (KINDS.UNREADABLE_ENTRY, odd.id)
    assert gift not in report.unmatched
    await shop.worker.work()
    await shop.is_forwarded(invoice)


async def test_money_that_nothing_names_is_a_finding_and_no_payment(shop: Shop) -> None:
    """An id that is none of Blink's today: it could be the one of something else tomorrow."""
    entry = Entry("odd-id", Direction.RECEIVE, EntryStatus.SUCCESS, 300, None, None, shop.clock())
    wallet = await shop.common.wallets.of(Source.BLINK)
    pages = [LedgerPage([entry])]
    await Audit(shop.common, pages, wallet, shop.intake, dry_run=False).run()
    (finding,) = await shop.findings()
    assert (finding.transaction_id, finding.payment_hash) == ("odd-id", None)


@pytest.mark.parametrize("exc", [ValueError("odd"), TypeError("odd"), KeyError("odd")])
async def test_an_entry_that_cannot_be_handled_is_set_aside(
    shop: Shop, exc: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = await shop.sell()
    first = await receive(shop, "a-gift")
    await shop.pay(invoice)
    take = shop.intake.take

    async def stumble(receipts: Sequence[object], *more: object) -> None:
        if any(getattr(one, "payment_hash", None) == first for one in receipts):
            raise exc
        await take(receipts, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.intake, "take", stumble)
    report = await shop.reconciler.reconcile()
    assert report.missed == [invoice.payment_hash]
    assert await shop.found() == [KINDS.UNREADABLE_ENTRY]


async def test_an_entry_that_the_database_refuses_is_set_aside(shop: Shop) -> None:
    invoice = await shop.sell()
    first = await receive(shop, "a-gift")
    await shop.pay(invoice)
    await shop.refuse("payments", f"NEW.payment_hash = '{first}'")
    report = await shop.reconciler.reconcile()
    assert report.missed == [invoice.payment_hash]
    assert await shop.found() == [KINDS.UNREADABLE_ENTRY]


async def test_a_database_that_fails_ends_the_run_and_blames_no_entry(shop: Shop) -> None:
    await shop.pay(await shop.sell())
    async with shop.without("journal"):
        with pytest.raises(Exception, match="no such table"):
            await shop.reconciler.reconcile()
    assert await shop.found() == []
    assert len((await shop.reconciler.reconcile()).missed) == 1


# What the books say was sent


async def unpaid(shop: Shop, transaction: str = "0123456789abcdef01234567") -> Invoice:
    """A forward with a payout invoice that nobody has paid, and that counts as paid."""
    invoice = await shop.queue()
    shop.fault(PAY, "http_503")
    await shop.worker.work()
    forward = await shop.forward(invoice)
    await shop.force(
        forward,
        state=ForwardState.FORWARDED,
        transaction_id=transaction,
        ended_at=shop.clock(),
        sent_from=shop.wallet,
        held_reason=None,
        due_at=None,
    )
    return invoice


async def test_a_forward_whose_payment_the_ledger_does_not_have_is_found(shop: Shop) -> None:
    invoice = await unpaid(shop)
    await shop.reconciler.reconcile()
    assert await shop.found() == []  # a ledger may be as late
    shop.clock.advance(201)
    report = await shop.reconciler.reconcile()
    (finding,) = await shop.findings()
    assert (finding.kind, finding.payment_hash) == (KINDS.MISSING_SEND, invoice.payment_hash)
    assert report.drift_sats == 1_000


async def test_a_list_that_is_cut_is_no_proof_that_a_payment_is_missing(shop: Shop) -> None:
    invoice = await forwarded(shop)
    await shop.force(await shop.forward(invoice), ended_at=shop.clock() + timedelta(hours=1))
    shop.clock.advance(3_600 + 300)
    assert await settle(shop) == []


async def test_a_payment_that_lies_before_what_was_read_is_not_missing(shop: Shop) -> None:
    """The books have it later than the ledger: it is asked for, and found."""
    invoice = await forwarded(shop)
    await shop.reconciler.reconcile()
    shop.clock.advance(3_600)
    await receive(shop, "a-gift")
    await shop.reconciler.reconcile()
    await shop.force(await shop.forward(invoice), ended_at=shop.clock())
    shop.clock.advance(201)
    await shop.reconciler.reconcile()
    assert await shop.found() == [KINDS.UNMATCHED_RECEIPT]


async def test_what_blink_does_not_tell_of_a_payment_is_no_finding(shop: Shop) -> None:
    await unpaid(shop)
    shop.clock.advance(201)
    shop.fault(READ, "http_503", after=2)
    await shop.reconciler.reconcile()
    assert await shop.found() == []
    await shop.reconciler.reconcile()
    assert await shop.found() == [KINDS.MISSING_SEND]


async def test_only_so_many_are_asked_about_in_a_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_sends, "ASKED_AT_ONCE", 1)
    for number in range(2):
        await unpaid(shop, f"{number:024x}")
    shop.clock.advance(201)
    for found in (1, 2):
        await shop.reconciler.reconcile()
        assert await shop.found() == [KINDS.MISSING_SEND] * found
        shop.clock.advance(1_800)


# The look back


async def history(shop: Shop) -> tuple[int, Outcome | None]:
    async with shop.database.reading() as tx:
        found = await histories.find(tx, Source.BLINK, shop.wallet)
    return found.entries, found.outcome


async def test_lost_sales_are_found_however_many_foreign_entries_stand_before_them(
    shop: Shop,
) -> None:
    lost = await shop.sell(777)
    await shop.pay(lost)
    await shop.lose()
    shop.clock.advance(61)
    await bustle(shop, 120)
    assert (await shop.reconciler.reconcile()).rebuilt == [lost.payment_hash]
    assert (await history(shop))[1] is Outcome.LOST
    await shop.worker.work()
    await shop.is_forwarded(lost)


async def test_a_long_look_goes_on_where_it_was_cut(shop: Shop) -> None:
    lost = await shop.sell(777)
    await shop.pay(lost)
    await shop.lose()
    shop.clock.advance(61)
    await bustle(shop, 120)
    await cut("lookback.read", shop.reconciler.reconcile())
    assert await history(shop) == (100, None)
    assert (await shop.reconciler.reconcile()).rebuilt == [lost.payment_hash]
    assert (await history(shop))[0] == 121


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("others", [0, 3])
async def test_a_copy_from_before_the_first_sale_is_known_for_one(
    shop: Shop, dry_run: bool, others: int
) -> None:
    await bustle(shop, others)
    await shop.reconciler.reconcile(dry_run=dry_run)  # and here the copy is made
    kept = await history(shop)
    assert kept == ((0, None) if dry_run else (others, Outcome.WHOLE))
    async with shop.database.reading() as tx:
        before = await reconciliation.last_run(tx, Source.BLINK)
    shop.clock.advance(3_600)
    lost = await shop.sell(777)
    await shop.pay(lost)
    await shop.lose()
    async with shop.database.transaction() as tx:
        await histories.keep(tx, Source.BLINK, shop.wallet, History(None, *kept))
        if before is not None:
            await reconciliation.keep_run(tx, Source.BLINK, before)
    shop.clock.advance(61)
    assert (await shop.reconciler.reconcile()).rebuilt == [lost.payment_hash]
    await shop.worker.work()
    await shop.is_forwarded(lost)


async def test_what_a_look_has_found_is_not_looked_for_again(shop: Shop) -> None:
    lost = await shop.sell(777)
    await shop.pay(lost)
    await shop.lose()
    shop.clock.advance(61)
    await cut("reconciler.read", shop.reconciler.reconcile())
    assert await history(shop) == (1, Outcome.LOST)
    assert (await shop.reconciler.reconcile()).rebuilt == [lost.payment_hash]


async def test_of_two_lost_sales_each_is_settled_by_its_own_payment(shop: Shop) -> None:
    paid_on = await forwarded(shop)
    waiting = await shop.sell(500)
    await shop.pay(waiting)
    await shop.lose()
    shop.clock.advance(61)
    report = await shop.reconciler.recover()
    assert set(report.rebuilt) == {paid_on.payment_hash, waiting.payment_hash}
    assert await shop.worker.work() == 1
    await shop.is_forwarded(waiting)
    assert shop.sends == 2


async def test_a_ledger_that_is_whole_is_looked_through_once(shop: Shop) -> None:
    await bustle(shop, 120)
    shop.clock.advance(3_600)
    await receive(shop, "a-gift")
    await shop.sell()
    await shop.reconciler.reconcile()
    assert (await history(shop))[1] is Outcome.WHOLE
    before = shop.operations(shop.pos).count(READ)
    await shop.reconciler.reconcile()
    assert shop.operations(shop.pos).count(READ) == before + 1


async def test_a_long_look_says_how_far_it_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("forwarder.worker.lookback.TELL_ENTRIES", 100)
    await bustle(shop, 120)
    await shop.reconciler.reconcile()
    assert "looking for lost sales" in logged.text
