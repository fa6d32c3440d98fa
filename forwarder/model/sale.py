"""A sale as an operator sees it: what was asked, what came, where it went, in one word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.model.payment import Payment
from forwarder.model.source import Source
from forwarder.model.units import MAX_SATS, PaymentHash, Sats


class Standing(StrEnum):
    """Where a sale stands: one word for all its forwards, or for the want of any."""

    HELD = "held"
    QUEUED = "queued"
    INVOICED = "invoiced"
    SENDING = "sending"
    RESOLVED = "resolved"
    FORWARDED = "forwarded"
    UNMATCHED = "unmatched"
    """Money that came for no invoice of ours."""
    PENDING = "pending"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


WORST_FIRST: Final = (
    ForwardState.HELD,
    ForwardState.QUEUED,
    ForwardState.INVOICED,
    ForwardState.SENDING,
    ForwardState.RESOLVED,
    ForwardState.FORWARDED,
)
"""A payment stands where the first of these is that one of its forwards is in."""

UNPAID: Final = (InvoiceState.PENDING, InvoiceState.EXPIRED, InvoiceState.CANCELLED)
"""The states of an invoice for which nothing has arrived."""


@dataclass(frozen=True, slots=True)
class Sale:
    """An invoice, a payment, or both, with the forwards; `merchants` are the names by id."""

    invoice: Invoice | None
    payment: Payment | None
    forwards: tuple[Forward, ...]
    merchants: Mapping[int, str]

    @property
    def payment_hash(self) -> PaymentHash:
        """What the invoice and the payment share."""
        return self._known.payment_hash

    @property
    def place(self) -> Place:
        """Its place in a list: by when the money came, or else by when it was asked for."""
        known = self._known
        at = known.seen_at if isinstance(known, Payment) else known.created_at
        return Place(at, known.payment_hash)

    @property
    def merchant(self) -> str | None:
        """Whose sale it is; None for unmatched money."""
        return None if self.invoice is None else self.merchants[self.invoice.merchant_id]

    @property
    def source(self) -> Source:
        """Which wallet has its money, or was to have it."""
        return self._known.source

    @property
    def received(self) -> Sats:
        """What has arrived for it."""
        return Sats(0) if self.payment is None else self.payment.received

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        if self.payment is None:
            return Standing(self._known_invoice.state)
        return standing_of(forward.state for forward in self.forwards)

    @property
    def _known(self) -> Payment | Invoice:
        return self.payment or self._known_invoice

    @property
    def _known_invoice(self) -> Invoice:
        if self.invoice is None:
            raise AssertionError("a sale is an invoice, a payment, or both")
        return self.invoice


def standing_of(states: Iterable[ForwardState]) -> Standing:
    """Where a payment with forwards in these states stands."""
    found = set(states)
    worst = next((state for state in WORST_FIRST if state in found), None)
    return Standing.UNMATCHED if worst is None else Standing(worst)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a list of sales: an empty hash comes before every sale of that time."""

    at: datetime
    payment_hash: str = ""


_PREFIX: Final = re.compile(r"[0-9a-f]{4,64}")
_AMOUNT: Final = re.compile(r"[0-9]{1,14}")


@dataclass(frozen=True, slots=True)
class Search:
    """What a person has typed to find a sale, and what it can mean."""

    text: str

    @property
    def prefix(self) -> str | None:
        """The beginning of a payment hash; less than four characters would find too much."""
        lower = self.text.lower()
        return lower if _PREFIX.fullmatch(lower) else None

    @property
    def amount(self) -> Sats | None:
        """An amount in sats."""
        sats = int(self.text) if _AMOUNT.fullmatch(self.text) else 0
        return Sats(sats) if 0 < sats <= MAX_SATS else None

    def names(self, merchant: str) -> bool:
        """Whether it is this merchant's name."""
        return merchant.casefold() == self.text.casefold()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sales are asked for: those before a place, newest first."""

    standing: Standing | None
    search: Search | None
    source: Source | None
    before: Place | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some sales, and the place to go on from; None at the end."""

    sales: tuple[Sale, ...]
    next: Place | None
