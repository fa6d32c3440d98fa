"""What an operator sees is what the database has, whoever works on it meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from forwarder.model.calendar import Unit, slots, zone_named
from forwarder.model.finding import FindingState
from forwarder.model.sale import Search, Standing, Wanted
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.worker import books as module
from forwarder.worker.books import Ambiguous, Books
from forwarder.worker.desk import NoSuchPayment
from forwarder.worker.handshakes import Handshakes
from forwarder.worker.service import Service
from tests.worker.conftest import Page, Shop

UTC_ZONE = zone_named("UTC")


def wanted(standing: Standing | None = None, search: str | None = None) -> Wanted:
    """The first page of some sales."""
    meant = None if search is None else Search(search)
    return Wanted(standing, meant, source=None, before=None, limit=20)


@pytest.fixture
def books(shop: Shop) -> Books:
    return Books(shop.database, shop.clock)


async def test_a_sale_is_found_and_told_step_by_step(shop: Shop, books: Books) -> None:
    invoice = await shop.queue()
    page = await books.page(wanted(search=invoice.external_id))
    assert [sale.payment_hash for sale in page.sales] == [invoice.payment_hash]
    sale, story = await books.show(invoice.payment_hash)
    assert (sale.standing, sale.received, sale.source) == (Standing.QUEUED, 1_000, Source.BLINK)
    assert sale.merchant is not None
    assert [step.step for step in story][-1] == "forward queued"


async def test_a_beginning_stands_for_a_hash_that_alone_has_it(shop: Shop, books: Books) -> None:
    one, other = await shop.queue(), await shop.sell()
    for invoice in (one, other):
        assert await books.hash_of(invoice.payment_hash[:12]) == invoice.payment_hash
    with pytest.raises(Ambiguous):
        await books.hash_of("")
    with pytest.raises(NoSuchPayment):
        await books.hash_of("f" * 64)
    with pytest.raises(NoSuchPayment):
        await books.show(PaymentHash("f" * 64))


async def test_an_unmatched_sale_has_no_forward_to_be_found_by(shop: Shop, books: Books) -> None:
    await shop.queue()
    found = await books.page(wanted(Standing.UNMATCHED, search="1000"))
    assert (found.sales, found.next) == ((), None)


async def test_the_overview_and_the_charts_count_what_came(shop: Shop, books: Books) -> None:
    await shop.queue(700)
    seen = await books.overview(UTC_ZONE)
    assert (seen.day.received.count, seen.day.received.sats) == (1, 700)
    assert (seen.figures.outstanding, seen.sources[Source.BLINK].outstanding.sats) == (700, 700)
    assert (seen.unmatched.count, seen.refunded) == (0, 0)
    day = slots(shop.clock(), shop.clock() + timedelta(seconds=1), Unit.DAY, UTC_ZONE)
    assert [one.received for one in await books.trade(day)] == [700]


async def test_an_export_goes_on_where_its_last_part_ended(
    shop: Shop, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXPORTED_AT_ONCE", 2)
    made = []
    for _ in range(3):
        made.append((await shop.queue()).payment_hash)
        shop.clock.advance(1)
    parts = [part async for part in books.export(shop.clock.now - timedelta(1), shop.clock.now)]
    assert [len(part) for part in parts] == [2, 1]
    assert [sale.payment_hash for part in parts for sale in part] == made


async def test_the_process_knows_what_is_left_of_blinks_limits(shop: Shop) -> None:
    handshakes = Handshakes(shop.common)
    async with Service.wired(shop.settings, shop.database, shop.clock) as service:
        live = await service.live()
        assert (live.handshakes_left, live.creations_left) == (10, 59)
        await handshakes.take()
        assert (await service.live()).handshakes_left == 9
        shop.clock.advance(61)
        assert (await service.live()).handshakes_left == 10


async def test_a_broadcast_is_told_here_at_once(shop: Shop) -> None:
    page = Page()
    async with Service.wired(shop.settings, shop.database, shop.clock) as service:
        service.notifier.enter(page)
        assert await service.broadcast("closing soon") == 1
    assert [notice.message for notice in page.notices] == ["closing soon"]


async def test_what_nothing_explains_is_listed_and_counted(shop: Shop, books: Books) -> None:
    await shop.queue()
    payer = shop.blink.open_account("payer", sats=2)
    first = await shop.blink.transfer(payer, shop.pos, 1)
    shop.clock.advance(1)
    second = await shop.blink.transfer(payer, shop.pos, 1)
    await shop.reconciler.reconcile()
    found = await books.findings(FindingState.OPEN, 0, 1)
    assert [one.transaction_id for one in found] == [first.id]
    rest = await books.findings(FindingState.OPEN, found[0].id, 100)
    assert [one.transaction_id for one in rest] == [second.id]
    assert await books.findings(FindingState.CLOSED, 0, 100) == []
