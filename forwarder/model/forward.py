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


class Verdict(StrEnum):
    """What was said of a payout invoice for good. The ledger of who pays has the last word."""

    REFUSED = "refused"
    """It will never be paid: a new one is made once the ledger is sure to show no payment."""
    PAID = "paid"
    """It is paid already: evidence for a payment of ours, until the ledger shows whose it was."""


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

    `payout_to` is the wallet that the payout invoice was made on. `verdict` and `refusal` are what
    was said of it for good, and `absent_at` is when the ledger first showed no payment of it
    although it was late enough to show one. `replayed_attempt` is the attempt that a person has
    replayed after it was held.

    `tries` counts the calls since the last step forward. `due_at` is when somebody may take it up:
    after a wait, or when its owner's lease runs out; None at the end.
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
    payout_to: WalletId | None
    sent_at: datetime | None
    sent_from: WalletId | None
    lost_at: datetime | None
    verdict: Verdict | None
    refusal: str | None
    absent_at: datetime | None
    replayed_attempt: int | None
    transaction_id: str | None
    tries: int
    due_at: datetime | None
    held_reason: str | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def is_replayed(self) -> bool:
        """Whether a person has seen this attempt held, and wants it to go on."""
        return self.replayed_attempt == self.attempt

    @property
    def made_payout(self) -> PayoutInvoice:
        """The payout invoice. Raises `ValueError` in a state that comes before there is one."""
        if self.payout is None:
            raise ValueError(f"a forward in {self.state} has no payout invoice")
        return self.payout
