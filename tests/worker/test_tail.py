"""Pages here learn what another process has kept, once."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.model.actor import Actor
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.store import invoices
from forwarder.worker import tail
from forwarder.worker.tail import Tail
from tests.worker.conftest import Shop, running, until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "POLL_SECONDS", 0.01)


async def cancel_elsewhere(shop: Shop, invoice: Invoice) -> None:
    """Another process ends an invoice, which tells nobody here."""
    async with shop.database.transaction() as tx:
        now = shop.clock()
        assert await invoices.end(tx, invoice, InvoiceState.CANCELLED, now, Actor.POS)


async def test_a_page_is_told_once_what_another_process_has_kept(shop: Shop) -> None:
    sold = [await shop.sell() for _ in range(3)]
    async with running(Tail(shop.common).run):
        for n, invoice in enumerate(sold, start=1):
            await cancel_elsewhere(shop, invoice)  # what was read before is read again with it
            await until(lambda n=n: len(shop.page.told) >= n)  # type: ignore[misc]
    assert [message.invoice_id for message in shop.page.told] == [one.id for one in sold]


async def test_while_no_page_is_connected_the_database_is_left_alone(shop: Shop) -> None:
    first, second = await shop.sell(), await shop.sell()
    async with running(Tail(shop.common).run) as task:
        await cancel_elsewhere(shop, first)
        await until(lambda: len(shop.page.told) == 1)
        shop.notifier.leave(shop.page)
        await asyncio.sleep(0.1)
        async with shop.without("messages"):
            await asyncio.sleep(0.05)
        assert not task.done()
        shop.notifier.join(second.id, shop.page)
        await cancel_elsewhere(shop, second)
        await until(lambda: len(shop.page.told) == 2)
