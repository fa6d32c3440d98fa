"""The figures are those of all that is kept, and what they cost does not grow with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import event, func, select

from forwarder.model.actor import Actor
from forwarder.model.forward import OPEN, ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.model.ledger import Direction, Paid
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.model.units import Sats
from forwarder.store import figures, interventions, invoices, moves, payments, tables, totals
from forwarder.store.database import Database, Transaction
from forwarder.store.figures import Figures
from tests.model.samples import entry
from tests.store.rows import (
    NOW,
    a_forward,
    a_hash,
    an_invoice,
    lease,
    receipt,
    rows_of,
    stand,
)
from tests.store.test_migrations import with_alembic

Q, I, S, F, H, R = ForwardState  # noqa: E741 - the states by their letters
HISTORY = 24
SEND = entry(direction=Direction.SEND)


async def counted(tx: Transaction) -> Figures:
    """The figures, from all that was ever kept."""
    made, sent, paid = tables.invoices, tables.forwards, tables.payments
    number: Counter[str] = Counter()
    sats: Counter[str] = Counter()
    for table in (made, sent):
        query = select(table.c.state, func.count(), func.sum(table.c.amount))
        for state, rows, amount in await tx.execute(query.group_by(table.c.state)):
            number[state], sats[state] = rows, int(amount)
    received = select(func.coalesce(func.sum(paid.c.received), 0)).where(paid.c.invoice_id > 0)
    oldest = select(func.min(sent.c.created_at)).where(sent.c.state.in_(OPEN))
    return Figures(
        invoices={state: number[state] for state in InvoiceState},
        forwards={state: number[state] for state in ForwardState},
        received=int((await tx.execute(received)).scalar_one()),
        forwarded=sats[F] + sats[R],
        held=sats[H],
        outstanding=sum(sats[state] for state in OPEN),
        oldest_outstanding=(await tx.execute(oldest)).scalar_one(),
    )


FOUND = (Source.BLINK, Witness.CATCH_UP, NOW)


async def sell(tx: Transaction, n: int) -> None:
    """The n-th sale, which ends in one of eight ways."""
    sats = 100 + n
    match n % 8:
        case 0:
            invoice = await an_invoice(tx, n, sats)
            await invoices.end(tx, invoice, InvoiceState.CANCELLED, NOW, Actor.POS)
        case 1:  # late money is money
            invoice = await an_invoice(tx, n, sats)
            await invoices.end(tx, invoice, InvoiceState.EXPIRED, NOW, Actor.EXPIRY)
            assert await payments.add(tx, receipt(n, sats), invoice.id, *FOUND)
            assert await invoices.pay(tx, invoice, Sats(sats), NOW)
        case 2:  # paid before its invoice was kept
            assert await payments.add(tx, receipt(n, sats), None, *FOUND)
            payment = await payments.find(tx, a_hash(n))
            assert payment is not None
            assert await payments.match(tx, payment, (await an_invoice(tx, n, sats)).id, NOW)
        case 3:
            assert await payments.add(tx, receipt(n, sats), None, *FOUND)
        case 4:
            sending = await stand(tx, await a_forward(tx, n, sats), S)
            await moves.finish(tx, sending, Paid(f"send-{n}"), lease())
        case 5:
            held = await stand(tx, await a_forward(tx, n, sats), H, None)
            assert await interventions.resolve(tx, held, "by hand", Actor.HTTP, NOW)
        case 6:
            send = replace(SEND, id=f"found-{n}", payment_hash=a_hash(n, "c"), amount=-sats)
            queued = await stand(tx, await a_forward(tx, n, sats), Q, None)
            assert await interventions.settle(tx, queued, send, NOW)
        case _:
            await stand(tx, await a_forward(tx, n, sats), (Q, I, S, H)[n // 8 % 4])


async def test_the_figures_of_nothing_are_zero(database: Database) -> None:
    async with database.reading() as tx:
        assert await figures.read(tx) == await counted(tx)
        assert (await figures.read(tx)).oldest_outstanding is None


async def test_what_was_received_is_forwarded_held_or_outstanding(database: Database) -> None:
    async with database.transaction() as tx:
        for n in (4, 5, 6, 7, 12, 15, 23, 31):
            await sell(tx, n)
        now = await figures.read(tx)
    assert now.received == sum(100 + n for n in (4, 5, 6, 7, 12, 15, 23, 31))
    assert now.received == now.forwarded + now.held + now.outstanding
    assert now.outstanding == 107 + 115 + 123
    assert now.held == 131
    assert now.oldest_outstanding == NOW


@pytest.mark.parametrize("carried_forward_every", [1, 7, 1_000])
async def test_the_figures_are_those_of_all_that_is_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch, carried_forward_every: int
) -> None:
    monkeypatch.setattr(totals, "CARRIED_FORWARD_EVERY", carried_forward_every)
    for n in range(HISTORY):
        async with database.transaction() as tx:
            await sell(tx, n)
    async with database.reading() as tx:
        assert await figures.read(tx) == await counted(tx)
        assert await rows_of(tx, tables.totals) <= len(totals.Total) + carried_forward_every


async def test_they_are_right_while_two_processes_write_and_carry_forward(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "CARRIED_FORWARD_EVERY", 2)
    async with database.transaction() as tx:
        await an_invoice(tx, HISTORY)  # with the merchant, who is one

    async def one(n: int) -> None:
        async with (database, other)[n % 2].transaction() as tx:
            await sell(tx, n)

    await asyncio.gather(*(one(n) for n in range(HISTORY)))
    async with other.reading() as tx:
        assert await figures.read(tx) == await counted(tx)


async def test_what_was_undone_was_never_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "CARRIED_FORWARD_EVERY", 2)
    async with database.transaction() as tx:
        for n in range(8):
            await sell(tx, n)
        before = await figures.read(tx)

    async def fail() -> None:
        async with database.transaction() as tx:
            for n in range(8, 16):
                await sell(tx, n)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.reading() as tx:
        assert await figures.read(tx) == before == await counted(tx)


async def test_what_has_ended_before_there_were_totals_is_counted(database: Database) -> None:
    async with database.transaction() as tx:
        for n in range(HISTORY):
            await sell(tx, n)
        before = await figures.read(tx)
    await with_alembic(database, lambda config: command.downgrade(config, "0001"))
    await database.upgrade()
    async with database.reading() as tx:
        assert await figures.read(tx) == before == await counted(tx)


async def test_of_history_only_what_has_not_ended_is_read_for_them(database: Database) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    @event.listens_for(database._reader.sync_engine, "before_cursor_execute")
    def note(_c: object, _d: object, sql: str, given: tuple[object, ...], *_: object) -> None:
        asked.append((sql, given))

    async with database.reading() as tx:
        await figures.read(tx)
    plans = await explained(database, asked)
    indexes = {"forwards": "ix_forwards_unsettled", "invoices": "ix_invoices_pending"}
    for table, index in indexes.items():
        found = [plan for sql, plan in plans.items() if f"FROM {table}" in sql]
        assert found
        # Or by another index, in which only what has such a state is looked at.
        assert all(index in plan or "(state=?)" in plan for plan in found), found
    assert not any("FROM payments" in sql for sql in plans)


async def explained(
    database: Database, asked: list[tuple[str, tuple[object, ...]]]
) -> dict[str, str]:
    """How the database goes about each query when a table is large."""
    how = "EXPLAIN QUERY PLAN" if database.is_embedded else "EXPLAIN"
    async with database.transaction() as tx:
        if not database.is_embedded:
            await tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans = {sql: await tx.exec_driver_sql(f"{how} {sql}", given) for sql, given in asked}
        return {sql: str(plan.all()) for sql, plan in plans.items()}
