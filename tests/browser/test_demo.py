"""The till of `forwarder demo`, which has a customer of its own."""

from __future__ import annotations

from playwright.async_api import Browser
from pydantic import SecretStr

from forwarder.demo.sale import Demo
from forwarder.settings import Settings
from tests.browser.visitor import charge, expect_state, visiting


async def test_the_demo_leaves_a_real_node_alone() -> None:
    real = Settings(phoenixd_host="http://127.0.0.1:1", phoenixd_token=SecretStr("real"))
    async with Demo.open(real, 0) as demo:
        assert (demo.settings.phoenixd_host, demo.settings.phoenixd_token) == (None, None)


async def test_the_demo_signs_in_and_its_customer_pays(chromium: Browser) -> None:
    async with Demo.open(Settings(), 0) as demo, visiting(chromium, demo.url) as visitor:
        till = await visitor.open()
        await till.get_by_role("button", name="Start selling").click()
        await charge(till, 2_100)
        await till.get_by_role("button", name="Customer pays").click()
        await expect_state(till, "forwarded")
        assert demo.arrived()
