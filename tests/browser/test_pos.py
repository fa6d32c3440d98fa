"""The POS page in a real browser, on the real process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.async_api import Page, Route, expect

from forwarder.sandbox.faults import Fault
from tests.browser.conftest import Visiting
from tests.browser.visitor import DESK, Visitor, charge, expect_state, shown_invoice
from tests.e2e.conftest import World

# What Chromium says of a service that is not there, and of a network that is not.
GONE = r"ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_EMPTY_RESPONSE|Error in connection"
OFFLINE = r"ERR_INTERNET_DISCONNECTED"


async def test_a_sale_is_paid_and_forwarded(world: World, visitor: Visitor) -> None:
    till = await visitor.open_till()
    invoice = await charge(till, 2_100, "Espresso and cake")
    await expect_state(till, "pending")
    await expect(till.get_by_text("Espresso and cake")).to_be_visible()
    await expect(till.get_by_role("button", name="Customer pays")).to_have_count(0)
    code = till.get_by_role("img", name="QR code of the Lightning invoice for 2\u202f100 sats")
    await expect(code).to_be_visible()
    assert await code.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    await expect(till.get_by_text(re.compile(r"1[45]:\d\d left"))).to_be_visible()
    before = world.earned
    await world.blink.pay(invoice)
    await expect_state(till, "forwarded")
    await expect(till.get_by_role("status").get_by_text("Paid", exact=True)).to_be_visible()
    await expect(till.get_by_role("button", name="New sale")).to_be_focused()
    assert world.earned == before + 2_100


async def test_paid_is_shown_while_the_forward_still_waits(world: World, visitor: Visitor) -> None:
    till = await visitor.open_till()
    invoice = await charge(till, 500)
    before = world.earned
    world.blink.faults.add(Fault("lnInvoiceCreate", "http_503", times=None))
    await world.blink.pay(invoice)
    await expect_state(till, "paid")
    assert world.earned == before
    world.blink.faults.clear()
    await expect_state(till, "forwarded")
    assert world.earned == before + 500


async def test_a_sale_goes_by_keyboard_alone(world: World, visitor: Visitor) -> None:
    till = await visitor.open_till()
    await till.keyboard.type("12300")
    await till.keyboard.press("Backspace")
    await expect(till.get_by_label("Amount in sats")).to_have_value("1\u202f230")
    await till.keyboard.press("Enter")
    await world.blink.pay(await shown_invoice(till))
    await expect(till.get_by_role("button", name="New sale")).to_be_focused()
    await till.keyboard.press("Enter")
    await expect(till.get_by_label("Amount in sats")).to_be_focused()
    await expect(till.get_by_label("Amount in sats")).to_have_value("")


async def test_a_sale_goes_by_touch_alone(visitor: Visitor) -> None:
    till = await visitor.open_till()
    await till.get_by_role("button", name="Charge").click()
    await expect(till.get_by_role("alert").get_by_text("Enter an amount first.")).to_be_visible()
    for key in ("0", "4", "000", "2", "delete the last digit"):
        await till.get_by_role("button", name=key, exact=True).click()
    await expect(till.get_by_label("Amount in sats")).to_have_value("4\u202f000")
    await till.get_by_role("button", name="Charge").click()
    await shown_invoice(till)
    await expect(till.get_by_role("heading", name="4\u202f000 sats")).to_be_visible()


async def test_a_sale_is_cancelled_at_blink(world: World, visitor: Visitor) -> None:
    till = await visitor.open_till()
    await charge(till, 700)
    await till.get_by_role("button", name="Cancel sale").click()
    await expect_state(till, "cancelled")
    assert "lnInvoiceCancel" in world.operations()
    await expect(till.get_by_role("img")).to_have_count(0)


async def test_a_sale_that_nobody_pays_expires(visitor: Visitor) -> None:
    till = await visitor.open_till()

    async def hurry(route: Route) -> None:
        order = json.loads(route.request.post_data or "") | {"expiresInSeconds": 1}
        await route.continue_(post_data=json.dumps(order))

    await till.route("**/api/invoice", hurry)
    await charge(till, 700)
    await expect_state(till, "expired")
    await expect(till.get_by_role("button", name="New sale")).to_be_focused()


async def test_a_till_comes_back_when_the_service_was_killed(
    world: World, visitor: Visitor
) -> None:
    visitor.expected.append(GONE)
    till = await visitor.open_till()
    invoice = await charge(till, 900)
    await world.forwarder.kill()
    await expect(till.get_by_text("Reconnecting…")).to_be_visible()
    await world.blink.pay(invoice)
    await world.forwarder.start()
    await expect_state(till, "forwarded")
    await expect(till.get_by_text("Reconnecting…")).to_have_count(0)


async def test_a_page_that_comes_after_the_payment_still_learns_of_it(
    world: World, visitor: Visitor
) -> None:
    till = await visitor.open_till()
    invoice = await charge(till, 900)
    await till.goto("about:blank")
    before = world.earned
    await world.blink.pay(invoice)
    await world.until(lambda: world.earned == before + 900, 15)
    made = world.blink.invoices(world.pos.btc_wallet_id)
    await till.goto(visitor.url)
    await expect_state(till, "forwarded")
    assert world.blink.invoices(world.pos.btc_wallet_id) == made


async def test_two_tills_hear_of_their_own_sale_alone_and_once(
    world: World, visits: Visiting
) -> None:
    async with visits() as one, visits() as other:
        here, there = await one.open_till(), await other.open_till()
        heard_here, heard_there = listen(here), listen(there)
        invoice, _ = await charge(here, 1_000), await charge(there, 2_000)
        await world.blink.pay(invoice)
        await expect_state(here, "forwarded")
        await expect_state(there, "pending")
        assert [heard_here("payment"), heard_here("forwarded")] == [1, 1]
        assert [heard_there("payment"), heard_there("forwarded")] == [0, 0]


def listen(page: Page) -> Callable[[str], int]:
    """Count what the service says to a page, by its type."""
    frames: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))),
    )
    return lambda kind: sum(f'"type": "{kind}"' in frame for frame in frames)


async def test_a_till_without_network_says_so_and_goes_on_when_it_is_back(
    world: World, visitor: Visitor
) -> None:
    visitor.expected.append(OFFLINE)
    till = await visitor.open_till()
    await visitor.context.set_offline(True)
    await expect(till.get_by_text("Offline.")).to_be_visible()
    await till.get_by_label("Amount in sats").fill("600")
    await till.get_by_role("button", name="Charge").click()
    await expect_state(till, "making")
    await visitor.context.set_offline(False)
    await expect(till.get_by_text("Offline.")).to_have_count(0)
    await world.blink.pay(await shown_invoice(till))
    await expect_state(till, "forwarded")


async def test_a_lost_answer_is_asked_for_again_and_makes_one_invoice(
    world: World, visitor: Visitor
) -> None:
    visitor.expected.append("ERR_FAILED")
    till = await visitor.open_till()

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await till.route("**/api/invoice", lose, times=1)
    before = len(world.blink.invoices(world.pos.btc_wallet_id))
    invoice = await charge(till, 808)
    made = world.blink.invoices(world.pos.btc_wallet_id)
    assert [one.payment_request for one in made[:-before]] == [invoice]


async def test_a_page_that_is_loaded_again_shows_the_same_sale(
    world: World, visitor: Visitor
) -> None:
    till = await visitor.open_till()
    invoice = await charge(till, 800)
    await till.reload()
    assert await shown_invoice(till) == invoice
    await world.blink.pay(invoice)
    await expect_state(till, "forwarded")


async def test_the_sales_of_the_day_are_listed(world: World, visits: Visiting) -> None:
    async with visits(size=DESK) as visitor:
        till = await visitor.open_till()
        await world.blink.pay(await charge(till, 1_501))
        await expect_state(till, "forwarded")
        await till.get_by_role("button", name="New sale").click()
        await charge(till, 303)
        await till.get_by_role("button", name="Cancel sale").click()
        await till.get_by_role("button", name="New sale").click()
        await expect(till.get_by_text(re.compile(r"sats in \d+ sales?$"))).to_be_visible()
        rows = till.get_by_role("table").get_by_role("row")
        await expect(rows.filter(has_text="forwarded")).to_contain_text(["1\u202f501 sats"])
        await expect(rows.filter(has_text="cancelled")).to_contain_text(["303 sats"])


async def test_a_token_that_is_not_good_is_refused_in_words(visitor: Visitor) -> None:
    visitor.expected.append("401")
    page = await visitor.open()
    await page.get_by_label("POS token").fill("wrong")
    await page.get_by_role("button", name="Start selling").click()
    await expect(page.get_by_role("alert").get_by_text("no POS token")).to_be_visible()


async def test_a_till_that_is_signed_out_keeps_nothing(visitor: Visitor) -> None:
    till = await visitor.open_till()
    await charge(till, 400)
    await till.get_by_role("button", name="Sign out").click()
    await expect(till.get_by_label("POS token")).to_be_focused()
    assert await till.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await till.evaluate("document.cookie") == ""


async def test_a_sale_that_blink_refuses_is_refused_where_it_was_entered(
    world: World, visitor: Visitor
) -> None:
    visitor.expected.append("502")
    world.blink.disable_receive(world.pos)
    till = await visitor.open_till()
    await till.get_by_label("Amount in sats").fill("320")
    await till.get_by_role("button", name="Charge").click()
    await expect(till.get_by_role("alert").get_by_text("Blink has refused this")).to_be_visible()
    world.blink.disable_receive(world.pos, disabled=False)
    await expect(till.get_by_label("Amount in sats")).to_have_value("320")
