"""The customers' invoices: pending ones are waited for, and late money is money."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Final

import pytest
from sqlalchemy import update

from forwarder.model.actor import Actor
from forwarder.model.invoice import MOVES, Ending, Invoice, InvoiceState, Order
from forwarder.model.units import Sats
from forwarder.store import invoices, journal, messages, tables
from forwarder.store.database import Database, Transaction
from tests.store.rows import NOW, WALLET, a_hash, a_merchant, an_invoice, an_order, issued

PENDING, PAID = InvoiceState.PENDING, InvoiceState.PAID
EXPIRED: Final = InvoiceState.EXPIRED
CANCELLED: Final = InvoiceState.CANCELLED
ENDINGS: tuple[Ending, Ending] = (EXPIRED, CANCELLED)


async def stand(tx: Transaction, invoice: Invoice, state: InvoiceState) -> Invoice:
    """Put an invoice into a state, by force."""
    table = tables.invoices
    await tx.execute(update(table).where(table.c.id == invoice.id).values(state=state))
    return replace(invoice, state=state)


async def test_an_invoice_is_kept_as_it_was_ordered_and_made(database: Database) -> None:
    order = Order("order-1", Sats(1_234), "two coffees — ☕", 90)
    async with database.transaction() as tx:
        merchant = await a_merchant(tx)
        kept = await invoices.keep(tx, merchant.id, order, issued(), NOW, WALLET)
        assert kept is not None
        assert await invoices.by_id(tx, kept.id) == kept
        assert await invoices.by_hash(tx, a_hash(1)) == kept
        assert await invoices.find(tx, merchant.id, "order-1") == kept
    assert (kept.amount, kept.description, kept.state) == (1_234, "two coffees — ☕", PENDING)
    assert kept.expires_at == NOW + timedelta(seconds=90)
    assert (kept.issued_at, kept.created_at) == (issued().issued_at, NOW)
    assert kept.outlived  # Blink counts in minutes
    assert kept.paid_at is kept.forwarded_at is None


async def test_an_order_has_one_invoice(database: Database) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)
        again = await invoices.keep(tx, invoice.merchant_id, an_order(), issued(2), NOW, WALLET)
        assert again is None
        assert await invoices.by_hash(tx, a_hash(2)) is None


async def test_a_payment_hash_has_one_invoice(database: Database) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)
        again = await invoices.keep(tx, invoice.merchant_id, an_order(2), issued(1), NOW, WALLET)
        assert again is None


async def test_merchants_may_use_the_same_name(database: Database) -> None:
    async with database.transaction() as tx:
        alice, bob = await a_merchant(tx, "alice"), await a_merchant(tx, "bob")
        first = await invoices.keep(tx, alice.id, an_order(), issued(1), NOW, WALLET)
        second = await invoices.keep(tx, bob.id, an_order(), issued(2), NOW, WALLET)
        assert await invoices.find(tx, bob.id, "order-1") == second
        assert await invoices.named(tx, "order-1") == [first, second]
        assert await invoices.named(tx, "order-2") == []
        assert await invoices.find(tx, alice.id, "order-2") is None


async def test_pending_tells_what_is_waited_for(database: Database) -> None:
    async with database.transaction() as tx:
        assert await invoices.pending(tx) == invoices.Pending(0, None, None)
        first, second = await an_invoice(tx, 1), await an_invoice(tx, 2)
        waited = await invoices.pending(tx)
        assert waited == invoices.Pending(2, first.issued_at, second.expires_at)
        for invoice in (first, second):
            await invoices.end(tx, invoice, EXPIRED, NOW, Actor.EXPIRY)
        assert (await invoices.pending(tx)).count == 0


async def test_an_invoice_is_due_when_its_time_has_come(database: Database) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)
        early = invoice.expires_at - timedelta(microseconds=1)
        assert await invoices.due(tx, early) == []
        assert await invoices.due(tx, invoice.expires_at) == [invoice]
        await invoices.end(tx, invoice, CANCELLED, NOW, Actor.EXPIRY)
        assert await invoices.due(tx, invoice.expires_at) == []


async def test_a_merchants_invoices_are_listed_newest_first(database: Database) -> None:
    async with database.transaction() as tx:
        made = [await an_invoice(tx, n) for n in range(1, 5)]
        merchant = await a_merchant(tx)
        other = await a_merchant(tx, "bob")
        assert await invoices.newest(tx, merchant.id, None, 10) == made[::-1]
        assert await invoices.newest(tx, merchant.id, None, 2) == made[:1:-1]
        assert await invoices.newest(tx, merchant.id, NOW, 10) == made[::-1]
        assert await invoices.newest(tx, merchant.id, NOW + timedelta(seconds=1), 10) == []
        assert await invoices.newest(tx, other.id, None, 10) == []


PAIRS = list(enumerate(product(InvoiceState, InvoiceState)))
"""What is believed of an invoice, and how it stands."""


async def test_an_invoice_is_paid_from_any_state_but_paid_whatever_was_believed(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        for n, (known, actual) in PAIRS:
            invoice = await an_invoice(tx, n)
            await stand(tx, invoice, actual)
            told = await invoices.pay(tx, replace(invoice, state=known), Sats(1_000), NOW)
            after = await invoices.by_id(tx, invoice.id)
            moves = PAID in MOVES[actual]
            assert after is not None
            assert (after.state, after.paid_at) == (PAID, NOW if moves else None)
            assert (told is not None) is moves
            assert await messages.of_invoice(tx, invoice.id) == ([told] if told else [])


@pytest.mark.parametrize("to", ENDINGS)
async def test_an_invoice_ends_only_while_it_is_pending(database: Database, to: Ending) -> None:
    async with database.transaction() as tx:
        for n, (known, actual) in PAIRS:
            invoice = await an_invoice(tx, n)
            await stand(tx, invoice, actual)
            before = await journal.story(tx, invoice.payment_hash)
            told = await invoices.end(tx, replace(invoice, state=known), to, NOW, Actor.EXPIRY)
            after = await invoices.by_id(tx, invoice.id)
            steps = await journal.story(tx, invoice.payment_hash)
            moves = known is actual is PENDING
            assert after is not None
            assert after.state is (to if moves else actual)
            assert (told is not None) is moves
            assert await messages.of_invoice(tx, invoice.id) == ([told] if told else [])
            assert len(steps) == len(before) + moves
            assert not moves or steps[-1].actor is Actor.EXPIRY


async def test_a_sale_is_complete_when_all_of_it_has_arrived(database: Database) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)
        told = await invoices.complete(tx, invoice, Sats(1_000), NOW)
        after = await invoices.by_id(tx, invoice.id)
        assert after is not None
        assert after.forwarded_at == NOW
        assert await messages.of_invoice(tx, invoice.id) == [told]
        assert await invoices.by_id(tx, invoice.id + 1) is None
