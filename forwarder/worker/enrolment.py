"""Adds a merchant, once Blink knows its key."""

from __future__ import annotations

from datetime import datetime

from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.model.merchant import Merchant
from forwarder.model.units import WalletId
from forwarder.settings import Settings
from forwarder.store import merchants, secrets
from forwarder.store.database import Database
from forwarder.store.vault import Vault


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
