"""Several processes on one PostgreSQL: one watches for all, and all tell their pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from forwarder.model.invoice import Invoice, Order
from forwarder.model.units import Sats
from forwarder.settings import Settings
from forwarder.store import leases, tables
from forwarder.store.database import Database
from forwarder.worker import watcher
from forwarder.worker.service import Service
from forwarder.worker.watcher import State
from tests.databases import TEMPLATE, Cluster
from tests.worker.conftest import TOKEN, Page, Shop, until

ORDER = Order("order-1", Sats(1_000), "coffee", 900)


@pytest.fixture
def shared(shop: Shop, cluster: Cluster) -> Iterator[Settings]:
    """The settings of every process."""
    name = cluster.create(TEMPLATE)
    changes: dict[str, Any] = {
        "database_url": cluster.url(name),
        "merchant_api_key": SecretStr(shop.merchant_key),
        "pos_token": SecretStr(TOKEN),
    }
    yield shop.settings.model_copy(update=changes)
    cluster.drop(name)


async def sell(service: Service) -> Invoice:
    """An invoice that one of them makes."""
    merchant = await service.sales.merchant_of(TOKEN)
    assert merchant is not None
    return await service.sales.create(merchant, ORDER)


async def test_one_subscription_serves_all_and_each_tells_its_own_pages(
    shop: Shop, shared: Settings
) -> None:
    async with Service.open(shared, shop.clock) as one, Service.open(shared, shop.clock) as other:
        page = Page()
        invoice = await sell(one)
        other.notifier.join(invoice.id, page)
        await until(lambda: shop.blink.subscriptions == 1)
        await shop.pay(invoice)
        await until(lambda: set(page.kinds) == {"payment", "forwarded"})  # told by two, maybe
        assert len(shop.blink.handshakes) == 1
    assert (shop.earned, shop.sends) == (1_000, 1)


async def test_who_has_lost_the_turn_watches_no_more_until_it_is_free(
    shop: Shop, shared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "RENEWAL_SECONDS", 0.02)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.02)
    async with Service.open(shared, shop.clock) as one, Database.open(shared.database_url) as other:
        await sell(one)
        await until(lambda: one.watcher.watch.state is State.OPEN)
        async with other.transaction() as tx:
            theirs = {"owner": "another", "until": shop.clock() + timedelta(minutes=1)}
            await tx.execute(update(tables.leases).values(theirs))
        await until(lambda: one.watcher.watch.state is State.CLOSED)
        await until(lambda: shop.blink.websockets == 0)
        async with other.transaction() as tx:
            await leases.give_back(tx, "watch", "another")
        await until(lambda: one.watcher.watch.state is State.OPEN)
