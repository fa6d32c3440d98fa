"""Adds merchants: by command, once Blink knows the key, and from the environment."""

from __future__ import annotations

import hmac
from datetime import datetime

import structlog
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.settings import Settings
from forwarder.store import merchants, secrets
from forwarder.store.database import Database, Transaction
from forwarder.store.vault import Vault

log = structlog.get_logger(__name__)


async def enrol(
    settings: Settings,
    database: Database,
    name: str,
    api_key: SecretStr,
    token: SecretStr,
    wallet_id: WalletId | None,
    now: datetime,
) -> Merchant:
    """Add a merchant, or give the one of that name a new key, token and wallet.

    Without a wallet Blink is asked for the key's BTC wallet, which needs the scope READ. Raises
    `BlinkError`, `TokenTaken`, `SettingsError`, `ForeignSecret`.
    """
    keyring = settings.keyring()
    if wallet_id is None:
        async with BlinkClient.connect(settings.blink_api_url, api_key) as client:
            wallet_id = await client.btc_wallet()
    vault = Vault(keyring)
    async with database.transaction() as tx:
        await secrets.keep(tx, keyring.fingerprints(), now)
        return await merchants.put(
            tx, vault, name=name, api_key=api_key, token=token, wallet_id=wallet_id, now=now
        )


async def enrol_from_environment(tx: Transaction, settings: Settings, now: datetime) -> None:
    """Take in the environment's merchant, unless a command has changed it since.

    Whichever came later counts: an environment that says what it said at the last start is not
    news, and what a command has done meanwhile stays. Raises `TokenTaken`.
    """
    name, api_key, token = settings.merchant_name, settings.merchant_api_key, settings.pos_token
    if api_key is None or token is None:
        return
    marks = _marks(settings, api_key, token)
    vault = Vault(settings.keyring())
    known = await merchants.named(tx, name)
    if known is not None and await merchants.environment(tx, name) in marks:
        await merchants.mark_environment(tx, known, marks[0])
        if await merchants.has_key(tx, vault, known, api_key):
            await merchants.reseal(tx, vault, known)
        else:
            log.warning("a command has changed the environment's merchant: that counts", name=name)
        return
    merchant = await merchants.put(
        tx,
        vault,
        name=name,
        api_key=api_key,
        token=token,
        wallet_id=settings.merchant_wallet_id,
        now=now,
    )
    await merchants.mark_environment(tx, merchant, marks[0])
    log.info("the environment's merchant is kept", name=name)


def _marks(settings: Settings, api_key: SecretStr, token: SecretStr) -> list[str]:
    """What the environment says, by each value of the secret: not to be guessed from the mark."""
    said = "\n".join(
        (api_key.get_secret_value(), token.get_secret_value(), settings.merchant_wallet_id or "")
    )
    keys = settings.keyring().keys("environment")
    return [hmac.digest(key, said.encode(), "sha256").hex() for key in keys]
