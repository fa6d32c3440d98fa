"""Every state of every page, judged by axe-core: in the light and in the dark."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Visiting
from tests.browser.sales import hold
from tests.browser.visitor import DESK, Scheme, charge, expect_state
from tests.e2e.conftest import World

Scan = Callable[[Page, str], Awaitable[None]]

RUN = """async () => {
  const { violations } = await axe.run({ resultTypes: ['violations'] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}"""

SCHEMES = get_args(Scheme)


@pytest.fixture(scope="session")
def scan(npm: Path) -> Scan:
    """Judges a page as it stands."""
    axe = (npm / "node_modules/axe-core/axe.min.js").read_text()

    async def judge(page: Page, state: str) -> None:
        if not await page.evaluate("'axe' in window"):
            await page.evaluate(axe)
        assert await page.evaluate(RUN) == [], state

    return judge


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_pos_page_is_open_to_everybody(
    world: World, visits: Visiting, scan: Scan, scheme: Scheme
) -> None:
    async with visits(scheme=scheme) as visitor:
        visitor.expected.append("ERR_INTERNET_DISCONNECTED|401")
        page = await visitor.open()
        await expect(page.get_by_label("POS token")).to_be_focused()
        await scan(page, "signing in")
        await page.get_by_label("POS token").fill("wrong")
        await page.get_by_role("button", name="Start selling").click()
        await expect(page.get_by_text("no POS token")).to_be_visible()
        await scan(page, "refused")
        till = await visitor.open_till()
        await till.get_by_role("button", name="Charge").click()
        await scan(till, "an amount is missing")
        invoice = await charge(till, 2_100, "Espresso and cake")
        await expect_state(till, "pending")
        await scan(till, "waiting")
        await visitor.context.set_offline(True)
        await expect(till.get_by_text("Offline.")).to_be_visible()
        await scan(till, "offline")
        await visitor.context.set_offline(False)
        await world.blink.pay(invoice)
        await expect_state(till, "forwarded")
        await scan(till, "forwarded")
        await till.get_by_role("button", name="New sale").click()
        await expect(till.get_by_role("table")).to_contain_text("forwarded")
        await scan(till, "the sales of the day")
        await charge(till, 300)
        await till.get_by_role("button", name="Cancel sale").click()
        await expect_state(till, "cancelled")
        await scan(till, "cancelled")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_short_states_of_a_sale_are_too(
    visits: Visiting, scan: Scan, scheme: Scheme
) -> None:
    async with visits(scheme=scheme) as visitor:
        till = await visitor.open_till()

        async def hurry(route: Route) -> None:
            order = json.loads(route.request.post_data or "") | {"expiresInSeconds": 1}
            await scan(till, "making the invoice")
            await route.continue_(post_data=json.dumps(order))

        await till.route("**/api/invoice", hurry)
        await charge(till, 700)
        await expect_state(till, "expired")
        await scan(till, "expired")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_operator_page_is_open_to_everybody(
    world: World, visits: Visiting, scan: Scan, scheme: Scheme
) -> None:
    name = f"scanned-{scheme}"
    async with visits(scheme=scheme, size=DESK) as visitor:
        visitor.expected.append("ERR_INTERNET_DISCONNECTED")
        page = await visitor.open("/operator")
        await expect(page.get_by_label("Operator token")).to_be_focused()
        await scan(page, "signing in")
        await hold(world, name, 1_717)
        world.blink.disable_receive(world.merchant, disabled=False)
        office = await visitor.open_office()
        await expect(office.get_by_role("row").filter(has_text=name)).to_be_visible()
        await scan(office, "overview")
        await office.get_by_role("button", name=name, exact=True).click()
        await expect(office.get_by_role("article")).to_contain_text("What happened")
        await office.get_by_text("Sats received, as a table").click()
        await scan(office, "one sale, and a chart as a table")
        await office.get_by_role("button", name="Settle by hand").click()
        await expect(office.get_by_label("Note")).to_be_focused()
        await scan(office, "a question")
        await office.get_by_label("Note").fill("for the scan")
        await office.get_by_role("button", name="It is settled").click()
        await expect(office.get_by_role("status")).to_contain_text("settled by hand")
        await office.get_by_label("Search payments").fill("nobody-sold-this")
        await expect(office.get_by_text("Nothing here is")).to_be_visible()
        await visitor.context.set_offline(True)
        await expect(office.get_by_text("Out of reach")).to_be_visible()
        await scan(office, "out of reach, and nothing found")
