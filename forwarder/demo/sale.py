"""A sale from beginning to end, on a local Blink, told step by step."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import typer
from pydantic import SecretStr

from forwarder.demo.till import Till, shown
from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.settings import Settings
from forwarder.web.server import Server
from forwarder.worker.service import Service

SALE_SATS: Final = 2_100
FLOAT_SATS: Final = 50_000  # what BlinkPOS owns before: in an empty wallet a mistake could hide
STEP_SECONDS: Final = 10.0


class DemoError(Exception):
    """A step of the sale did not happen."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A local Blink and the service at work on it, seen from a till."""

    blink: Sandbox
    pos: Account
    merchant: Account
    settings: Settings
    till: aiohttp.ClientSession
    url: str
    begun: float

    @classmethod
    @asynccontextmanager
    async def open(cls, environment: Settings, port: int) -> AsyncIterator[Demo]:
        """Start everything, with a database that is gone afterwards."""
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            blink = await stack.enter_async_context(Sandbox.serve())
            pos = blink.open_account("blinkpos", sats=FLOAT_SATS)
            merchant = blink.open_account("merchant")
            settings = environment.model_copy(update=_overrides(blink, pos, merchant, folder))
            service = await stack.enter_async_context(Service.open(settings))
            extras = Till(blink, settings).routes()
            serving = Server.serve(service, settings.host, port, extras=extras)
            server = await stack.enter_async_context(serving)
            till = await stack.enter_async_context(aiohttp.ClientSession(server.url))
            yield cls(blink, pos, merchant, settings, till, server.url, time.monotonic())

    async def sell(self) -> None:
        """Make a sale and follow it to its end. Raises `DemoError`."""
        self._show_balances("before")
        await self._until_subscription("closed")
        sale = await self._call("POST", "/api/invoice", "pos_token", amountSat=SALE_SATS)
        self._say(f"invoice made for {sale['amountSat']} sat: {sale['invoice'][:40]}…")
        async with self.till.ws_connect("/ws") as page:
            await page.send_json(
                {"type": "identify", "externalId": sale["externalId"], "token": sale["token"]}
            )
            await self._until_subscription("open")
            await self.blink.pay(sale["invoice"])
            self._say("customer pays the invoice")
            await self._until_told(page, "payment")
            self._say("page told: paid")
            await self._until_told(page, "forwarded")
        self._show_forward()
        await self._until_subscription("closed")
        self._show_balances("after")

    def arrived(self) -> bool:
        """Whether the merchant has the money, and BlinkPOS what it had before."""
        return (
            self.blink.balance(self.merchant.btc_wallet_id) == SALE_SATS
            and self.blink.balance(self.pos.btc_wallet_id) == FLOAT_SATS
        )

    def invite(self) -> None:
        """Say how to go on by hand."""
        token = shown(self.settings.pos_token)
        typer.echo(f"""
Serving until Ctrl-C. Sell something at the till, which has a customer who pays:

  {self.url}/

see where its money is, with the operator token {shown(self.settings.operator_token)}:

  {self.url}/operator

or do it all by hand:

  curl -s {self.url}/api/invoice -H 'Authorization: Bearer {token}' -d '{{"amountSat": 500}}'
  curl -s {self.blink.control_url}/pay -d '{{"paymentRequest": "lnbcrt…"}}'
""")

    async def _until_subscription(self, state: str) -> None:
        async with _step(f"the subscription to be {state}"):
            while (await self._status())["subscription"]["state"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        self._say(f"subscription {state}: {self.blink.websockets} websockets at Blink")

    async def _until_told(self, page: aiohttp.ClientWebSocketResponse, kind: str) -> None:
        async with _step(f"the page to be told {kind!r}"):
            while (await page.receive_json())["type"] != kind:
                pass

    async def _status(self) -> dict[str, Any]:
        return await self._call("GET", "/api/status", "operator_token")

    async def _call(self, method: str, path: str, token: str, **body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {shown(getattr(self.settings, token))}"}
        data = json.dumps(body) if body else None
        async with self.till.request(method, path, headers=headers, data=data) as answer:
            answered: dict[str, Any] = await answer.json()
        if answer.status != 200:
            raise DemoError(f"{method} {path} was answered with {answer.status}: {answered}")
        return answered

    def _show_forward(self) -> None:
        payout = self.blink.invoices(self.merchant.btc_wallet_id)[0]
        sent = self.blink.sends(self.pos.btc_wallet_id)[0]
        self._say(f"payout invoice made on the merchant's account: {payout.payment_request[:40]}…")
        self._say(f"paid from BlinkPOS: {-sent.amount_sat} sat, transaction {sent.id}")
        self._say("page told: forwarded")

    def _show_balances(self, when: str) -> None:
        pos = self.blink.balance(self.pos.btc_wallet_id)
        merchant = self.blink.balance(self.merchant.btc_wallet_id)
        self._say(f"balances {when}: BlinkPOS {pos} sat, merchant {merchant} sat")

    def _say(self, text: str) -> None:
        typer.echo(f"{time.monotonic() - self.begun:6.3f} s  {text}")


async def run(environment: Settings, *, once: bool) -> bool:
    """Make a sale, say whether its money arrived, and unless `once` serve until cancelled."""
    async with Demo.open(environment, port=0 if once else environment.port) as demo:
        try:
            await demo.sell()
        except DemoError as exc:
            typer.echo(f"the sale failed: {exc}", err=True)
            return False
        if not once:
            demo.invite()
            await asyncio.Event().wait()
        return demo.arrived()


def _overrides(blink: Sandbox, pos: Account, merchant: Account, folder: str) -> dict[str, object]:
    """What the environment says of the real Blink, or of a real node, must not reach the demo."""
    return {
        "blink_api_url": blink.api_url,
        "blink_ws_url": blink.ws_url,
        "blinkpos_api_key": SecretStr(blink.create_key(pos)),
        "blinkpos_btc_wallet_id": None,
        "blinkpos_read_api_key": None,
        "blink_webhook_secret": (),
        "phoenixd_host": None,
        "phoenixd_token": None,
        "phoenixd_webhook_secret": None,
        "merchant_name": "demo merchant",
        "merchant_api_key": SecretStr(blink.create_key(merchant)),
        "merchant_wallet_id": None,
        "pos_token": SecretStr(secrets.token_urlsafe(12)),
        "operator_token": SecretStr(secrets.token_urlsafe(12)),
        "forwarder_secret_key": SecretStr(secrets.token_urlsafe(48)),
        "database_url": f"sqlite+aiosqlite:///{folder}/demo.db",
    }


@asynccontextmanager
async def _step(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            yield
    except TimeoutError:
        raise DemoError(f"waited {STEP_SECONDS:.0f} s in vain for {what}") from None
