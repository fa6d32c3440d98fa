"""The operator page in a real browser, on the real process: where is the money of this sale?"""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Visiting
from tests.browser.sales import hold, sell
from tests.browser.visitor import DESK, Visitor, charge, expect_state
from tests.e2e.conftest import OPERATOR_TOKEN, World

GONE = r"ERR_CONNECTION_|ERR_EMPTY_RESPONSE"


@pytest_asyncio.fixture(loop_scope="session")
async def operator(visits: Visiting) -> AsyncIterator[Visitor]:
    """Somebody at a desk."""
    async with visits(size=DESK) as visitor:
        yield visitor


async def open_sale(office: Page, name: str) -> None:
    """Open a sale of the list."""
    await office.get_by_role("button", name=name, exact=True).click()
    await expect(office.get_by_role("article")).to_contain_text(name)


def chip(office: Page) -> Any:  # noqa: ANN401 - playwright's own
    """The state of the sale that is open."""
    return office.get_by_role("article").get_by_role("heading", level=3).locator(".chip")


async def test_a_sale_appears_by_itself_with_every_step_that_it_took(
    world: World, operator: Visitor
) -> None:
    office = await operator.open_office()
    await sell(world, "seen-by-itself", 2_117, description="two coffees")
    row = office.get_by_role("row").filter(has_text="seen-by-itself")
    await expect(row).to_contain_text("forwarded")
    await expect(row).to_contain_text("2\u202f117")
    await open_sale(office, "seen-by-itself")
    article = office.get_by_role("article")
    await expect(article).to_contain_text("two coffees")
    # Whichever was first: the subscription, or the look at what it may have missed.
    await expect(article).to_contain_text(re.compile("Seen first by(subscription|catch_up)"))
    steps = [
        " ".join(text.split())
        for text in await article.get_by_role("listitem").locator("p:first-child").all_inner_texts()
    ]
    names = [step.rpartition(" by ")[0] for step in steps]
    assert names[:3] == ["invoice kept", "payment received", "forward queued"]
    assert names[-1] == "forwarded"


@pytest.mark.parametrize("wanted", ["found-by-name", "hash", "3131", "merchant"])
async def test_a_sale_is_found_by_what_is_known_of_it(
    world: World, operator: Visitor, wanted: str
) -> None:
    name = f"found-by-name-{wanted}"
    sale = await sell(world, name, 3_131)
    words = {"found-by-name": name, "hash": sale["paymentHash"][:12]}.get(wanted, wanted)
    office = await operator.open_office()
    await office.get_by_label("Search payments").fill(words)
    await expect(office.get_by_role("row").filter(has_text=name)).to_be_visible()
    await office.get_by_label("Search payments").fill("nobody-sold-this")
    await expect(office.get_by_text("Nothing here is “nobody-sold-this”.")).to_be_visible()


async def test_the_list_shows_one_state_when_it_is_asked_to(
    world: World, operator: Visitor
) -> None:
    await sell(world, "arrived", 1_111)
    await world.till.sell(1_112, externalId="still-waiting")
    office = await operator.open_office()
    await office.get_by_label("State of the payments").select_option("pending")
    await expect(office.get_by_role("row").filter(has_text="still-waiting")).to_be_visible()
    await expect(office.get_by_role("row").filter(has_text="arrived")).to_have_count(0)


async def test_what_is_held_is_tried_again_and_arrives_once(
    world: World, operator: Visitor
) -> None:
    sale = await hold(world, "held-and-replayed", 4_301)
    before = world.earned
    office = await operator.open_office()
    await expect(office.locator("#held-hint")).to_have_text("a person is needed")
    await open_sale(office, "held-and-replayed")
    await expect(chip(office)).to_have_text("held")
    await expect(office.get_by_role("article")).to_contain_text("RECEIVE_DISABLED")
    world.blink.disable_receive(world.merchant, disabled=False)
    await office.get_by_role("button", name="Try again").click()
    await office.get_by_role("dialog").get_by_role("button", name="Back").click()
    await expect(chip(office)).to_have_text("held")
    await office.get_by_role("button", name="Try again").click()
    await office.get_by_role("dialog").get_by_role("button", name="Try again").click()
    await expect(office.get_by_role("status")).to_have_text("It is being tried again.")
    await expect(chip(office)).to_have_text("forwarded")
    await world.till.until(sale, "forwarded")
    assert world.earned == before + 4_301


