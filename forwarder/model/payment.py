"""Money that has arrived: what Blink says of it, and which forwards follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forwarder.model.units import PaymentHash, Sats


class Source(StrEnum):
    """Who told us first that a payment had arrived."""

    SUBSCRIPTION = "subscription"
    CATCH_UP = "catch_up"
    RECONCILIATION = "reconciliation"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A settled receipt in Blink's ledger; `amount` is what was received, not what was asked."""

    payment_hash: PaymentHash
    transaction_id: str
    amount: Sats


@dataclass(frozen=True, slots=True)
class Payment:
    """A receipt as it is kept; `invoice_id` is None while no invoice of ours is known for it."""

    payment_hash: PaymentHash
    transaction_id: str
    received: Sats
    invoice_id: int | None
    source: Source
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a payment that one destination is to get."""

    position: int
    merchant_id: int
    amount: Sats


def shares_of(received: Sats, merchant_id: int) -> tuple[Share, ...]:
    """Divide a payment among its destinations: today all of it goes to its merchant."""
    return (Share(position=0, merchant_id=merchant_id, amount=received),)
