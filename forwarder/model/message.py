"""What a page is told about its invoice, in the words of the contract."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from forwarder.model.invoice import Ending, Invoice
from forwarder.model.units import Sats, iso

Body = dict[str, str | int]

_NAMESPACE = uuid.UUID("5f0c5a35-4f0e-5a51-9c3e-6a4b1b6a3c1d")


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the pages of one invoice. Its `id` is the same whenever it is sent."""

    id: str
    invoice_id: int
    body: Body

    @property
    def at(self) -> datetime:
        """When what it tells was kept."""
        return datetime.fromisoformat(str(self.body["timestamp"]))


@dataclass(frozen=True, slots=True)
class Notice:
    """What an operator tells every page, whatever it shows."""

    id: str
    at: datetime
    message: str

    @property
    def body(self) -> Body:
        """The notice as a page gets it."""
        return {"type": "notice", "message": self.message, "timestamp": iso(self.at)}


def paid(invoice: Invoice, received: Sats, now: datetime) -> Message:
    """The customer's payment has arrived."""
    return _message(
        invoice,
        "payment",
        now,
        status="paid",
        paymentHash=invoice.payment_hash,
        amountSat=received,
        message="Payment received successfully!",
    )


def forwarded(invoice: Invoice, received: Sats, now: datetime) -> Message:
    """All of the payment is with its destinations."""
    return _message(
        invoice,
        "forwarded",
        now,
        status="forwarded",
        paymentHash=invoice.payment_hash,
        amountSat=received,
    )


def ended(invoice: Invoice, state: Ending, now: datetime) -> Message:
    """The invoice is no longer waited for."""
    return _message(invoice, state, now)


def _message(invoice: Invoice, kind: str, now: datetime, **parts: str | int) -> Message:
    # An invoice has one message of each kind, so the same one always gets the same id.
    name = str(uuid.uuid5(_NAMESPACE, f"{kind}:{invoice.payment_hash}"))
    frame: Body = {"externalId": invoice.external_id, "timestamp": iso(now), "id": name}
    return Message(name, invoice.id, {"type": kind, **parts, **frame})
