"""Rows of the store, made as the service makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Table, select, update

from forwarder.model.forward import Forward, ForwardState, PayoutInvoice
from forwarder.model.invoice import Invoice, Issued, Order
from forwarder.model.keyring import Keyring
from forwarder.model.lease import Lease
from forwarder.model.merchant import Merchant
from forwarder.model.payment import Payment, Receipt, Share, Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.store import claims, forwards, invoices, merchants, moves, payments, tables
from forwarder.store.database import Database, Transaction
from forwarder.store.vault import Vault

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
LEASE_LENGTH = timedelta(seconds=60)
HORIZON = timedelta(hours=2)
WALLET = WalletId("00000000-0000-4000-8000-000000000000")
VAULT = Vault(Keyring((SecretStr("a secret"),)))


def a_hash(n: int, kind: str = "a") -> PaymentHash:
    """The n-th payment hash of a kind, which is a hexadecimal digit."""
    return PaymentHash(f"{kind}{n:063x}")


def an_order(n: int = 1, sats: int = 1_000) -> Order:
    """The n-th order of a till."""
    return Order(f"order-{n}", Sats(sats), "coffee", 900)


def issued(n: int = 1) -> Issued:
    """The n-th invoice that Blink has made."""
    return Issued(a_hash(n), f"lnbcrt{n}", NOW - timedelta(seconds=1))


def receipt(n: int = 1, sats: int = 1_000) -> Receipt:
    """What was received for the n-th invoice."""
    return Receipt(a_hash(n), f"tx-{n}", Sats(sats))


def payout(n: int = 1) -> PayoutInvoice:
    """The n-th payout invoice."""
    return PayoutInvoice(f"lnbcrt1payout{n}", a_hash(n, "b"), NOW + timedelta(days=1))


def lease(owner: str = "me", now: datetime = NOW) -> Lease:
    """A lease from a moment on."""
    return Lease(owner, now, now + LEASE_LENGTH, now + HORIZON)


async def a_merchant(tx: Transaction, name: str = "alice") -> Merchant:
    """A merchant, made when it is first asked for."""
    known = await merchants.named(tx, name)
    return known or await merchants.put(
        tx,
        VAULT,
        name=name,
        api_key=SecretStr(f"key of {name}"),
        token=SecretStr(f"token of {name}"),
        wallet_id=WALLET,
        now=NOW,
    )


async def an_invoice(tx: Transaction, n: int = 1, sats: int = 1_000) -> Invoice:
    """The n-th invoice, pending."""
    merchant = await a_merchant(tx)
    kept = await invoices.keep(tx, merchant.id, an_order(n, sats), issued(n), NOW, WALLET)
    assert kept is not None
    return kept


async def a_payment(tx: Transaction, n: int = 1, sats: int = 1_000) -> Payment:
    """The payment of the n-th invoice."""
    invoice = await an_invoice(tx, n, sats)
    assert await payments.add(
        tx, receipt(n, sats), invoice.id, Source.BLINK, Witness.SUBSCRIPTION, NOW
    )
    found = await payments.find(tx, a_hash(n))
    assert found is not None
    return found


async def a_forward(tx: Transaction, n: int = 1, sats: int = 1_000) -> Forward:
    """The forward of the n-th payment, queued."""
    payment = await a_payment(tx, n, sats)
    merchant = await a_merchant(tx)
    await forwards.add(tx, payment, Share(0, merchant.id, payment.received), f"fwd-{n}", NOW)
    (found,) = await forwards.of_payment(tx, payment.payment_hash)
    return found


async def stand(
    tx: Transaction, forward: Forward, state: ForwardState, owner: str | None = "me", **more: object
) -> Forward:
    """Put a forward into a state, by force, with what belongs to the state."""
    made = payout(forward.id)
    is_made = state is not ForwardState.QUEUED
    is_over = state in (ForwardState.FORWARDED, ForwardState.RESOLVED)
    values: dict[str, object] = {
        "state": state,
        "owner": owner,
        "due_at": NOW + LEASE_LENGTH,
        "payout_request": made.payment_request if is_made else None,
        "payout_hash": made.payment_hash if is_made else None,
        "payout_expires_at": made.expires_at if is_made else None,
        "sent_at": NOW if state is ForwardState.SENDING else None,
        "transaction_id": f"send-{forward.id}" if is_over else None,
        "held_reason": "asks for a person" if state is ForwardState.HELD else None,
        "external_id": f"fwd-by-force-{forward.id}",
        **more,
    }
    table = tables.forwards
    await tx.execute(update(table).where(table.c.id == forward.id).values(values))
    return await found(tx, forward)


async def found(tx: Transaction, forward: Forward) -> Forward:
    """A forward as it is kept now."""
    among = await forwards.of_payment(tx, forward.payment_hash)
    return next(one for one in among if one.id == forward.id)


async def claimed(database: Database, n: int = 1, owner: str = "me") -> Forward:
    """The forward of the n-th payment, claimed."""
    async with database.transaction() as tx:
        await a_forward(tx, n)
        (forward,) = await claims.claim(tx, lease(owner), 1)
    return forward


async def ready(database: Database, n: int = 1, owner: str = "me") -> Forward:
    """The forward of the n-th payment, with its payout invoice."""
    forward = await claimed(database, n, owner)
    async with database.transaction() as tx:
        return await moves.keep_invoice(tx, forward, payout(n), WALLET, lease(owner))


async def everything(tx: Transaction) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    return {
        table.name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
        for table in tables.metadata.sorted_tables
    }


async def rows_of(tx: Transaction, table: Table) -> int:
    """How many rows a table has."""
    return len((await tx.execute(select(table))).all())
