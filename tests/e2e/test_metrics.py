"""What Prometheus reads of the real process, after a real sale."""

from __future__ import annotations

import re

import aiohttp

from forwarder.web.routes import ROUTES
from tests.e2e.conftest import OPERATOR_TOKEN, World
from tests.exposition import Exposition

# Whatever is not one of these is no value of a label of ours: a hash, a name, a text.
SHORT_WORD = re.compile(r"[A-Za-z0-9_.]{1,20}|\+Inf|elsewhere")
PATHS = {route.path for route in ROUTES}


async def scrape(world: World) -> Exposition:
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with (
        aiohttp.ClientSession(world.forwarder.url, headers=headers) as session,
        session.get("/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Exposition(await answer.text())


async def test_a_sale_is_seen_in_the_metrics_and_nothing_secret_is(world: World) -> None:
    sale = await world.till.sell(2_100, externalId="sale-of-the-day")
    await world.until(lambda: world.blink.subscriptions == 1)
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("forwarded")
        now = await scrape(world)
    assert now.value("forwarder_payments_received_total") == 1
    assert now.value("forwarder_forwards_total", end="forwarded") == 1
    assert now.value("forwarder_blink_calls_total", operation="PayInvoice", outcome="answered") == 1
    assert now.value("forwarder_blink_call_seconds_count", operation="PayInvoice") == 1
    assert now.value("forwarder_messages_told_total", kind="payment", timing="at_once") == 1
    assert now.value("forwarder_pages_connected") == 1
    assert now.value("forwarder_http_requests_total", route="/api/invoice", status="2xx") == 1
    assert now.value("forwarder_database_transactions_total", ending="committed") > 0
    assert now.value("forwarder_task_deaths_total") == 0
    assert now.value("forwarder_database_up") == 1
    hidden = (*world.secrets, sale["paymentHash"], "sale-of-the-day", "merchant")
    assert [secret for secret in hidden if secret in now.text] == []


async def test_the_values_of_labels_come_from_closed_sets(world: World) -> None:
    await world.till.sell(externalId="sale-1")
    await world.till.call("GET", "/a/path/of/somebodys/invention?token=1")
    await world.till.call("PATCH", "/api/invoice")
    now = await scrape(world)
    values = {value for sample in now.samples for value in sample.labels.values()}
    assert {value for value in values - PATHS if not SHORT_WORD.fullmatch(value)} == set()
    assert "PATCH" not in values
    assert now.value("forwarder_http_requests_total", route="elsewhere", status="4xx") == 2


async def test_a_key_that_blink_refuses_is_counted_as_such(world: World) -> None:
    world.blink.revoke_key(world.secrets[0])
    await world.till.call("POST", "/api/invoice", {"amountSat": 5})
    now = await scrape(world)
    assert now.value("forwarder_blink_calls_total", outcome="key_refused") >= 1
