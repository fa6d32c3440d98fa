"""One onward payout of a payment to one destination, and the states it goes through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats, WalletId


class ForwardState(StrEnum):
    """Where a forward stands.

    `sending` means that a payment of its payout invoice may have left; only the wallet that pays
    can prove otherwise. `forwarded` and `resolved` are final.
    """

    QUEUED = "queued"
    INVOICED = "invoiced"
    SENDING = "sending"
    FORWARDED = "forwarded"
    HELD = "held"
    RESOLVED = "resolved"


_Q, _I, _S, _F, _H, _R = ForwardState

MOVES: Final = {
    # A forward may be found paid in any open state: our database can be older than the ledger.
    # A payout invoice whose text was lost leads from `queued` to `queued`, with the next attempt.
    _Q: frozenset({_Q, _I, _F, _H}),
    _I: frozenset({_S, _Q, _F, _H}),
    _S: frozenset({_F, _I, _H}),
    _H: frozenset({_Q, _I, _R, _F}),
    _F: frozenset[ForwardState](),
    _R: frozenset[ForwardState](),
}

OPEN: Final = frozenset({_Q, _I, _S})
"""The states in which the service itself has the next step to take."""

FINAL: Final = frozenset({_F, _R})
"""The states that are never left."""

SPENT: Final = frozenset({_S, _F, _R})
"""The states in which a forward's money has left its source, or may have."""


@dataclass(frozen=True, slots=True)
class PayoutInvoice:
    """The destination's invoice that a forward pays."""

    payment_request: str
    payment_hash: PaymentHash
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward as it is kept. `source` is the wallet that has its money, and pays.

    `created_at` is when its payment was, `ended_at` when its end was. `asked_at` is set before the
    first call that could make its payout invoice leaves, `sent_at` before a call that could pay it
    from the wallet `sent_from` leaves; `lost_at` is when the last such call left that nobody has
    seen an answer of. Of a payout that only a ledger knows there is its `payout_hash` alone.
    `refusal` says why this payout invoice will never be paid. `tries` counts the calls since the
    last step forward. `due_at` is when somebody may take it up: after a wait, or when its owner's
    lease runs out; None at the end.
    """

    id: int
    payment_hash: PaymentHash
    position: int
    merchant_id: int
    amount: Sats
    source: Source
    state: ForwardState
    attempt: int
    external_id: str
    asked_at: datetime | None
    payout_hash: PaymentHash | None
    payout: PayoutInvoice | None
    sent_at: datetime | None
    sent_from: WalletId | None
    lost_at: datetime | None
    refusal: str | None
    transaction_id: str | None
    tries: int
    due_at: datetime | None
    held_reason: str | None
    created_at: datetime
    ended_at: datetime | None
