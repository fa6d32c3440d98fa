"""The entries of a wallet's own ledger, in Blink's words, and what they prove."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forwarder.model.payment import Receipt
from forwarder.model.units import NAME_OF_A_PAYMENT, PaymentHash, Sats


class Direction(StrEnum):
    """Which way the money went."""

    SEND = "SEND"
    RECEIVE = "RECEIVE"


class EntryStatus(StrEnum):
    """How sure the ledger is of an entry. A reverted send is a RECEIVE with `FAILURE`."""

    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `amount` is signed, and negative for a send."""

    id: str
    direction: Direction
    status: EntryStatus
    amount: int
    payment_hash: PaymentHash | None
    external_id: str | None
    created_at: datetime

    def receipt(self) -> Receipt | None:
        """The receipt that this entry is, or None for anything but settled Lightning income."""
        if not self.is_income or self.payment_hash is None:
            return None
        return Receipt(self.payment_hash, self.id, Sats(self.amount))

    def transfer(self) -> Receipt | None:
        """Income without an invoice, which only its own id names; None for anything else."""
        if not self.is_income or self.payment_hash is not None:
            return None
        if re.fullmatch(NAME_OF_A_PAYMENT, self.id) is None:
            return None
        return Receipt(PaymentHash(self.id), self.id, Sats(self.amount))

    @property
    def is_income(self) -> bool:
        """Whether money has come in, and has settled."""
        settled = self.direction is Direction.RECEIVE and self.status is EntryStatus.SUCCESS
        return settled and self.amount > 0

    def pays(self, payment_hash: PaymentHash, stems: tuple[str, ...]) -> bool:
        """Whether it is about this payout invoice, or about one of these names."""
        return self.payment_hash == payment_hash or (bool(stems) and self.is_named(stems))

    def is_named(self, stems: tuple[str, ...]) -> bool:
        """Whether its name begins in one of these ways."""
        return (self.external_id or "").startswith(stems)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that could not be understood: its id, and where it was odd."""

    id: str
    why: str


class LedgerPage(list[Entry]):
    """Some entries, newest first, and beside them those that could not be understood.

    `cursor` is where the ledger goes on after this page, in its own words.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        unreadable: Iterable[Unreadable] = (),
        cursor: str | None = None,
    ) -> None:
        super().__init__(entries)
        self.unreadable = tuple(unreadable)
        self.cursor = cursor


def income(entries: Sequence[Entry]) -> list[Receipt]:
    """What has come in; a receipt with the hash of a send has come back, and is none of it."""
    sent = {entry.payment_hash for entry in entries if entry.direction is Direction.SEND}
    receipts = [receipt for entry in entries if (receipt := entry.receipt()) is not None]
    return [receipt for receipt in receipts if receipt.payment_hash not in sent]


@dataclass(frozen=True, slots=True)
class Paid:
    """The ledger has our SEND, settled: the money is with its destination.

    `payout_hash` is what it has paid, where the ledger says so.
    """

    transaction_id: str
    payout_hash: PaymentHash | None = None


@dataclass(frozen=True, slots=True)
class Underway:
    """The ledger has our SEND, and it is not settled yet."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """The ledger has no SEND of ours that counts."""


Proof = Paid | Underway | Unpaid


def proof_of(entries: Iterable[Entry]) -> Proof:
    """What the entries of one payment hash, or of one externalId, prove about our sending."""
    sends = [entry for entry in entries if entry.direction is Direction.SEND]
    for entry in sends:
        if entry.status is EntryStatus.SUCCESS:
            return Paid(entry.id, entry.payment_hash)
    if any(entry.status is EntryStatus.PENDING for entry in sends):
        return Underway()
    return Unpaid()