async def test_what_was_settled_by_hand_is_kept_with_its_note(
    world: World, operator: Visitor
) -> None:
    await hold(world, "held-and-resolved", 4_302)
    world.blink.disable_receive(world.merchant, disabled=False)
    before = world.earned
    office = await operator.open_office()
    await open_sale(office, "held-and-resolved")
    await office.get_by_role("button", name="Settle by hand").click()
    await office.get_by_role("button", name="It is settled").click()
    await expect(office.get_by_role("dialog")).to_be_visible()  # without a note it is not taken
    await office.get_by_label("Note").fill("paid in cash")
    await office.get_by_role("button", name="It is settled").click()
    await expect(chip(office)).to_have_text("resolved")
    await expect(office.get_by_role("article").get_by_role("list")).to_contain_text("paid in cash")
    assert world.earned == before


async def test_the_forwards_are_saved_as_a_file(world: World, operator: Visitor) -> None:
    await sell(world, "exported", 5_505)
    office = await operator.open_office()
    await office.get_by_role("button", name="Export CSV").click()
    async with office.expect_download() as saved:
        await office.get_by_role("button", name="Save as CSV").click()
    download = await saved.value
    assert download.suggested_filename.endswith(".csv")
    path = await download.path()
    (line,) = [
        row
        for row in csv.DictReader(path.read_text().splitlines())
        if row["externalId"] == "exported"
    ]
    assert (line["receivedSat"], line["amountSat"], line["state"]) == ("5505", "5505", "forwarded")


async def test_the_ledgers_are_compared_on_demand(operator: Visitor) -> None:
    office = await operator.open_office()
    await office.get_by_role("button", name="Reconcile now").click()
    await office.get_by_role("button", name="Reconcile", exact=True).click()
    await expect(office.get_by_role("status")).to_contain_text("Compared")


async def test_a_broadcast_is_read_at_the_tills(visits: Visiting, operator: Visitor) -> None:
    async with visits() as cashier:
        till = await cashier.open_till()
        await charge(till, 600)
        await expect_state(till, "pending")
        office = await operator.open_office()
        await office.get_by_role("button", name="Broadcast").click()
        await office.get_by_label("Message").fill("We close at six")
        await office.get_by_role("button", name="Tell them").click()
        await expect(till.get_by_role("status").get_by_text("We close at six")).to_be_visible()


async def test_the_charts_have_their_numbers_in_a_table(world: World, operator: Visitor) -> None:
    await sell(world, "charted", 6_606)
    office = await operator.open_office()
    await expect(office.get_by_role("img", name="Sats received")).to_be_visible()
    await expect(office.get_by_role("img", name="Seconds from paid to forwarded")).to_be_visible()
    await office.get_by_text("Sats received, as a table").click()
    rows = office.locator("#volume-table").get_by_role("row")
    await expect(rows.nth(24)).to_be_visible()  # 24 hours and their names, at least
    await office.get_by_label("Span of the charts").select_option("day")
    await expect(rows.nth(30)).to_be_visible()


async def test_the_token_is_nowhere_but_in_the_page(operator: Visitor) -> None:
    asked: list[str] = []
    operator.context.on("request", lambda request: asked.append(request.url))
    office = await operator.open_office()
    async with office.expect_request("**/api/payments?search=1000*"):
        await office.get_by_label("Search payments").fill("1000")
    assert await office.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await operator.context.cookies() == []
    assert asked
    assert not any(OPERATOR_TOKEN in url for url in [*asked, office.url])
    assert OPERATOR_TOKEN not in await office.content()
    await office.reload()
    await expect(office.get_by_label("Operator token")).to_be_focused()


async def test_a_wrong_token_is_refused_in_words(operator: Visitor) -> None:
    operator.expected.append("401")
    page = await operator.open("/operator")
    await page.get_by_label("Operator token").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert").get_by_text("not the operator token")).to_be_visible()


async def test_a_service_out_of_reach_is_said_to_be_and_is_found_again(
    world: World, operator: Visitor
) -> None:
    operator.expected.append(GONE)
    office = await operator.open_office()
    await expect(office.get_by_text("Live")).to_be_visible()
    await world.forwarder.kill()
    await expect(office.get_by_text("Out of reach")).to_be_visible()
    await expect(office.get_by_role("alert").get_by_text("cannot be reached")).to_be_visible()
    await world.forwarder.start()
    await expect(office.get_by_text("Live")).to_be_visible()


async def test_a_page_that_nobody_sees_asks_for_nothing(operator: Visitor) -> None:
    office = await operator.open_office()
    await expect(office.get_by_text("Live")).to_be_visible()
    await office.clock.install()
    await see(office, is_hidden=True)
    asked: list[str] = []
    office.on("request", lambda request: asked.append(request.url))
    await office.clock.run_for(60_000)
    assert asked == []
    async with office.expect_request("**/api/status?*"):
        await see(office, is_hidden=False)


async def see(page: Page, *, is_hidden: bool) -> None:
    """Put the page into the background, or back."""
    await page.evaluate(
        """(isHidden) => {
          Object.defineProperty(document, 'hidden', { get: () => isHidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        is_hidden,
    )
