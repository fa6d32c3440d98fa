"""The worker that takes up what is due: many side by side, and nothing new once it drains."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from forwarder.model.forward import ForwardState
from forwarder.model.invoice import Invoice
from forwarder.model.source import Source
from forwarder.store import claims, tables
from forwarder.worker import payout
from tests.worker.conftest import CREATE, PAY, Shop, Worker, running, until


async def is_done(shop: Shop, invoice: Invoice) -> bool:
    return (await shop.forward(invoice)).state is ForwardState.FORWARDED


async def test_what_is_due_is_done_when_the_bell_rings(shop: Shop) -> None:
    async with running(shop.worker.payout.run):
        await asyncio.sleep(0.02)
        sold = [await shop.queue(100 + n) for n in range(20)]
        for invoice in sold:
            await until(lambda invoice=invoice: is_done(shop, invoice))  # type: ignore[misc]
    assert shop.earned == sum(100 + n for n in range(20))
    assert shop.sends == 20


async def test_no_more_are_worked_on_at_once_than_is_good(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payout, "AT_ONCE", 2)
    shop.blink.set_latency(PAY, 0.03)
    sold = [await shop.queue(100 + n) for n in range(4)]
    async with running(shop.worker.payout.run):
        await until(lambda: PAY in shop.operations())
        free = [await shop.forward(invoice) for invoice in sold]
        assert len([it for it in free if it.state is ForwardState.QUEUED]) >= 2
        for invoice in sold:
            await until(lambda invoice=invoice: is_done(shop, invoice))  # type: ignore[misc]


async def test_a_source_that_is_slow_delays_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payout, "AT_ONCE", 2)
    slow = asyncio.create_task(asyncio.sleep(60))
    stuck = {-number: payout.Working(Source.PHOENIXD, slow) for number in range(1, 3)}
    shop.worker.payout._working.update(stuck)
    sold = [await shop.queue() for _ in range(3)]
    async with running(shop.worker.payout.run):
        for invoice in sold:
            await until(lambda invoice=invoice: is_done(shop, invoice))  # type: ignore[misc]
    slow.cancel()


async def test_leases_are_kept_while_one_works(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payout, "LEASE_RENEWAL_SECONDS", 0.02)
    invoice = await shop.queue()
    async with running(shop.worker.payout.run), running(shop.worker.payout.keep_leases):
        await until(lambda: is_done(shop, invoice))
        shop.blink.set_latency(PAY, 0.3)
        slow = await shop.queue()
        await until(lambda: shop.operations().count(PAY) == 2)
        shop.clock.advance(61)
        other = Worker(shop, shop.accounts)

        async def is_kept() -> bool:
            forward = await shop.forward(slow)
            return forward.due_at is None or forward.due_at > shop.clock()

        await until(is_kept)
        assert await other.claim() == []
        await until(lambda: is_done(shop, slow))


async def test_draining_lets_the_call_that_is_under_way_end_and_begins_nothing(shop: Shop) -> None:
    shop.blink.set_latency(CREATE, 0.15)
    invoice = await shop.queue()
    async with running(shop.worker.payout.run):
        calls = shop.operations(shop.merchant)
        await until(lambda: len(shop.operations(shop.merchant)) > len(calls))
        await shop.worker.payout.drain(5)
        forward = await shop.forward(invoice)
        assert forward.state is ForwardState.INVOICED  # made and kept, and not paid any more
        assert PAY not in shop.operations()
        later = await shop.queue()
        await asyncio.sleep(0.05)
        assert (await shop.forward(later)).state is ForwardState.QUEUED
    # The lease was given back: another process goes on at once.
    assert await Worker(shop, shop.accounts).work() == 2
    await shop.is_forwarded(invoice)


async def test_draining_waits_no_longer_than_it_may(shop: Shop) -> None:
    shop.blink.set_latency(PAY, 0.5)
    invoice = await shop.queue()
    async with running(shop.worker.payout.run):
        await until(lambda: PAY in shop.operations())
        await shop.worker.payout.drain(0.02)
    assert (await shop.forward(invoice)).state is ForwardState.SENDING
    async with shop.database.reading() as tx:
        assert await claims.next_due(tx, shop.worker.moves.lease()) == shop.clock()
    await until(lambda: shop.sends == 1)
    await Worker(shop, shop.accounts).work()
    await shop.is_forwarded(invoice)


async def test_draining_with_nothing_under_way_is_over_at_once(shop: Shop) -> None:
    await shop.worker.payout.drain(5)
    assert await shop.worker.work() == 0


async def test_a_forward_that_another_has_taken_is_left_to_it(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    shop.blink.set_latency(CREATE, 0.1)
    invoice = await shop.queue()
    async with running(shop.worker.payout.run):
        calls = len(shop.operations(shop.merchant))
        await until(lambda: len(shop.operations(shop.merchant)) > calls)
        shop.clock.advance(61)
        other = Worker(shop, shop.accounts)
        assert await other.work() == 1
        await until(lambda: "another owner has taken this forward" in logged.text)
    shop.clock.advance(121)
    await other.work()
    await shop.is_forwarded(invoice)
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_a_forward_that_cannot_be_worked_on_stops_no_other(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    broken = await shop.queue()
    table = tables.invoices
    async with shop.database.transaction() as tx:  # its sale is gone, as no code would let it be
        change = update(table).where(table.c.id == broken.id).values(payment_hash="f" * 64)
        await tx.execute(change)
    async with running(shop.worker.payout.run):
        healthy = await shop.queue()
        await until(lambda: is_done(shop, healthy))
        await until(lambda: "could not be worked on" in logged.text)
    assert (await shop.forward(broken)).state is ForwardState.QUEUED


async def test_a_database_that_fails_for_a_while_stops_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(payout, "DATABASE_PAUSE_SECONDS", 0.01)
    first = await shop.queue()
    invoice = await shop.sell()
    await shop.pay(invoice)
    async with running(shop.worker.payout.run) as task:
        await until(lambda: is_done(shop, first))
        async with shop.without("forwards"):
            shop.payout_bell.ring()
            await until(lambda: "the database failed" in logged.text)
        assert not task.done()
        await shop.catch_up.run()
        await until(lambda: is_done(shop, invoice))
    assert shop.sends == 2
