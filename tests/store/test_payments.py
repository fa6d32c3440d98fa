"""Receipts: each one is kept once, whoever tells of it, however often."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from forwarder.model.payment import Receipt, Witness
from forwarder.model.source import Source
from forwarder.model.units import Sats
from forwarder.store import journal, payments, tables
from forwarder.store.database import Database
from tests.store.rows import NOW, a_hash, a_payment, an_invoice, receipt, rows_of


async def add(database: Database, one: Receipt) -> bool:
    async with database.transaction() as tx:
        return await payments.add(tx, one, None, Source.BLINK, Witness.CATCH_UP, NOW)


async def test_a_receipt_is_kept_as_blink_tells_it(database: Database) -> None:
    async with database.transaction() as tx:
        payment = await a_payment(tx, 1, 1_234)
    assert (payment.received, payment.transaction_id) == (1_234, "tx-1")
    assert (payment.source, payment.witness) == (Source.BLINK, Witness.SUBSCRIPTION)
    assert payment.seen_at == NOW
    async with database.reading() as tx:
        assert await payments.among(tx, [a_hash(1), a_hash(2)]) == {a_hash(1): payment}
        assert await payments.among(tx, []) == {}
        assert await payments.find(tx, a_hash(2)) is None


async def test_a_second_payment_of_the_same_hash_is_refused(database: Database) -> None:
    assert await add(database, receipt())
    assert not await add(database, receipt())
    assert not await add(database, replace(receipt(), transaction_id="tx-2", amount=Sats(5)))
    async with database.reading() as tx:
        kept = await payments.find(tx, a_hash(1))
        assert kept is not None
        assert (kept.transaction_id, kept.received) == ("tx-1", 1_000)
        assert await rows_of(tx, tables.payments) == 1
        assert len(await journal.story(tx, a_hash(1))) == 1


async def test_a_second_payment_of_the_same_transaction_is_refused(database: Database) -> None:
    assert await add(database, receipt(1))
    assert not await add(database, replace(receipt(2), transaction_id="tx-1"))
    async with database.reading() as tx:
        assert await payments.find(tx, a_hash(2)) is None
        assert await journal.story(tx, a_hash(2)) == []


async def test_of_many_who_tell_of_a_receipt_at_once_one_is_the_first(
    database: Database, other: Database
) -> None:
    told = await asyncio.gather(*(add((database, other)[n % 2], receipt()) for n in range(12)))
    assert sum(told) == 1


async def test_a_payment_without_an_invoice_is_kept_and_can_be_matched_once(
    database: Database,
) -> None:
    assert await add(database, receipt())
    async with database.transaction() as tx:
        payment = await payments.find(tx, a_hash(1))
        assert payment is not None
        assert payment.invoice_id is None
        invoice = await an_invoice(tx)
        assert await payments.match(tx, payment, invoice.id, NOW)
        assert not await payments.match(tx, payment, invoice.id, NOW)
        matched = await payments.find(tx, a_hash(1))
        assert matched is not None
        assert matched.invoice_id == invoice.id
        assert len(await journal.story(tx, a_hash(1))) >= 3
