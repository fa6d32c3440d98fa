"""The merchants, with their API keys sealed and their POS tokens as fingerprints."""

from __future__ import annotations

from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import insert, select, update

from forwarder.model.merchant import Merchant, fingerprint
from forwarder.model.units import WalletId
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.tables import merchants
from forwarder.store.vault import Vault, VaultError


class TokenTaken(Exception):
    """Another merchant has this POS token."""


async def put(
    tx: Transaction,
    vault: Vault,
    *,
    name: str,
    api_key: SecretStr,
    token: SecretStr,
    wallet_id: WalletId | None,
    now: datetime,
) -> Merchant:
    """Add a merchant, or give the one of that name new secrets and enable it.

    A wallet that was found out for an earlier key is forgotten with the key; with another key or
    another wallet it has moved. Raises `TokenTaken`.
    """
    holder = await _holder(tx, token)
    if holder is not None and holder.name != name:
        raise TokenTaken
    values: dict[str, object] = {
        "wallet_id": wallet_id,
        "sealed_api_key": vault.seal(name, api_key),
        "token_fingerprint": fingerprint(token.get_secret_value()),
        "enabled": True,
    }
    known = await named(tx, name)
    if known is None:
        adding = insert(merchants).values(name=name, created_at=now, **values)
        added = await tx.execute(adding.returning(merchants.c.id))
        return await by_id(tx, added.scalar_one())
    is_same_key = await has_key(tx, vault, known, api_key)
    if is_same_key and wallet_id is None:
        values["wallet_id"] = known.wallet_id
    if not is_same_key or values["wallet_id"] != known.wallet_id:
        values["moved_at"] = now
    await tx.execute(update(merchants).where(merchants.c.id == known.id).values(**values))
    return await by_id(tx, known.id)


async def environment(tx: Transaction, name: str) -> str | None:
    """The mark of what the environment last said of a merchant."""
    query = select(merchants.c.environment).where(merchants.c.name == name)
    return (await tx.execute(query)).scalar_one_or_none()


async def mark_environment(tx: Transaction, merchant: Merchant, mark: str) -> None:
    """Keep what the environment says of a merchant."""
    await tx.execute(
        update(merchants).where(merchants.c.id == merchant.id).values(environment=mark)
    )


async def named(tx: Transaction, name: str) -> Merchant | None:
    """The merchant of that name."""
    return rows.read_first(
        Merchant, await tx.execute(select(merchants).where(merchants.c.name == name))
    )


async def by_id(tx: Transaction, merchant_id: int) -> Merchant:
    """The merchant of that id; none is ever deleted."""
    query = select(merchants).where(merchants.c.id == merchant_id)
    return rows.read(Merchant, (await tx.execute(query)).one())


async def by_token(tx: Transaction, token: str) -> Merchant | None:
    """The enabled merchant that this POS token belongs to."""
    query = select(merchants).where(
        merchants.c.token_fingerprint == fingerprint(token), merchants.c.enabled
    )
    return rows.read_first(Merchant, await tx.execute(query))


async def hold_everyone(tx: Transaction) -> list[Merchant]:
    """All merchants, and nobody else changes one until the end of the transaction."""
    # SQLite needs no lock: its writers come one after the other.
    query = select(merchants).order_by("name").with_for_update()
    return rows.read_all(Merchant, await tx.execute(query))


async def everyone(tx: Transaction) -> list[Merchant]:
    """All merchants, by name."""
    return rows.read_all(Merchant, await tx.execute(select(merchants).order_by("name")))


async def api_key(tx: Transaction, vault: Vault, merchant: Merchant) -> SecretStr:
    """A merchant's API key. Raises `VaultError`."""
    return vault.open(merchant.name, await _sealed(tx, merchant))


async def has_key(tx: Transaction, vault: Vault, merchant: Merchant, key: SecretStr) -> bool:
    """Whether it is the key that is kept, as far as that can be read."""
    try:
        return await api_key(tx, vault, merchant) == key
    except VaultError:
        return False


async def is_current(tx: Transaction, vault: Vault, merchant: Merchant) -> bool:
    """Whether a merchant's API key is encrypted under the newest value of the secret."""
    return vault.is_current(await _sealed(tx, merchant))


async def reseal(tx: Transaction, vault: Vault, merchant: Merchant) -> None:
    """Encrypt a merchant's API key under the newest value of the secret. Raises `VaultError`."""
    api_key = vault.open(merchant.name, await _sealed(tx, merchant))
    sealed = vault.seal(merchant.name, api_key)
    await tx.execute(
        update(merchants).where(merchants.c.id == merchant.id).values(sealed_api_key=sealed)
    )


async def learn_wallet(tx: Transaction, merchant: Merchant, wallet_id: WalletId) -> None:
    """Keep which wallet Blink says is the merchant's, unless they have moved meanwhile."""
    still = (
        merchants.c.wallet_id.is_not_distinct_from(merchant.wallet_id),
        merchants.c.moved_at.is_not_distinct_from(merchant.moved_at),
    )
    mine = update(merchants).where(merchants.c.id == merchant.id, *still)
    await tx.execute(mine.values(wallet_id=wallet_id))


async def disable(tx: Transaction, merchant: Merchant) -> None:
    """Refuse new sales of a merchant. What was received for it is still forwarded."""
    await tx.execute(update(merchants).where(merchants.c.id == merchant.id).values(enabled=False))


async def _sealed(tx: Transaction, merchant: Merchant) -> str:
    query = select(merchants.c.sealed_api_key).where(merchants.c.id == merchant.id)
    sealed: str = (await tx.execute(query)).scalar_one()
    return sealed


async def _holder(tx: Transaction, token: SecretStr) -> Merchant | None:
    """Whoever has a POS token, enabled or not."""
    mark = fingerprint(token.get_secret_value())
    query = select(merchants).where(merchants.c.token_fingerprint == mark)
    return rows.read_first(Merchant, await tx.execute(query))
