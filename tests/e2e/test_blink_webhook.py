"""Blink's webhook end to end: what it alone tells is told on at once, and paid on once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from forwarder.sandbox import Fault
from forwarder.sandbox.callbacks import Endpoint
from tests.e2e.conftest import BLINK_WEBHOOK_SECRET, World
from tests.e2e.test_metrics import scrape

NEWER_SECRET = "whsec_Y2FuYXJ5LW5ld2VyLXdlYmhvb2stNDY0Ng=="
QUIET_SECONDS = 0.5
DEAF = Fault("event", "drop", times=None)


@pytest.fixture
def endpoint(world: World) -> Endpoint:
    """Blink tells the service of what is booked on BlinkPOS."""
    url = f"{world.forwarder.url}/api/webhook/blink"
    return world.blink.call_back(world.pos, url, BLINK_WEBHOOK_SECRET)


async def sell_watched(world: World) -> dict[str, Any]:
    """A sale whose subscription is open, and about which Blink has been asked all there was."""
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    calls = -1
    while calls != len(world.blink.calls):
        calls = len(world.blink.calls)
        await asyncio.sleep(QUIET_SECONDS)
    return sale


async def witnesses(world: World, source: str = "blink") -> dict[str, float]:
    """Who has told the service of its payments, and how many."""
    counted = [
        sample
        for sample in (await scrape(world)).samples
        if sample.name == "forwarder_payments_received_total" and sample.value
    ]
    assert {sample.labels["source"] for sample in counted} <= {source}
    return {sample.labels["witness"]: sample.value for sample in counted}


async def is_forwarded_once(world: World, sale: dict[str, Any], seconds: float = 20) -> None:
    await world.till.until(sale, "forwarded", seconds)
    assert world.earned == 1_000
    assert len(world.payouts()) == 1


def statuses(world: World, kind: str = "receive.lightning") -> list[int | None]:
    """How what Blink has told was answered."""
    return [one.status for one in world.blink.callbacks if one.message.event_type == kind]


async def test_a_payment_that_the_webhook_alone_tells_of_is_told_and_forwarded(
    world: World, endpoint: Endpoint
) -> None:
    world.blink.faults.add(DEAF)
    sale = await sell_watched(world)
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("payment")
        await page.until("forwarded")
    await is_forwarded_once(world, sale)
    assert await witnesses(world) == {"webhook": 1}
    await world.until(lambda: bool(statuses(world, "send.lightning")))  # of our own payout
    assert statuses(world) == statuses(world, "send.lightning") == [200]


async def test_a_payment_among_users_of_blink_is_told_by_the_webhook_as_well(
    world: World, endpoint: Endpoint
) -> None:
    world.blink.faults.add(DEAF)
    sale = await sell_watched(world)
    await world.blink.pay_from(world.friend, sale["invoice"])
    await is_forwarded_once(world, sale)
    assert await witnesses(world) == {"webhook": 1}


async def test_a_webhook_that_is_repeated_is_taken_and_pays_once(
    world: World, endpoint: Endpoint
) -> None:
    world.blink.faults.add(DEAF)
    world.blink.faults.add(Fault("callback", "duplicate", account=world.pos.id, copies=5))
    sale = await sell_watched(world)
    await world.blink.pay(sale["invoice"])
    await is_forwarded_once(world, sale)
    await world.until(lambda: len(statuses(world)) == 5)
    assert statuses(world) == [200] * 5
    assert await witnesses(world) == {"webhook": 1}


async def test_a_webhook_that_comes_after_all_is_over_changes_nothing(
    world: World, endpoint: Endpoint
) -> None:
    world.blink.faults.add(Fault("callback", "delay", seconds=2))
    sale = await sell_watched(world)
    await world.blink.pay(sale["invoice"])
    await is_forwarded_once(world, sale)
    await world.until(lambda: statuses(world) == [200])
    await is_forwarded_once(world, sale)
    assert await witnesses(world) == {"subscription": 1}


async def test_what_neither_the_webhook_nor_the_subscription_tells_is_found_by_a_look(
    world: World, endpoint: Endpoint
) -> None:
    world.blink.faults.add(Fault("websocket", "refuse", times=None))  # so that it looks often
    world.blink.faults.add(Fault("callback", "drop", times=None))
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await is_forwarded_once(world, sale, seconds=30)
    assert world.blink.callbacks == []
    assert await witnesses(world) == {"catch_up": 1}


async def test_a_secret_is_replaced_and_no_webhook_is_lost(
    world: World, endpoint: Endpoint
) -> None:
    """Svix signs with both for a day, in which the service is given both."""
    world.secrets = (*world.secrets, NEWER_SECRET)
    world.blink.faults.add(DEAF)
    endpoint.secrets = [NEWER_SECRET, BLINK_WEBHOOK_SECRET]
    await is_told_by_webhook(world)
    await world.forwarder.stop()
    both = " ".join(endpoint.secrets)
    await world.forwarder.start(BLINK_WEBHOOK_SECRET=both)
    await is_told_by_webhook(world)
    endpoint.secrets = [NEWER_SECRET]
    await is_told_by_webhook(world)


async def is_told_by_webhook(world: World) -> None:
    """A sale, and what the service takes of it."""
    before = (await witnesses(world)).get("webhook", 0)
    sale = await sell_watched(world)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert await witnesses(world) == {"webhook": before + 1}
