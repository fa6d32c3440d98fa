"""Entries of the ledger as the owner of a wallet sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from forwarder.sandbox import prices
from forwarder.sandbox.lateness import Lateness, Query
from forwarder.sandbox.ledger import Currency, Entry, EntryStatus, Ledger, Settlement, is_house

Direction = Literal["SEND", "RECEIVE"]

SPAM_LIMITS: dict[Currency, int] = {"BTC": 50, "USD": 10}


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One side of a payment. `amount` is signed, includes the fee, and is in sats or cents."""

    id: str
    wallet_id: str
    direction: Direction
    status: EntryStatus
    amount: int
    fee: int
    currency: Currency
    created_at: datetime
    initiation: Literal["lightning", "intraledger"]
    settlement: Settlement
    payment_hash: str | None
    payment_request: str | None
    preimage: str | None
    external_id: str | None
    memo: str | None
    counterparty_username: str | None
    counterparty_wallet_id: str | None

    @property
    def amount_sat(self) -> int:
        return self.amount if self.currency == "BTC" else prices.sats_of(self.amount)


@dataclass(frozen=True, slots=True)
class Statements:
    """Reads the ledger for wallet owners, newest first."""

    ledger: Ledger
    lateness: Lateness

    def of_wallets(self, wallet_ids: Iterable[str]) -> list[TransactionView]:
        """In Blink's order, which is that of the ids and not quite that of the commits."""
        entries = (entry for wallet_id in wallet_ids for entry in self.ledger.entries(wallet_id))
        return sorted(self._shown("list", entries), key=lambda view: view.id, reverse=True)

    def of_wallet(self, wallet_id: str) -> list[TransactionView]:
        """In order of commit."""
        return views(reversed(self.ledger.entries(wallet_id)))

    def with_hash(self, wallet_id: str, payment_hash: str) -> list[TransactionView]:
        return self._of_hash("hash", wallet_id, payment_hash)

    def first_send(self, wallet_id: str, payment_hash: str) -> TransactionView | None:
        mine = reversed(self._of_hash("answer", wallet_id, payment_hash))
        return next((tx for tx in mine if tx.direction == "SEND"), None)

    def received(self, payment_hash: str) -> TransactionView:
        entries = self.ledger.with_hash(payment_hash)
        customers = (e for e in entries if not is_house(e.posting.wallet_id))
        return next(tx for tx in views(customers) if is_receipt(tx))

    def _of_hash(self, query: Query, wallet_id: str, payment_hash: str) -> list[TransactionView]:
        entries = reversed(self.ledger.with_hash(payment_hash))
        return self._shown(query, (e for e in entries if e.posting.wallet_id == wallet_id))

    def _shown(self, query: Query, entries: Iterable[Entry]) -> list[TransactionView]:
        return [
            tx
            for tx in views(entries)
            if tx.direction == "RECEIVE" or self.lateness.shows(query, tx.created_at)
        ]


def is_receipt(tx: TransactionView) -> bool:
    return tx.direction == "RECEIVE" and tx.status == "SUCCESS"


def is_send(tx: TransactionView) -> bool:
    return tx.direction == "SEND" and tx.status == "SUCCESS"


def views(entries: Iterable[Entry]) -> list[TransactionView]:
    return [found for entry in entries if (found := view(entry)) is not None]


def view(entry: Entry) -> TransactionView | None:
    """The transaction that an entry shows as; None for an opening balance, which has none."""
    posting, details = entry.posting, entry.details
    if details.initiation == "opening":
        return None
    return TransactionView(
        id=entry.id,
        wallet_id=posting.wallet_id,
        direction="RECEIVE" if posting.amount > 0 else "SEND",
        status=entry.status,
        amount=posting.amount,
        fee=posting.fee,
        currency=posting.currency,
        created_at=entry.created_at,
        initiation=details.initiation,
        settlement=details.settlement,
        payment_hash=details.payment_hash,
        payment_request=details.payment_request,
        preimage=details.preimage if entry.status == "SUCCESS" else None,
        external_id=details.external_id,
        memo=shown_memo(entry),
        counterparty_username=posting.counterparty_username,
        counterparty_wallet_id=posting.counterparty_wallet_id,
    )


def shown_memo(entry: Entry) -> str | None:
    # Blink hides memos of receipts under 50 sats or 10 cents: they carried advertisements.
    limit = SPAM_LIMITS[entry.posting.currency]
    return None if 0 < entry.posting.amount < limit else entry.posting.memo
