"""What a POS page needs to watch BlinkPOS by itself: a key that can only read, proven by Blink.

Whoever has the key can read all of BlinkPOS. So it is handed out only while Blink has lately said
that reading is all that it can do, and each time goes into the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.blink.errors import BlinkError, Refused
from forwarder.model.actor import Actor
from forwarder.model.credentials import READ_ALONE, objection
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.settings import Settings
from forwarder.store import journal
from forwarder.store.journal import Step
from forwarder.worker import pulse
from forwarder.worker.common import Common

log = structlog.get_logger(__name__)

CHECK_SECONDS: Final = 300.0
CHECK_AGAIN_SECONDS: Final = 5.0
PROOF_LASTS: Final = timedelta(minutes=15)  # so that Blink may be away for a while

_NOT_SET = "BLINKPOS_READ_API_KEY is not set"
_NOT_YET = "Blink has not been asked about the key yet"
_TOO_OLD = "Blink has not confirmed the key for 15 minutes"


class CredentialsDisabled(Exception):
    """There is no key that may be handed out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Why the key is not handed out, if it is not, and when Blink last said something of it."""

    reason: str | None
    checked_at: datetime | None = None

    @property
    def enabled(self) -> bool:
        """Whether the key is handed out."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Handout:
    """What a POS page is given."""

    api_url: str
    ws_url: str
    api_key: SecretStr
    wallet_id: WalletId
    scopes: tuple[str, ...] = READ_ALONE


class Credentials:
    """The key to hand out, and what Blink says of it."""

    def __init__(self, common: Common, settings: Settings) -> None:
        self._database = common.database
        self._accounts = common.accounts
        self._clock = common.clock
        self._settings = settings
        self._said = Standing(_NOT_YET)

    @property
    def standing(self) -> Standing:
        """Whether the key may be handed out now."""
        if self._settings.blinkpos_read_api_key is None:
            return Standing(_NOT_SET)
        said = self._said
        is_old = said.checked_at is not None and self._clock() - said.checked_at > PROOF_LASTS
        return Standing(_TOO_OLD, said.checked_at) if said.enabled and is_old else said

    @property
    def usable(self) -> bool | None:
        """Whether the key may be handed out now; None if there is none."""
        return self.standing.enabled if self._settings.blinkpos_read_api_key else None

    async def run(self) -> None:
        """Ask Blink again and again what the key can do."""
        while True:
            answered = await self.check()
            await pulse.rest(CHECK_SECONDS if answered else CHECK_AGAIN_SECONDS)

    async def check(self) -> bool:
        """Ask Blink what the key can do; returns whether it has answered."""
        if self._settings.blinkpos_read_api_key is None:
            return True
        try:
            pos = await self._accounts.pos()
            reason = await examine(self._settings, pos.wallet_id)
        except BlinkError as exc:
            log.warning("the key for POS pages could not be checked", reason=str(exc))
            return False
        if reason is not None and reason != self._said.reason:
            log.error("the key for POS pages is not handed out", reason=reason)
        self._said = Standing(reason, self._clock())
        return True

    async def give(self, merchant: Merchant, address: str) -> Handout:
        """The key, for a POS of this merchant. Raises `CredentialsDisabled`, `BlinkError`."""
        api_key = self._settings.blinkpos_read_api_key
        if api_key is None or not self.standing.enabled:
            raise CredentialsDisabled
        wallet_id = (await self._accounts.pos()).wallet_id
        detail = {"merchant": merchant.name, "address": address}
        async with self._database.transaction() as tx:
            step = Step(self._clock(), "credentials handed out", Actor.POS, detail)
            await journal.write(tx, None, step)
        log.info("the key for POS pages was handed out", merchant=merchant.name)
        urls = self._settings.blink_api_url, self._settings.blink_ws_url
        return Handout(*urls, api_key, wallet_id)


async def examine(settings: Settings, pos_wallet: WalletId) -> str | None:
    """Why the key that is set must not be handed out; None if it may be.

    Raises `BlinkError` if Blink does not say.
    """
    if settings.blinkpos_read_api_key is None:
        return _NOT_SET
    key = settings.blinkpos_read_api_key
    async with BlinkClient.connect(settings.blink_api_url, key) as client:
        try:
            said = await client.credentials()
        except Refused as exc:
            if exc.refusal.is_throttling:
                raise
            return f"Blink does not take the key: {exc}"
    wallets = [WalletId(wallet.id) for wallet in said.wallets]
    return objection(said.scopes, wallets, pos_wallet)
