"""docs/integration.md, step by step: its pages, on another origin, with real React."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from forwarder.web.site import FILES
from tests.browser.conftest import Visiting
from tests.browser.visitor import Visitor
from tests.e2e.conftest import POS_TOKEN, World
from tests.e2e.process import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "integration.md").read_text()
MAIN = """
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Till } from './till.jsx';

createRoot(document.getElementById('root')).render(<StrictMode><Till /></StrictMode>);
"""
REACT_PAGE = """<!doctype html><html lang="en"><title>My till</title><div id="root"></div>
<script src="bundle.js"></script></html>"""
ESBUILD = ("--bundle", "--jsx=automatic", "--outfile=bundle.js", "--log-level=warning")
GONE = r"ERR_CONNECTION_|Error in connection|ERR_EMPTY_RESPONSE"
NO_ICON = r"404.*favicon"


@dataclass(frozen=True)
class Website:
    """A folder, and the origin where it is served."""

    folder: Path
    origin: str


def block(kind: str) -> str:
    """The one block of code of this kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def filled_in(code: str, world: World) -> str:
    """The code as its reader makes it: with the service's address and the till's token."""
    return code.replace("http://127.0.0.1:4000", world.forwarder.url).replace(
        "the POS token", POS_TOKEN
    )


@pytest_asyncio.fixture(loop_scope="session")
async def website(tmp_path: Path) -> AsyncIterator[Website]:
    """A website of one's own, as `python3 -m http.server` makes one."""
    app = web.Application()
    app.router.add_static("/", tmp_path)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", port := free_port())
    await site.start()
    yield Website(tmp_path, f"http://localhost:{port}")
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(world: World, website: Website, visits: Visiting) -> AsyncIterator[Visitor]:
    """A visitor of that website, which is on the list."""
    await world.forwarder.stop()
    await world.forwarder.start(ALLOWED_ORIGINS=website.origin)
    async with visits() as visitor:
        visitor.url = website.origin
        visitor.expected.append(NO_ICON)
        yield visitor
    await world.forwarder.stop()
    await world.forwarder.start()


async def test_the_page_of_the_guide_hears_of_its_payment(
    world: World, website: Website, stranger: Visitor
) -> None:
    (website.folder / "till.html").write_text(filled_in(block("html"), world))
    page = await stranger.open("/till.html")
    await page.get_by_role("button", name="Coffee, 2100 sats").click()
    await expect(page.get_by_text("Waiting for payment")).to_be_visible()
    code = page.get_by_role("img", name="QR code of the invoice")
    assert await code.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    await world.blink.pay(await page.locator("#invoice").inner_text())
    await expect(page.get_by_text("Paid, and with the merchant")).to_be_visible()


async def test_the_react_page_of_the_guide_hears_of_its_payment_once(
    world: World, website: Website, stranger: Visitor, npm: Path
) -> None:
    stranger.expected.append(GONE)
    bundle(npm, website.folder, filled_in(block("jsx"), world))
    page = await stranger.open("/index.html")
    await page.get_by_role("button", name="Coffee, 2100 sats").click()
    await expect(page.get_by_text("Waiting for payment")).to_be_visible()
    invoice = await page.locator("code").inner_text()
    await world.forwarder.kill()
    await expect(page.get_by_text("the connection was lost")).to_be_visible()
    await world.forwarder.start(ALLOWED_ORIGINS=website.origin)
    await expect(page.get_by_text("Waiting for payment")).to_be_visible()
    await world.blink.pay(invoice)
    await expect(page.get_by_text("Paid: 2100 sats")).to_be_visible()
    assert await page.evaluate("paid") == 1


def bundle(npm: Path, folder: Path, component: str) -> None:
    """Build the guide's component with the two files and real React, and count what it is told."""
    for name in ("payment-socket.js", "use-payment-websocket.js"):
        (folder / name).write_bytes(FILES[name].content)
    assert "onPaymentReceived: setPayment," in component
    counting = (
        "onPaymentReceived: (it) => { window.paid = (window.paid ?? 0) + 1; setPayment(it); },"
    )
    (folder / "till.jsx").write_text(component.replace("onPaymentReceived: setPayment,", counting))
    (folder / "main.jsx").write_text(MAIN)
    (folder / "index.html").write_text(REACT_PAGE)
    subprocess.run(
        [npm / "node_modules/.bin/esbuild", "main.jsx", *ESBUILD],
        cwd=folder,
        env={**os.environ, "NODE_PATH": str(npm / "node_modules")},
        check=True,
    )
