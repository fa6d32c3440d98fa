"""Who may make which call: every route, walked as every kind of caller."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from forwarder.model.invoice import PAGE_OUTLIVES_INVOICE, Invoice, Order
from forwarder.model.units import Sats
from forwarder.sandbox import Sandbox
from forwarder.settings import Settings
from forwarder.store import merchants
from forwarder.store.database import Database
from forwarder.store.vault import Vault
from forwarder.web.app import make_app
from forwarder.web.auth import Role
from forwarder.web.routes import ROUTES, Route
from forwarder.web.server import Server
from forwarder.web.tokens import PageTokens
from forwarder.worker.clock import utc_now
from forwarder.worker.service import Service

POS_TOKEN, DISABLED_TOKEN, OPERATOR_TOKEN = "pos-token", "disabled-token", "operator-token"

# How each kind of caller shows who it is: by a header, or by a token in the query.
BEARERS = {
    "nobody": None,
    "a wrong token": "wrong",
    "a POS": POS_TOKEN,
    "a disabled POS": DISABLED_TOKEN,
    "the operator": OPERATOR_TOKEN,
    "a page token as a bearer": "page",
}
PAGES = ("the page", "the page of another invoice", "the page, too late")
EVERYONE = {*BEARERS, *PAGES}
POS = {"a POS"}
OPERATOR = {"the operator"}
SIGNED = set[str]()
"""No token opens what only a signature does."""

# The written table: a route that is not here fails.
MAY_CALL = {
    "POST /api/invoice": POS,
    "GET /api/invoice": POS,
    "GET /api/invoice/{external_id}": POS,
    "DELETE /api/invoice/{external_id}": POS,
    "GET /api/invoice/{external_id}/qr.svg": POS | {"the page"},
    "GET /api/blink/blinkpos-credentials": POS,
    "POST /api/webhook": SIGNED,
    "POST /api/webhook/blink": SIGNED,
    "GET /api/status": OPERATOR,
    "GET /api/figures": OPERATOR,
    "GET /api/export.csv": OPERATOR,
    "POST /api/broadcast": OPERATOR,
    "GET /api/payments": OPERATOR,
    "GET /api/payments/{payment_hash}": OPERATOR,
    "POST /api/payments/{payment_hash}/replay": OPERATOR,
    "POST /api/payments/{payment_hash}/resolve": OPERATOR,
    "GET /api/findings": OPERATOR,
    "POST /api/findings/{id}/close": OPERATOR,
    "POST /api/reconcile": OPERATOR,
    "GET /metrics": OPERATOR,
    "GET /openapi.json": EVERYONE,
    "GET /": EVERYONE,
    "GET /operator": EVERYONE,
    "GET /pos/{name}": EVERYONE,
    "GET /operator/{name}": EVERYONE,
    "GET /shared/{name}": EVERYONE,
    "GET /payment-socket.js": EVERYONE,
    "GET /use-payment-websocket.js": EVERYONE,
    "GET /ws": EVERYONE,
    "GET /health": EVERYONE,
    "GET /livez": EVERYONE,
    "GET /readyz": EVERYONE,
}


class House:
    """A service on a local Blink, with two merchants, of whom one is disabled, and two sales."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.runner = runner
        self._url = f"sqlite+aiosqlite:///{folder}/forwarder.db"
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        blink = await self._stack.enter_async_context(Sandbox.serve())
        pos, merchant = blink.open_account("blinkpos"), blink.open_account("merchant")
        settings = Settings(
            blink_api_url=blink.api_url,
            blink_ws_url=blink.ws_url,
            blinkpos_api_key=SecretStr(blink.create_key(pos)),
            merchant_api_key=SecretStr(blink.create_key(merchant)),
            pos_token=SecretStr(POS_TOKEN),
            operator_token=SecretStr(OPERATOR_TOKEN),
            phoenixd_webhook_secret=SecretStr("webhook-secret"),
            blink_webhook_secret=(SecretStr("whsec_d2ViaG9vay1zZWNyZXQ="),),
            database_url=self._url,
        )
        await self._add_disabled(settings)
        self.service = await self._stack.enter_async_context(Service.open(settings))
        self.shown, self.other = await self._sell("sale-1"), await self._sell("sale-2")
        serving = Server.serve(self.service, "127.0.0.1", 0)
        server = await self._stack.enter_async_context(serving)
        self._client = await self._stack.enter_async_context(ClientSession(server.url))

    async def close(self) -> None:
        await self._stack.aclose()

    async def _add_disabled(self, settings: Settings) -> None:
        vault = Vault(settings.keyring())
        async with Database.open(self._url) as database, database.transaction() as tx:
            merchant = await merchants.put(
                tx,
                vault,
                name="disabled",
                api_key=SecretStr("a-key"),
                token=SecretStr(DISABLED_TOKEN),
                wallet_id=None,
                now=utc_now(),
            )
            await merchants.disable(tx, merchant)

    async def _sell(self, name: str) -> Invoice:
        merchant = await self.service.sales.merchant_of(POS_TOKEN)
        assert merchant is not None
        return await self.service.sales.create(merchant, Order(name, Sats(21), "", 900))

    def _page_token(self, caller: str) -> str:
        long_ago = self.shown.expires_at - PAGE_OUTLIVES_INVOICE - timedelta(days=1)
        invoice = {
            "the page of another invoice": self.other,
            "the page, too late": replace(self.shown, expires_at=long_ago),
        }.get(caller, self.shown)
        return PageTokens(self.service.keyring).issue(invoice, invoice.issued_at)

    async def call(self, method: str, route: Route, caller: str) -> tuple[int, str | None]:
        """The status of a call, and what it says of the token that it wants."""
        path = route.path.format(
            external_id="sale-1",
            id=1,
            payment_hash=self.shown.payment_hash,
            name="main.js",
        )
        token = self._page_token(caller)
        query = {"token": token} if caller in PAGES else {}
        bearer = token if caller == "a page token as a bearer" else BEARERS.get(caller)
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        async with self._client.request(method, path, params=query, headers=headers) as answer:
            return answer.status, answer.headers.get("WWW-Authenticate")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with asyncio.Runner() as runner:
        made = House(tmp_path_factory.mktemp("roles"), runner)
        runner.run(made.open())
        yield made
        runner.run(made.close())


def methods(route: Route) -> list[str]:
    """A GET can be made as HEAD too, and must not be a way round."""
    return (
        [route.method, "HEAD"] if route.method == "GET" and not route.is_socket else [route.method]
    )


def test_every_route_is_in_the_written_table() -> None:
    assert sorted(map(str, ROUTES)) == sorted(MAY_CALL)


def test_the_application_has_no_route_beside_the_table(house: House) -> None:
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in make_app(house.service).router.routes()
        if route.resource is not None
    }
    listed = {f"{method} {route.path}" for route in ROUTES for method in methods(route)}
    assert served == listed


@pytest.mark.parametrize("caller", sorted(EVERYONE))
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_route_lets_in_those_whom_the_table_says(
    house: House, route: Route, caller: str
) -> None:
    for method in methods(route):
        status, challenge = house.runner.run(house.call(method, route, caller))
        if caller in MAY_CALL[str(route)]:
            assert status not in (401, 403), f"{caller} was refused"
        else:
            wanted = None if route.role is Role.SIGNED else "Bearer"
            assert (status, challenge) == (401, wanted), f"{caller} was let in"
