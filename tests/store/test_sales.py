"""Whatever an operator looks for is found, page by page, as a plain list would show it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder.model.payment import Payment
from forwarder.model.sale import Place, Search, Standing, Wanted
from forwarder.store import sales
from forwarder.store.database import Database, Transaction
from tests.store.past import MINUTE, Past, keep, pasts
from tests.store.rows import NOW

THOROUGH = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SEARCHES = st.sampled_from(
    [None, "a0ff", "b1ff", "C0FF0", "a0f", "sale-1", "sale-3", "alice", "BOB", "21", "100", "x"]
)


async def walk(
    tx: Transaction, standing: Standing | None, text: str | None, limit: int
) -> list[str]:
    """The hashes of all pages, one page after the other."""
    found: list[str] = []
    before: Place | None = None
    while True:
        search = None if text is None else Search(text)
        page = await sales.page(tx, Wanted(standing, search, before, limit))
        assert len(page.sales) <= limit
        found += [sale.payment_hash for sale in page.sales]
        if page.next is None:
            return found
        assert len(page.sales) == limit, "only the last page is not full"
        before = page.next


def listed(past: list[Past], standing: Standing | None, text: str | None) -> list[str]:
    """What a plain list would show."""
    chosen = [
        sale
        for sale in past
        if (text is None or sale.means(text))
        and (sale.standing is standing if standing else sale.is_paid or text is not None)
    ]
    newest = sorted(chosen, key=lambda sale: sale.place, reverse=True)
    return [sale.payment_hash for sale in newest]


@THOROUGH
@given(
    past=pasts(),
    standing=st.none() | st.sampled_from(Standing),
    search=SEARCHES,
    limit=st.integers(1, 5),
)
async def test_the_pages_together_are_what_a_plain_list_shows(
    database: Database, past: list[Past], standing: Standing | None, search: str | None, limit: int
) -> None:
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        assert await walk(tx, standing, search, limit) == listed(past, standing, search)
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
