"""Checks what a sale depends on, and says what to do about what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from forwarder.blink.client import BlinkClient, Credentials
from forwarder.blink.date import date_of
from forwarder.blink.errors import BlinkError, Refused
from forwarder.blink.replies import Wallet
from forwarder.model.merchant import Merchant
from forwarder.model.refusal import KEY_REFUSED
from forwarder.model.units import WalletId
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.phoenixd.errors import PhoenixdError
from forwarder.settings import Settings
from forwarder.store import findings, merchants, secrets
from forwarder.store.database import Database, DatabaseError
from forwarder.store.secrets import ForeignSecret
from forwarder.store.vault import Vault, VaultError
from forwarder.worker import credentials
from forwarder.worker.clock import Clock

POS_SCOPES: Final = frozenset({"READ", "RECEIVE", "WRITE"})
CLOCK_MAY_DIFFER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    subject: str
    ok: bool
    detail: str


async def examine(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Check the database, BlinkPOS's key, the merchants' keys, and the clock."""
    try:
        async with Database.open(settings.database_url) as database:
            yield Finding("database", True, "opened, and up to date")
            yield await _secret(settings, database)
            async for finding in _merchants(settings, database):
                yield finding
            yield await _unexplained(database)
    except DatabaseError as exc:
        yield Finding("database", False, str(exc))
    yield await _blinkpos(settings)
    if settings.blinkpos_api_key is not None and settings.blinkpos_read_api_key is not None:
        yield await _read_key(settings, settings.blinkpos_api_key)
    if settings.phoenixd_host is not None and settings.phoenixd_token is not None:
        yield await _node(settings.phoenixd_host, settings.phoenixd_token)
    yield await _clock(settings, clock)


async def _unexplained(database: Database) -> Finding:
    async with database.reading() as tx:
        count = await findings.count(tx)
    if not count:
        return Finding("findings", True, "the ledgers show nothing that is not explained")
    return Finding("findings", False, f"{count} are open: see `forwarder findings`")


async def _secret(settings: Settings, database: Database) -> Finding:
    try:
        async with database.reading() as tx:
            await secrets.recognise(tx, settings.keyring().fingerprints())
    except ForeignSecret:
        detail = "this database was made with another FORWARDER_SECRET_KEY, or forwarder.key"
        return Finding("secret", False, detail)
    return Finding("secret", True, "fits the database")


async def _blinkpos(settings: Settings) -> Finding:
    subject = "BlinkPOS key"
    if settings.blinkpos_api_key is None:
        return Finding(subject, False, "BLINKPOS_API_KEY is not set")
    try:
        async with BlinkClient.connect(settings.blink_api_url, settings.blinkpos_api_key) as client:
            found = await client.credentials()
    except BlinkError as exc:
        return Finding(subject, False, f"Blink has not confirmed it: {exc}")
    missing = POS_SCOPES - set(found.scopes)
    if missing:
        return Finding(subject, False, f"the key lacks {', '.join(sorted(missing))}")
    wallet = _btc_wallet(found, settings.blinkpos_btc_wallet_id)
    if wallet is None:
        return Finding(subject, False, "BLINKPOS_BTC_WALLET_ID is no BTC wallet of this account")
    detail = f"{', '.join(found.scopes)} on {found.network}; {wallet.balance} sat"
    return Finding(subject, True, detail)


def _btc_wallet(found: Credentials, chosen: WalletId | None) -> Wallet | None:
    """The BTC wallet that was chosen, or else the account's own; None if it is none of these."""
    wallets = {wallet.id: wallet for wallet in found.wallets if wallet.wallet_currency == "BTC"}
    return wallets.get(chosen or next(iter(wallets), ""))


async def _read_key(settings: Settings, pos_key: SecretStr) -> Finding:
    subject = "key for POS pages"
    try:
        async with BlinkClient.connect(settings.blink_api_url, pos_key) as client:
            pos_wallet = settings.blinkpos_btc_wallet_id or await client.btc_wallet()
        reason = await credentials.examine(settings, pos_wallet)
    except BlinkError as exc:
        return Finding(subject, False, f"Blink did not say what it can do: {exc}")
    return Finding(subject, reason is None, reason or "can read BlinkPOS, and nothing else")


async def _merchants(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    vault = Vault(settings.keyring())
    async with database.reading() as tx:
        enabled = [merchant for merchant in await merchants.everyone(tx) if merchant.enabled]
    if settings.merchant_api_key is not None:
        # `run` keeps this one at its start, over one of the same name.
        given = Merchant(0, settings.merchant_name, settings.merchant_wallet_id, enabled=True)
        enabled = [merchant for merchant in enabled if merchant.name != given.name]
        yield await _merchant(settings, given, settings.merchant_api_key)
    elif not enabled:
        yield Finding("merchants", False, "none yet: add one with `forwarder merchants add`")
    for merchant in enabled:
        try:
            async with database.reading() as tx:
                api_key = await merchants.api_key(tx, vault, merchant)
            yield await _merchant(settings, merchant, api_key)
        except VaultError as exc:
            yield Finding(f"merchant {merchant.name!r}", False, str(exc))


async def _merchant(settings: Settings, merchant: Merchant, api_key: SecretStr) -> Finding:
    subject = f"merchant {merchant.name!r}"
    try:
        async with BlinkClient.connect(settings.blink_api_url, api_key) as client:
            found = await client.credentials()
    except BlinkError as exc:
        if isinstance(exc, Refused) and exc.refusal.code == KEY_REFUSED:
            return Finding(subject, False, f"Blink does not take its key: {exc}")
        if merchant.wallet_id is not None:
            detail = f"wallet {merchant.wallet_id}; its key cannot be checked: {exc}"
            return Finding(subject, True, detail)
        return Finding(subject, False, f"its wallet is not known, and Blink did not tell: {exc}")
    if "RECEIVE" not in found.scopes:
        return Finding(subject, False, "its key lacks RECEIVE, so that nothing can be paid to it")
    wallet = _btc_wallet(found, merchant.wallet_id)
    if wallet is None:
        return Finding(subject, False, f"wallet {merchant.wallet_id} is not the key's BTC wallet")
    return Finding(subject, True, f"wallet {wallet.id}")


async def _node(url: str, password: SecretStr) -> Finding:
    subject = "phoenixd"
    try:
        async with PhoenixdClient.connect(url, password) as node:
            info, balance, may_pay = await node.info(), await node.balance(), await node.may_pay()
    except PhoenixdError as exc:
        return Finding(subject, False, str(exc))
    if not may_pay:
        return Finding(subject, False, "PHOENIXD_TOKEN may not pay: give the http-password")
    detail = f"node {info.node_id[:16]}… on {info.chain}; {balance.balance_sat} sat to spend"
    if balance.fee_credit_sat:
        detail += f", {balance.fee_credit_sat} sat kept for fees"
    return Finding(subject, True, detail)


async def _clock(settings: Settings, clock: Clock) -> Finding:
    try:
        blink_date = await date_of(settings.blink_api_url)
    except BlinkError as exc:
        return Finding("clock", False, f"Blink's date is not known: {exc}")
    off = clock() - blink_date
    detail = f"{off.total_seconds():.0f} s ahead of Blink's"
    return Finding("clock", abs(off) <= CLOCK_MAY_DIFFER, detail)
