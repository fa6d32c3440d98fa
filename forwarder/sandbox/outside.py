"""The Lightning network beyond Blink: invoices of other nodes, and their customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.sandbox.node import Node

PROBED_FEE = 1  # sats, once a fee probe has found a route
RESERVE_PERMILLE = 5
RESERVE_FLOOR = 10


@dataclass(slots=True)
class Outside:
    """One foreign node. Invoices of others are taken too, and always can be paid."""

    node: Node
    _preimages: dict[str, str] = field(default_factory=dict)
    _paid: set[str] = field(default_factory=set)

    def issue(self, sats: int | None, memo: str, now: datetime, expires_in: timedelta) -> str:
        terms, preimage = self.node.terms(sats, memo, now, expires_in)
        self._preimages[terms.payment_hash] = preimage
        return self.node.sign(terms)

    def pay(self, payment_hash: str) -> None:
        self._paid.add(payment_hash)

    def is_paid(self, payment_hash: str) -> bool:
        return payment_hash in self._paid

    def preimage(self, payment_hash: str) -> str | None:
        return self._preimages.get(payment_hash)


def reserve(sats: int) -> int:
    """The fee that Blink keeps when it has not probed: it does not give the unused part back."""
    return max(RESERVE_FLOOR, -(-sats * RESERVE_PERMILLE // 1000))
