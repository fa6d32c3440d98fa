"""What a source's ledger shows and our books do not explain, until a person closes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from forwarder.model.source import Source
from forwarder.model.units import PaymentHash


class FindingKind(StrEnum):
    """In which way a ledger and our books do not agree."""

    SECOND_RECEIPT = "second_receipt"
    """An invoice was paid once more: only the first payment is forwarded."""
    DOUBLE_PAYOUT = "double_payout"
    """A forward was paid once more."""
    UNMATCHED_RECEIPT = "unmatched_receipt"
    """Money came for no invoice of ours."""
    FOREIGN_SEND = "foreign_send"
    """Money left, and no forward of ours explains it."""
    REFUND = "refund"
    """What a forward had sent came back."""
    UNREADABLE_ENTRY = "unreadable_entry"
    """An entry could not be understood or kept."""
    MISSING_SEND = "missing_send"
    """A forward counts as paid, and the ledger has no payment of it."""


DIFFERENCES: Final = frozenset(
    {FindingKind.SECOND_RECEIPT, FindingKind.DOUBLE_PAYOUT, FindingKind.MISSING_SEND}
)
"""The kinds that count as a difference in satoshis until they are closed."""


class FindingState(StrEnum):
    """Whether a person has closed it."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Discovery:
    """A finding before it is kept. One transaction is of one kind once, however often it is seen.

    `amount` is in satoshis, and never negative; `text` is for a person.
    """

    kind: FindingKind
    source: Source
    transaction_id: str
    payment_hash: PaymentHash | None
    amount: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as it is kept; `note` is why it was closed."""

    id: int
    kind: FindingKind
    source: Source
    payment_hash: PaymentHash | None
    transaction_id: str
    amount: int
    seen_at: datetime
    text: str
    closed_at: datetime | None
    note: str | None

    @property
    def state(self) -> FindingState:
        """Whether it is closed."""
        return FindingState.OPEN if self.closed_at is None else FindingState.CLOSED
