"""What is counted is what has happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from forwarder.blink.errors import BlinkError
from forwarder.model.actor import Actor
from forwarder.model.handshakes import LIMIT
from forwarder.model.message import paid
from forwarder.model.report import Report
from forwarder.model.units import Sats
from forwarder.store.database import Database, StoreError
from forwarder.worker import scrape
from forwarder.worker.desk import Desk
from forwarder.worker.metrics import Metrics, Timing
from forwarder.worker.scrape import Process
from forwarder.worker.watcher import State
from tests.exposition import Exposition
from tests.model.samples import INVOICE, NOW
from tests.worker.conftest import CREATE, PAY, READ, Shop, running, until


async def scraped(shop: Shop) -> Exposition:
    process = Process(shop.watcher.watch, pages=3, tasks_down=0, read_key_usable=None)
    return Exposition((await scrape.exposition(shop.common, process)).decode())


async def test_a_sale_is_counted_from_its_payment_to_its_forward(shop: Shop) -> None:
    await shop.queue(2_100)
    shop.clock.advance(7)
    await shop.worker.work()
    now = await scraped(shop)
    assert now.value("forwarder_invoices_made_total") == 1
    assert now.value("forwarder_payments_received_total", source="blink") == 1
    assert now.value("forwarder_received_sats_total", witness="catch_up") == 2_100
    assert now.value("forwarder_received_sats_total", source="phoenixd") == 0
    assert now.value("forwarder_forwards_total", end="forwarded") == 1
    assert now.value("forwarder_forwarded_sats_total") == 2_100
    assert now.value("forwarder_paid_to_forwarded_seconds_sum") == 7
    assert now.value("forwarder_forwards_by_state", state="forwarded") == 1
    assert now.value("forwarder_invoices", state="paid") == 1
    assert now.value("forwarder_pages_connected") == 3


async def test_what_waits_at_blink_is_told_from_what_waits_at_a_node(shop: Shop) -> None:
    await shop.sell()
    now = await scraped(shop)
    assert now.value("forwarder_pending_invoices", source="blink") == 1
    assert now.value("forwarder_pending_invoices", source="phoenixd") == 0
    assert now.value("forwarder_invoices", state="pending") == 1


async def test_a_receipt_that_is_known_is_a_duplicate_and_no_payment(shop: Shop) -> None:
    await shop.queue()
    await shop.sell()  # something is pending, so that Blink is asked again
    await shop.catch_up.run()
    now = await scraped(shop)
    assert now.value("forwarder_payments_received_total") == 1
    assert now.value("forwarder_duplicate_receipts_total", witness="catch_up") == 1
    assert now.value("forwarder_catch_ups_total", outcome="done") == 2


async def test_what_is_on_its_way_grows_old(shop: Shop) -> None:
    assert (await scraped(shop)).value("forwarder_oldest_outstanding_seconds") == 0
    await shop.queue(500)
    shop.clock.advance(90)
    now = await scraped(shop)
    assert now.value("forwarder_oldest_outstanding_seconds") == 90
    assert now.value("forwarder_outstanding_sats") == 500


async def test_a_held_forward_is_counted_by_what_helps_and_later_as_resolved(shop: Shop) -> None:
    invoice = await shop.queue(500)
    shop.merchant_fault(CREATE, "failure_no_effect", code="RECEIVE_DISABLED")
    await shop.worker.work()
    now = await scraped(shop)
    assert now.value("forwarder_forwards_held_total", remedy="hold") == 1
    assert now.value("forwarder_forwards_held_total", remedy="wait") == 0
    assert now.value("forwarder_held_sats") == 500
    await Desk(shop.common).resolve(invoice.payment_hash, "paid in cash", Actor.COMMAND)
    now = await scraped(shop)
    assert now.value("forwarder_forwards_total", end="resolved") == 1
    assert now.value("forwarder_forwarded_sats_total") == 0


async def test_what_lifts_by_itself_is_counted_apart(shop: Shop) -> None:
    await shop.queue()
    shop.merchant_fault(CREATE, "failure_no_effect", code="TRANSACTION_RESTRICTED")
    await shop.worker.work()
    assert (await scraped(shop)).value("forwarder_forwards_held_total", remedy="wait") == 1


async def test_retries_and_proofs_are_counted(shop: Shop) -> None:
    await shop.queue()
    shop.merchant_fault(CREATE, "http_503")
    await shop.worker.work()
    shop.fault(PAY, "lost_answer")
    shop.clock.advance(60)
    await shop.worker.work()
    shop.fault(READ, "http_503", account=shop.pos.id)
    shop.clock.advance(60)
    await shop.worker.work()
    shop.clock.advance(60)
    await shop.worker.work()
    now = await scraped(shop)
    assert now.value("forwarder_forward_retries_total", state="queued") == 1
    assert now.value("forwarder_forward_retries_total", state="sending") == 2
    assert now.value("forwarder_proofs_total", proof="unanswered") == 1
    assert now.value("forwarder_proofs_total", proof="paid") == 1
    assert now.value("forwarder_forwards_total", end="forwarded") == 1


async def test_a_payout_that_only_the_ledger_knew_of_is_counted_as_found(shop: Shop) -> None:
    await shop.queue()
    shop.fault(PAY, "lost_answer")
    await shop.worker.work()
    shop.clock.advance(600)
    await shop.reconciler.reconcile()
    now = await scraped(shop)
    assert now.value("forwarder_forwards_total", end="found_paid") == 1
    assert now.value("forwarder_reconciliations_total", outcome="mended") == 1


async def test_readings_of_the_ledger_are_counted_by_what_they_showed(shop: Shop) -> None:
    nothing = await scraped(shop)
    assert "forwarder_reconciliation_drift_sats" not in nothing.names
    await shop.sell()
    await shop.reconciler.reconcile()
    shop.fault(READ, "http_503")
    with pytest.raises(BlinkError):
        await shop.reconciler.reconcile()
    now = await scraped(shop)
    assert now.value("forwarder_reconciliations_total", outcome="clean") == 1
    assert now.value("forwarder_reconciliations_total", outcome="failed") == 1
    assert now.value("forwarder_reconciliation_seconds_count") == 2
    assert now.value("forwarder_reconciliation_drift_sats") == 0
    last = now.value("forwarder_reconciliation_last_run_timestamp_seconds")
    assert last == shop.clock().timestamp()


def test_a_ledger_that_differs_is_not_called_mended() -> None:
    metrics = Metrics()
    metrics.reconciled(Report(dry_run=False, drift_sats=5))
    assert metrics.registry.get_sample_value(
        "forwarder_reconciliations_total", {"outcome": "differs"}
    )


async def test_the_watch_is_counted(shop: Shop) -> None:
    async with running(shop.watcher.run):
        invoice = await shop.sell()
        await until(lambda: shop.watcher.watch.state is State.OPEN)
        now = await scraped(shop)
        assert now.value("forwarder_subscription", state="open") == 1
        assert now.value("forwarder_subscription", state="closed") == 0
        assert now.value("forwarder_handshakes_left") == LIMIT - 1
        await shop.pay(invoice)
        await until(lambda: shop.watcher.watch.state is State.CLOSED)
    now = await scraped(shop)
    assert now.value("forwarder_subscription_opens_total") == 1
    assert now.value("forwarder_handshakes_total") == 1
    assert now.value("forwarder_blink_events_total", kind="payment") == 1
    assert now.value("forwarder_blink_events_total", kind="sign_of_life") >= 1
    assert now.value("forwarder_payments_received_total") == 1


async def test_an_event_that_is_not_understood_and_a_lost_subscription_are_counted(
    shop: Shop,
) -> None:
    shop.fault("event", "malformed")
    shop.fault("websocket", "refuse")
    async with running(shop.watcher.run):
        invoice = await shop.sell()
        await until(lambda: shop.watcher.watch.state is State.OPEN)
        await shop.pay(invoice)
        await until(lambda: shop.watcher.watch.state is State.CLOSED)
    now = await scraped(shop)
    assert now.value("forwarder_subscription_failures_total") == 1
    assert now.value("forwarder_blink_events_total", kind="gap") == 1


async def test_a_catch_up_that_fails_is_counted_as_failed(shop: Shop) -> None:
    await shop.sell()
    shop.fault(READ, "http_503")
    with pytest.raises(BlinkError):
        await shop.catch_up.run()
    assert (await scraped(shop)).value("forwarder_catch_ups_total", outcome="failed") == 1


async def test_without_a_database_the_scrape_says_so_and_goes_on(shop: Shop) -> None:
    shop.common.metrics.handshakes.inc()
    path = shop.settings.database_url.removeprefix("sqlite+aiosqlite:///")
    broken = Database(f"sqlite+aiosqlite:///{path}.nowhere/none.db")
    common = replace(shop.common, database=broken)
    process = Process(shop.watcher.watch, pages=0, tasks_down=1, read_key_usable=False)
    scraped_text = await scrape.exposition(common, process)
    await broken.close()
    now = Exposition(scraped_text.decode())
    assert now.value("forwarder_database_up") == 0
    assert now.value("forwarder_handshakes_total") == 1
    assert now.value("forwarder_tasks_down") == 1
    assert now.value("forwarder_read_key_usable") == 0
    assert "forwarder_outstanding_sats" not in now.names


async def test_a_database_counts_what_it_commits_and_what_it_undoes(shop: Shop) -> None:
    metrics = Metrics()
    database = Database(shop.settings.database_url, metrics.transacted)
    async with database.reading():
        pass
    with pytest.raises(RuntimeError):
        async with database.transaction():
            raise RuntimeError
    with pytest.raises(StoreError):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO nowhere VALUES (1)"))
    await database.close()
    counted = metrics.registry.get_sample_value
    name = "forwarder_database_transactions_total"
    assert counted(name, {"access": "read", "ending": "committed"}) == 1
    assert counted(name, {"access": "write", "ending": "undone"}) == 1
    assert counted(name, {"access": "write", "ending": "failed"}) == 1
    seconds = "forwarder_database_transaction_seconds_count"
    assert counted(seconds, {"access": "write"}) == 2


def test_a_page_is_told_at_once_or_late_and_only_the_first_is_timed() -> None:
    metrics = Metrics()
    message = paid(INVOICE, Sats(1), NOW)
    metrics.told(message, Timing.AT_ONCE, NOW + timedelta(seconds=2))
    metrics.told(message, Timing.LATE, NOW + timedelta(seconds=60))
    counted = metrics.registry.get_sample_value
    for timing in Timing:
        labels = {"kind": "payment", "timing": timing}
        assert counted("forwarder_messages_told_total", labels) == 1
    assert counted("forwarder_paid_to_told_seconds_sum") == 2


def test_a_time_that_runs_backwards_counts_as_none() -> None:
    metrics = Metrics()
    metrics.told(paid(INVOICE, Sats(1), NOW), Timing.AT_ONCE, NOW - timedelta(seconds=2))
    assert metrics.registry.get_sample_value("forwarder_paid_to_told_seconds_sum") == 0


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.opens.inc()
    assert other.registry.get_sample_value("forwarder_subscription_opens_total") == 0
