"""A local Blink with two accounts, and a server that answers whatever a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.model.units import WalletId
from forwarder.sandbox import Account, Sandbox, Timing

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Bank:
    """A local Blink, the account of the tests, and a client of it."""

    blink: Sandbox
    account: Account
    merchant: Account
    key: str
    client: BlinkClient

    @property
    def wallet(self) -> WalletId:
        """The account's BTC wallet."""
        return WalletId(self.account.btc_wallet_id)

    @property
    def merchants_wallet(self) -> WalletId:
        """The merchant's BTC wallet."""
        return WalletId(self.merchant.btc_wallet_id)

    def connect(self, *scopes: str, account: Account | None = None) -> str:
        """The value of a new key."""
        return self.blink.create_key(account or self.account, scopes or ("READ",))

    def operations(self) -> list[str]:
        """What Blink was asked."""
        return [call.operation for call in self.blink.calls]


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    """A Blink at which there is money."""
    timing = Timing(lock_pause=0.01, lock_jitter=0.003)
    async with Sandbox.serve(seed=3, timing=timing) as blink:
        account, merchant = blink.open_account("blinkpos", sats=1_000_000), None
        merchant = blink.open_account("merchant")
        key = blink.create_key(account)
        async with BlinkClient.connect(blink.api_url, SecretStr(key)) as client:
            yield Bank(blink, account, merchant, key, client)


@dataclass
class Odd:
    """A server that gives one answer to everything, and keeps the keys that it was shown."""

    answer: Answer
    url: str = ""
    keys: list[str | None] = field(default_factory=list)

    def says(self, body: object, status: int = 200) -> None:
        """Answer with JSON from now on."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as wanted."""
        self.keys.append(request.headers.get("X-API-KEY"))
        return await self.answer(request)


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response()


@pytest.fixture
async def odd() -> AsyncIterator[Odd]:
    """A server that gives any answer."""
    server = Odd(_nothing)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/graphql"
    yield server
    await runner.cleanup()


@pytest.fixture
async def oddly(odd: Odd) -> AsyncIterator[BlinkClient]:
    """A client of that server."""
    async with BlinkClient.connect(odd.url, SecretStr("canary-key")) as client:
        yield client
