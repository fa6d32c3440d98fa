"""A double-entry ledger in memory: the one truth about money in the sandbox.

Every journal adds up to zero in each currency. Money comes from and goes to house wallets:
`outside` is the Lightning network, `transit` holds what has left a wallet and not arrived,
`dealer` exchanges currencies. House wallets may be overdrawn, nobody else's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Literal

from forwarder.sandbox.entropy import Entropy

Currency = Literal["BTC", "USD"]
EntryStatus = Literal["PENDING", "SUCCESS", "FAILURE"]
House = Literal["outside", "transit", "dealer"]
# `opening` is a balance from before the history began: it counts, and no statement shows it.
Initiation = Literal["lightning", "intraledger", "opening"]
Settlement = Literal["lightning", "intraledger"]


class LedgerError(Exception):
    """A journal that the ledger does not take: unbalanced, or overdrawing a wallet."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a journal, in the smallest unit of its currency; negative takes out."""

    wallet_id: str
    currency: Currency
    amount: int
    fee: int = 0  # already part of the amount
    memo: str | None = None
    counterparty_wallet_id: str | None = None
    counterparty_username: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What all sides of a journal have in common."""

    initiation: Initiation
    settlement: Settlement = "intraledger"
    payment_hash: str | None = None
    payment_request: str | None = None
    preimage: str | None = None
    external_id: str | None = None


@dataclass(slots=True)
class Entry:
    """A posting once booked. Only its status ever changes, and only from PENDING."""

    id: str
    journal_id: str
    number: int  # order of commit, which ids do not give
    posting: Posting
    details: Details
    created_at: datetime
    status: EntryStatus


@dataclass(slots=True)
class Ledger:
    entropy: Entropy
    _balances: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _entries: list[Entry] = field(default_factory=list)
    _by_wallet: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _by_hash: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _by_journal: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _numbers: Iterator[int] = field(default_factory=count)

    def post(
        self,
        postings: Sequence[Posting],
        details: Details,
        at: datetime,
        status: EntryStatus = "SUCCESS",
    ) -> list[Entry]:
        """Book a journal as a whole, or raise LedgerError and book nothing."""
        self._check(postings)
        journal_id = self.entropy.object_id(at)
        entries = [self._entry(journal_id, posting, details, at, status) for posting in postings]
        for entry in entries:
            self._book(entry)
        return entries

    def settle(self, journal_id: str) -> None:
        for entry in self._pending(journal_id):
            entry.status = "SUCCESS"

    def reverse(self, journal_id: str, at: datetime) -> list[Entry]:
        """Undo a pending journal with its mirror image; both remain, as FAILURE."""
        failed = self._pending(journal_id)
        for entry in failed:
            entry.status = "FAILURE"
        mirror = [reversal(entry.posting) for entry in failed]
        return self.post(mirror, failed[0].details, at, "FAILURE")

    def balance(self, wallet_id: str) -> int:
        return self._balances.get(wallet_id, 0)

    def entries(self, wallet_id: str) -> list[Entry]:
        """In order of commit."""
        return list(self._by_wallet.get(wallet_id, ()))

    def with_hash(self, payment_hash: str) -> list[Entry]:
        return list(self._by_hash.get(payment_hash, ()))

    def is_recorded(self, payment_hash: str) -> bool:
        """Whether a payment of this hash has gone through, whoever made it."""
        statuses = {entry.status for entry in self._by_hash.get(payment_hash, ())}
        return "SUCCESS" in statuses and "PENDING" not in statuses

    def is_pending(self, payment_hash: str) -> bool:
        return any(entry.status == "PENDING" for entry in self._by_hash.get(payment_hash, ()))

    def verify(self) -> None:
        """Recount everything from the entries; LedgerError when the books do not agree."""
        for entries in self._by_journal.values():
            check_balanced([entry.posting for entry in entries])
        counted: dict[str, int] = defaultdict(int)
        for entry in self._entries:
            counted[entry.posting.wallet_id] += entry.posting.amount
        if counted != self._balances:
            raise LedgerError("balances differ from the sums of their entries")
        if overdrawn := [w for w, sats in counted.items() if sats < 0 and not is_house(w)]:
            raise LedgerError(f"overdrawn: {overdrawn}")

    def _check(self, postings: Sequence[Posting]) -> None:
        check_balanced(postings)
        for posting in postings:
            left = self.balance(posting.wallet_id) + posting.amount
            if posting.amount < 0 and left < 0 and not is_house(posting.wallet_id):
                raise LedgerError(f"wallet {posting.wallet_id} would be overdrawn by {-left}")

    def _entry(
        self, journal_id: str, posting: Posting, details: Details, at: datetime, status: EntryStatus
    ) -> Entry:
        entry_id = self.entropy.object_id(at)
        number = next(self._numbers)
        return Entry(entry_id, journal_id, number, posting, details, at, status)

    def _book(self, entry: Entry) -> None:
        self._balances[entry.posting.wallet_id] += entry.posting.amount
        self._entries.append(entry)
        self._by_wallet[entry.posting.wallet_id].append(entry)
        self._by_journal[entry.journal_id].append(entry)
        if entry.details.payment_hash:
            self._by_hash[entry.details.payment_hash].append(entry)

    def _pending(self, journal_id: str) -> list[Entry]:
        entries = self._by_journal[journal_id]
        if not entries or any(entry.status != "PENDING" for entry in entries):
            raise LedgerError(f"journal {journal_id} is not pending")
        return entries


def house_wallet(house: House, currency: Currency) -> str:
    return f"{house}:{currency}"


def is_house(wallet_id: str) -> bool:
    return ":" in wallet_id


def check_balanced(postings: Iterable[Posting]) -> None:
    sums: dict[Currency, int] = defaultdict(int)
    for posting in postings:
        sums[posting.currency] += posting.amount
    if any(sums.values()):
        raise LedgerError(f"journal does not add up to zero: {dict(sums)}")


def reversal(posting: Posting) -> Posting:
    return Posting(posting.wallet_id, posting.currency, -posting.amount, memo=posting.memo)
