"""Money that has arrived: who says so, and which forwards follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats


class Witness(StrEnum):
    """Who told us first that a payment had arrived. A webhook is only believed once confirmed."""

    SUBSCRIPTION = "subscription"
    CATCH_UP = "catch_up"
    RECONCILIATION = "reconciliation"
    WEBHOOK = "webhook"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A settled receipt in a wallet's ledger; `amount` is what was received, not what was asked.

    A node has no transaction ids: there the payment hash is its own.
    """

    payment_hash: PaymentHash
    transaction_id: str
    amount: Sats


@dataclass(frozen=True, slots=True)
class Payment:
    """A receipt as it is kept; `invoice_id` is None while no invoice of ours is known for it.

    `source` is the wallet that has the money.
    """

    payment_hash: PaymentHash
    transaction_id: str
    received: Sats
    invoice_id: int | None
    source: Source
    witness: Witness
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
