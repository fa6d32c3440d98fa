"""The Blink accounts that the service acts for: BlinkPOS itself, and each merchant's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.model.calls import Observer, unobserved
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.store import merchants
from forwarder.store.database import Database
from forwarder.store.vault import Vault
from forwarder.worker import pulse

log = structlog.get_logger(__name__)

LEARN_AGAIN_SECONDS: Final = 2.0
LOOK_AGAIN_SECONDS: Final = 300.0  # a merchant may be added beside the running service


@dataclass(frozen=True, slots=True)
class Account:
    """A client and the wallet that it acts on; `moved_at` as of its merchant."""

    client: BlinkClient
    wallet_id: WalletId
    moved_at: datetime | None = None


class Accounts:
    """One client for each API key, connected when it is first needed and kept.

    Asking for an account raises `BlinkError` while Blink has not said which wallet is its BTC
    wallet, and `VaultError` if a merchant's key cannot be read.
    """

    def __init__(
        self,
        url: str,
        pos: BlinkClient,
        pos_wallet: WalletId | None,
        database: Database,
        vault: Vault,
        stack: AsyncExitStack,
        observe: Observer,
    ) -> None:
        self._url = url
        self._pos = pos
        self._pos_wallet = pos_wallet
        self._database = database
        self._vault = vault
        self._stack = stack
        self._observe = observe
        self._clients: dict[str, BlinkClient] = {}
        self._connecting = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        pos_key: SecretStr,
        pos_wallet: WalletId | None,
        database: Database,
        vault: Vault,
        observe: Observer = unobserved,
    ) -> AsyncIterator[Accounts]:
        """The accounts, for as long as they are needed; `observe` hears of each call."""
        async with AsyncExitStack() as stack:
            pos = await stack.enter_async_context(BlinkClient.connect(url, pos_key, observe))
            yield cls(url, pos, pos_wallet, database, vault, stack, observe)

    @property
    def is_known(self) -> bool:
        """Whether BlinkPOS's wallet is known, without which nothing can be sold."""
        return self._pos_wallet is not None

    async def pos(self) -> Account:
        """BlinkPOS."""
        self._pos_wallet = self._pos_wallet or await self._pos.btc_wallet()
        return Account(self._pos, self._pos_wallet)

    async def of(self, merchant_id: int) -> Account:
        """A merchant's own account, by what is kept of it now."""
        async with self._database.reading() as tx:
            merchant = await merchants.by_id(tx, merchant_id)
            api_key = await merchants.api_key(tx, self._vault, merchant)
        client = await self._client(api_key)
        wallet_id = merchant.wallet_id or await self._learn(client, merchant)
        return Account(client, wallet_id, merchant.moved_at)

    async def learn(self) -> None:
        """Find out every wallet before it is needed, so that a forward need not ask first."""
        while True:
            all_known = await self._know_all()
            await pulse.rest(LOOK_AGAIN_SECONDS if all_known else LEARN_AGAIN_SECONDS)

    async def _know_all(self) -> bool:
        async with self._database.reading() as tx:
            known = await merchants.everyone(tx)
        unknown = [merchant for merchant in known if merchant.enabled and not merchant.wallet_id]
        asking = [self.pos(), *(self.of(merchant.id) for merchant in unknown)]
        failures = [
            answer
            for answer in await asyncio.gather(*asking, return_exceptions=True)
            if isinstance(answer, BaseException)
        ]
        for failure in failures:
            log.warning("a wallet is not known yet", reason=str(failure))
        return not failures

    async def _client(self, api_key: SecretStr) -> BlinkClient:
        key = api_key.get_secret_value()
        async with self._connecting:
            if key not in self._clients:
                connecting = BlinkClient.connect(self._url, api_key, self._observe)
                self._clients[key] = await self._stack.enter_async_context(connecting)
            return self._clients[key]

    async def _learn(self, client: BlinkClient, merchant: Merchant) -> WalletId:
        wallet_id = await client.btc_wallet()
        async with self._database.transaction() as tx:
            await merchants.learn_wallet(tx, merchant, wallet_id)
        return wallet_id
