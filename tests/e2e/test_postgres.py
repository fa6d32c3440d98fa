"""The same service on PostgreSQL: a setting, and several processes on one database."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp

from tests.databases import Cluster
from tests.e2e.conftest import POS_TOKEN, World
from tests.e2e.process import Forwarder, Till

PAY = "lnInvoicePaymentSend"


async def test_a_sale_on_postgresql(world: World, cluster: Cluster, tmp_path: Path) -> None:
    await world.forwarder.stop()
    world.forwarder.environment["DATABASE_URL"] = cluster.url(cluster.create())
    await world.forwarder.start()
    sale = await world.till.sell()
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("forwarded")
    assert world.earned == 1_000

    second = Forwarder(world.forwarder.environment, tmp_path)
    await second.start()
    async with aiohttp.ClientSession(second.url) as session:
        till = Till(session, POS_TOKEN)
        sales = await asyncio.gather(
            *(one.sell(100 + n) for n in range(6) for one in (world.till, till))
        )
        await asyncio.sleep(1.5)
        assert world.blink.websockets == 1
        # Each page sits at the process that did not make its invoice.
        async with till.page(sales[0]) as first, world.till.page(sales[1]) as other:
            await asyncio.gather(*(world.blink.pay(sale["invoice"]) for sale in sales))
            await asyncio.gather(first.until("forwarded"), other.until("forwarded"))
        for sale in sales:
            await till.until(sale, "forwarded")
    assert world.earned == 1_000 + 2 * sum(100 + n for n in range(6))
    assert await second.stop() == 0, second.output.decode()
    assert b"Traceback" not in second.output, second.output.decode()


async def test_a_process_that_is_stopped_in_a_payment_delays_the_other_by_seconds(
    world: World, cluster: Cluster, tmp_path: Path
) -> None:
    """Its leases, its turn at sending and its watch end by themselves."""
    await world.forwarder.stop()
    world.forwarder.environment["DATABASE_URL"] = cluster.url(cluster.create())
    await world.forwarder.start()
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    world.blink.set_latency(PAY, 1.0)
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: PAY in world.operations(world.pos))
    world.forwarder.send(signal.SIGSTOP)
    world.blink.set_latency(PAY, 0.0)

    second = Forwarder(world.forwarder.environment, tmp_path)
    await second.start()
    async with aiohttp.ClientSession(second.url) as session:
        till = Till(session, POS_TOKEN)
        other = await till.sell(777)
        async with till.page(other) as page:
            await world.blink.pay(other["invoice"])
            async with asyncio.timeout(12):
                await page.until("forwarded")
        await till.until(sale, "forwarded")  # the other one's too
    world.forwarder.send(signal.SIGCONT)
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000 + 777
    assert await second.stop() == 0, second.output.decode()
