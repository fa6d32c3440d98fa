"""What a reconciliation has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from forwarder.model.units import PaymentHash


@dataclass(slots=True)
class Report:
    """The findings of one run, by payment hash or by the ledger's transaction id.

    `drift_sats` is by how much the ledger and ours differ after the run, in either direction.
    """

    dry_run: bool
    entries: int = 0
    missed: list[PaymentHash] = field(default_factory=list)
    """Receipts that nobody had told us of; they have gone through intake."""
    rebuilt: list[PaymentHash] = field(default_factory=list)
    """Receipts of invoices that our database had lost; the invoices are there again."""
    unmatched: list[PaymentHash] = field(default_factory=list)
    """Receipts of no invoice of ours; they are kept and shown."""
    young: list[PaymentHash] = field(default_factory=list)
    """Receipts of ours without an invoice that the call which made it may still keep."""
    again_from: datetime | None = None
    """From when on something is left to be done, by the ledger's clock."""
    settled: list[PaymentHash] = field(default_factory=list)
    """Payments whose forward was paid and we did not know it."""
    refunded: list[str] = field(default_factory=list)
    """Receipts that give back what a forward had sent."""
    strays: list[str] = field(default_factory=list)
    """Sends under a name of a forwarder's that no payment of ours explains."""
    opened: list[str] = field(default_factory=list)
    """Transactions that nothing explains, and that were not known before: findings by now."""
    drift_sats: int = 0

    def read_again_from(self, at: datetime) -> None:
        """Let the next run begin no later than this: something is left to be done there."""
        self.again_from = min(self.again_from or at, at)

    def add(self, other: Report) -> None:
        """Take in what the run on another ledger has found."""
        self.entries += other.entries
        self.missed += other.missed
        self.rebuilt += other.rebuilt
        self.unmatched += other.unmatched
        self.young += other.young
        self.settled += other.settled
        self.refunded += other.refunded
        self.strays += other.strays
        self.opened += other.opened
        self.drift_sats += other.drift_sats

    @property
    def is_clean(self) -> bool:
        """Whether nothing had to be changed, and nothing differs."""
        found = (self.missed, self.rebuilt, self.settled, self.refunded, self.strays, self.opened)
        return not any(found) and self.drift_sats == 0
