"""The whole worker: it starts, sells, forwards, says how it is, and comes to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from pydantic import SecretStr

from forwarder.model.invoice import Order
from forwarder.model.units import Sats
from forwarder.settings import Settings, SettingsError
from forwarder.store import claims
from forwarder.store.database import DatabaseError, StoreError
from forwarder.web.questions import UTC_ZONE
from forwarder.web.status import whole
from forwarder.worker.service import Service
from forwarder.worker.shared_clock import SharedClock
from tests.databases import TEMPLATE, Cluster
from tests.exposition import Exposition
from tests.worker.conftest import CREATE, TOKEN, Page, Shop, Worker, until

ORDER = Order("order-1", Sats(1_000), "coffee", 900)


@pytest.fixture
def settings(shop: Shop) -> Settings:
    changes: dict[str, Any] = {
        "merchant_api_key": SecretStr(shop.merchant_key),
        "merchant_wallet_id": shop.merchant.btc_wallet_id,
        "blinkpos_btc_wallet_id": shop.pos.btc_wallet_id,
        "pos_token": SecretStr(TOKEN),
    }
    return shop.settings.model_copy(update=changes)


def is_ready(service: Service) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return await service.lacks() is None

    return ready


async def test_a_sale_goes_all_the_way_and_the_status_says_so(
    shop: Shop, settings: Settings
) -> None:
    page = Page()
    async with Service.open(settings, shop.clock) as service:
        assert await service.lacks() is None
        merchant = await service.sales.merchant_of(TOKEN)
        assert merchant is not None
        invoice = await service.sales.create(merchant, ORDER)
        service.notifier.join(invoice.id, page)
        await until(lambda: shop.blink.subscriptions == 1)
        status = cast(dict[str, Any], await whole(service, UTC_ZONE, pages=0))
        assert status["subscription"]["state"] in ("connecting", "open")
        assert status["invoices"]["pending"] == 1
        await shop.pay(invoice)
        await until(lambda: set(page.kinds) == {"payment", "forwarded"})  # told by two, maybe
        await until(lambda: shop.blink.websockets == 0)
        status = cast(dict[str, Any], await whole(service, UTC_ZONE, pages=0))
    assert status["sats"]["received"] == status["sats"]["forwarded"] == 1_000
    assert status["sats"]["held"] == status["sats"]["outstanding"] == 0
    assert status["oldestOutstandingSeconds"] == 0
    assert status["subscription"]["state"] == "closed"
    assert status["subscription"]["lastEventAt"].endswith("Z")
    assert shop.earned == 1_000


async def test_what_is_outstanding_grows_old(shop: Shop) -> None:
    shop.blink.disable_receive(shop.merchant)
    shop.merchant_fault(CREATE, "timeout_before", times=None)
    async with Service.open(shop.settings, shop.clock) as service:
        await shop.queue()
        shop.clock.advance(42)
        status = await whole(service, UTC_ZONE, pages=0)
        assert status["oldestOutstandingSeconds"] == 42
        shop.blink.faults.clear()
        await shop.blink.stop()  # the call that hangs need not be waited out


async def test_on_postgresql_it_goes_by_the_databases_clock(
    settings: Settings, cluster: Cluster
) -> None:
    name = cluster.create(TEMPLATE)
    shared = settings.model_copy(update={"database_url": cluster.url(name)})
    async with Service.open(shared) as service:
        assert isinstance(service.clock, SharedClock)
        await until(is_ready(service))
    cluster.drop(name)


async def test_it_does_not_start_without_a_key(shop: Shop) -> None:
    settings = shop.settings.model_copy(update={"blinkpos_api_key": None})
    with pytest.raises(SettingsError, match="BLINKPOS_API_KEY"):
        async with Service.open(settings):
            pass


async def test_a_second_one_does_not_start_on_the_same_file(shop: Shop) -> None:
    async with Service.open(shop.settings):
        with pytest.raises(DatabaseError, match="another forwarder"):
            async with Service.open(shop.settings):
                pass
    async with Service.open(shop.settings) as again:
        await until(is_ready(again))


async def test_what_a_dead_process_has_left_is_taken_up_at_the_start(shop: Shop) -> None:
    invoice = await shop.queue()
    assert len(await Worker(shop, shop.accounts).claim()) == 1  # and dies

    async with Service.open(shop.settings, shop.clock):
        await until(lambda: shop.earned == 1_000)
    assert (await shop.forward(invoice)).transaction_id is not None


async def test_a_database_that_fails_at_the_end_leaves_no_task_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Service.open(shop.settings))
        await until(is_ready(service))
        monkeypatch.setattr(claims, "drop_leases", fail)
        with pytest.raises(StoreError):
            await stack.aclose()
    assert asyncio.all_tasks() == before


async def test_it_is_not_ready_while_the_wallet_is_not_known(shop: Shop) -> None:
    shop.fault("*", "http_503", times=None)
    async with Service.open(shop.settings) as service:
        assert "wallet is not known yet" in str(await service.lacks())


async def test_prometheus_is_told_of_the_whole_service(shop: Shop, settings: Settings) -> None:
    async with Service.open(settings) as service:
        await until(is_ready(service))
        told = Exposition((await service.exposition(pages=3)).decode())
    assert told.value("forwarder_pages_connected") == 3
    assert told.value("forwarder_tasks_down") == 0
