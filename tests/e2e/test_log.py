"""The log of the real process, read as a machine reads it."""

from __future__ import annotations

import json
from typing import Any

from forwarder.sandbox import Fault
from tests.e2e.conftest import World

SALE = ("payment_hash", "external_id", "merchant", "merchant_id", "position")


def lines(world: World) -> list[dict[str, Any]]:
    """Every whole line; one that is not JSON fails."""
    whole, _, _ = bytes(world.forwarder.output).rpartition(b"\n")
    return [json.loads(line) for line in whole.decode().splitlines()]


def story(world: World, sale: dict[str, Any]) -> list[dict[str, Any]]:
    """What is logged of one sale."""
    return [line for line in lines(world) if line.get("payment_hash") == sale["paymentHash"]]


def of_call(world: World, request_id: str) -> list[dict[str, Any]]:
    """What is logged of one call."""
    return [line for line in lines(world) if line.get("request_id") == request_id]


def events(found: list[dict[str, Any]]) -> list[str]:
    """The sentences alone."""
    return [line["event"] for line in found]


async def test_one_search_tells_the_story_of_a_sale(world: World) -> None:
    sale = await world.till.sell(2_100, externalId="sale-1")
    await world.till.sell(5, externalId="sale-2")
    await world.until(lambda: world.blink.subscriptions == 1)
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("forwarded")
    await world.till.snapshot(sale)
    await world.until(lambda: "a call was answered" in events(story(world, sale)))
    told = story(world, sale)
    assert events(told) == [
        "an invoice was made",
        "a payment was received",
        "a page was told",
        "a payout invoice was made",
        "a payout is being sent",
        "a payment was forwarded",
        "a page was told",
        "a call was answered",
    ]
    assert told[0] | {"merchant": "merchant", "external_id": "sale-1", "sats": 2_100} == told[0]
    assert told[1] | {"external_id": "sale-1", "sats": 2_100} == told[1]
    assert [line["kind"] for line in told if "kind" in line] == ["payment", "forwarded"]
    assert {line["merchant_id"] for line in told[3:6]} == {1}
    assert [line["timestamp"] for line in told] == sorted(line["timestamp"] for line in told)


async def test_what_goes_wrong_with_a_sale_stands_in_its_story(world: World) -> None:
    merchant = world.merchant.id
    world.blink.faults.add(Fault("lnInvoiceCreate", "http_503", account=merchant))
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    await world.until(lambda: "a payment was forwarded" in events(story(world, sale)))
    (waited,) = [line for line in story(world, sale) if line["event"] == "a forward waits"]
    assert waited["level"] == "warning"
    assert waited["state"] == "queued"
    assert "503" in waited["reason"]


async def test_a_call_that_failed_is_found_by_the_name_that_its_caller_gave(world: World) -> None:
    world.blink.faults.add(Fault("lnInvoiceCreate", "http_503"))
    headers = {"X-Request-Id": "till-7-call-0001"}
    status, _ = await world.till.call(
        "POST", "/api/invoice", {"amountSat": 5, "externalId": "sale-9"}, headers=headers
    )
    assert status == 503
    await world.until(lambda: len(of_call(world, "till-7-call-0001")) == 2)
    found = of_call(world, "till-7-call-0001")
    assert events(found) == ["a call could not be served", "a call was answered"]
    assert all(line["merchant"] == "merchant" for line in found)
    assert all(line["external_id"] == "sale-9" for line in found)


async def test_a_call_knows_nothing_of_the_one_before_it(world: World) -> None:
    await world.till.snapshot(await world.till.sell())
    await world.till.call("GET", "/health")  # on the same connection
    await world.until(lambda: any(line.get("route") == "/health" for line in lines(world)))
    (line,) = [line for line in lines(world) if line.get("route") == "/health"]
    assert not line.keys() & set(SALE)
