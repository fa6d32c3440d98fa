"""What the customer pays: a Lightning invoice on BlinkPOS or a node, made for one merchant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats


class InvoiceState(StrEnum):
    """Where an invoice stands. Only `paid` is final: late money is money."""

    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


PAGE_OUTLIVES_INVOICE: Final = timedelta(days=7)
"""How long a page may still ask what became of an invoice that has expired."""

MOVES: Final = {
    InvoiceState.PENDING: frozenset(
        {InvoiceState.PAID, InvoiceState.EXPIRED, InvoiceState.CANCELLED}
    ),
    InvoiceState.EXPIRED: frozenset({InvoiceState.PAID}),
    InvoiceState.CANCELLED: frozenset({InvoiceState.PAID}),
    InvoiceState.PAID: frozenset[InvoiceState](),
}


Ending = Literal[InvoiceState.EXPIRED, InvoiceState.CANCELLED]


@dataclass(frozen=True, slots=True)
class Order:
    """What a POS asks for: one invoice, under a name of the POS's own choice."""

    external_id: str
    amount: Sats
    description: str
    expires_in_seconds: int
    source: Source = Source.BLINK

    @property
    def expires_in_minutes(self) -> int:
        """The expiry as Blink takes it: whole minutes, rounded up."""
        return -(-self.expires_in_seconds // 60)

    @property
    def ends_before_blink(self) -> bool:
        """Whether it ends here while Blink would still take a payment for it."""
        in_minutes = self.expires_in_minutes * 60
        return self.source is Source.BLINK and in_minutes > self.expires_in_seconds


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it is kept.

    `issued_at` is by the clock of its source, every other time by ours. `outlived` says that
    Blink's own expiry comes after `expires_at`, because Blink counts in minutes.
    """

    id: int
    merchant_id: int
    external_id: str
    payment_hash: PaymentHash
    payment_request: str
    amount: Sats
    description: str
    source: Source
    state: InvoiceState
    outlived: bool
    issued_at: datetime
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    forwarded_at: datetime | None

    @property
    def begun_at(self) -> datetime:
        """When the sale began, also of one that is kept again after its database was lost."""
        return min(self.issued_at, self.created_at)


@dataclass(frozen=True, slots=True)
class Issued:
    """What Blink or a node answered when it made an invoice, decoded."""

    payment_hash: PaymentHash
    payment_request: str
    issued_at: datetime
