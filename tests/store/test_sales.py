"""Whatever an operator looks for is found, page by page, as a plain list would show it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from forwarder.model.payment import Payment
from forwarder.model.sale import Place, Search, Standing, Wanted
from forwarder.model.source import Source
from forwarder.store import sales
from forwarder.store.database import Database, Transaction
from tests.store.past import MINUTE, Past, keep, pasts
from tests.store.rows import NOW

pytestmark = pytest.mark.timeout(180)  # many pasts, each put into a real database

THOROUGH = settings(
    max_examples=30,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SEARCHES = st.sampled_from(
    [None, "a0ff", "b1ff", "C0FF0", "a0f", "sale-1", "sale-3", "alice", "BOB", "21", "100", "x"]
)


async def walk(
    tx: Transaction,
    standing: Standing | None,
    text: str | None,
    source: Source | None,
    limit: int,
) -> list[str]:
    """The hashes of all pages, one page after the other."""
    found: list[str] = []
    before: Place | None = None
    while True:
        search = None if text is None else Search(text)
        page = await sales.page(tx, Wanted(standing, search, source, before, limit))
        assert len(page.sales) <= limit
        found += [sale.payment_hash for sale in page.sales]
        if page.next is None:
            return found
        assert len(page.sales) == limit, "only the last page is not full"
        before = page.next


def listed(
    past: list[Past], standing: Standing | None, text: str | None, source: Source | None
) -> list[str]:
    """What a plain list would show."""
    chosen = [
        sale
        for sale in past
        if (text is None or sale.means(text))
        and source in (None, sale.source)
        and (sale.standing is standing if standing else sale.is_paid or text is not None)
    ]
    newest = sorted(chosen, key=lambda sale: sale.place, reverse=True)
    return [sale.payment_hash for sale in newest]


@THOROUGH
@given(
    past=pasts(),
    standing=st.none() | st.sampled_from(Standing),
    search=SEARCHES,
    source=st.none() | st.sampled_from(Source),
    limit=st.integers(1, 5),
)
async def test_the_pages_together_are_what_a_plain_list_shows(
    database: Database,
    past: list[Past],
    standing: Standing | None,
    search: str | None,
    source: Source | None,
    limit: int,
) -> None:
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        shown = await walk(tx, standing, search, source, limit)
        assert shown == listed(past, standing, search, source)
        await savepoint.rollback()


@THOROUGH
@given(past=pasts(), limit=st.integers(1, 5), start=st.integers(2, 7), end=st.integers(2, 7))
async def test_an_export_has_each_paid_sale_of_its_time_once_oldest_first(
    database: Database, past: list[Past], limit: int, start: int, end: int
) -> None:
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        found, place = [], Place(NOW + start * MINUTE)
        while some := await sales.since(tx, place, Place(NOW + end * MINUTE), limit):
            found += [sale.payment_hash for sale in some]
            place = some[-1].place
        paid = sorted(sale.place for sale in past if sale.is_paid and start <= sale.seen < end)
        assert found == [name for _, name in paid]
        await savepoint.rollback()


@THOROUGH
@given(past=pasts())
async def test_a_sale_is_seen_with_all_that_belongs_to_it(
    database: Database, past: list[Past]
) -> None:
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        for sale in past:
            found = await sales.find(tx, sale.payment_hash)  # type: ignore[arg-type]
            assert found is not None
            assert (found.standing, found.merchant) == (sale.standing, sale.merchant)
            assert found.source is sale.source
            assert found.received == (sale.received if sale.is_paid else 0)
            assert (found.invoice is None) == (sale.merchant is None)
            assert isinstance(found.payment, Payment) == sale.is_paid
            shown = sale.forwards if sale.is_paid and sale.merchant else ()
            assert tuple(forward.state for forward in found.forwards) == shown
            assert await sales.beginning(tx, sale.payment_hash, 2) == [sale.payment_hash]
        await savepoint.rollback()


async def test_a_hash_that_nobody_knows_is_no_sale(database: Database) -> None:
    async with database.reading() as tx:
        assert await sales.find(tx, "f" * 64) is None  # type: ignore[arg-type]
        assert await sales.beginning(tx, "ffff", 2) == []


WAYS = {
    "all": (None, None, {"payments_seen_at"}),
    "of a state": (Standing.FORWARDED, None, {"forwards_state_created_at"}),
    "of an ending": (Standing.EXPIRED, None, {"invoices_state_created_at"}),
    "by a merchant": (Standing.HELD, "alice", {"forwards_merchant_id", "invoices_external_id"}),
    "by a name": (Standing.EXPIRED, "sale-1", {"invoices_external_id"}),
    "by an amount": (Standing.CANCELLED, "21", {"invoices_amount", "invoices_external_id"}),
    "by an amount that came": (
        Standing.FORWARDED,
        "21",
        {"payments_received", "invoices_external_id"},
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_page_walks_through_all_that_is_kept(way: str, tmp_path: Path) -> None:
    standing, search, expected = WAYS[way]
    async with Database.open(f"sqlite+aiosqlite:///{tmp_path}/forwarder.db") as database:
        asked: list[tuple[str, Any]] = []

        def hear(
            _: object, _cursor: object, statement: str, values: object, *_more: object
        ) -> None:
            asked.append((statement, values))

        async with database.transaction() as tx:
            await keep(tx, [])
            event.listen(tx.sync_connection, "before_cursor_execute", hear)
            meant = None if search is None else Search(search)
            await sales.page(tx, Wanted(standing, meant, None, Place(NOW, "a"), 20))
            event.remove(tx.sync_connection, "before_cursor_execute", hear)
            pages = [(text, values) for text, values in asked if "LIMIT" in text]
            ((statement, values),) = pages
            plan = await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [str(row.detail) for row in plan]
    tables = re.compile(r"(SCAN|SEARCH) (payments|invoices|forwards)\b")
    used = [step for step in steps if tables.match(step)]
    assert not [step for step in used if step.startswith("SCAN")], steps
    indexes = [index for step in used for index in re.findall(r"INDEX ix_(\w+)", step)]
    assert all(any(index.startswith(name) for index in indexes) for name in expected), steps
    assert all(any(index.startswith(name) for name in expected) for index in indexes), steps
