"""What a sender is asked to pay, and how long Blink remembers having planned for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.sandbox import bolt11, errors
from forwarder.sandbox.invoices import Invoice, Invoices

FLOW_LIFETIME = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice to be paid with this many sats; `invoice` is None when its node is not Blink's."""

    terms: bolt11.Terms
    payment_request: str
    sats: int
    invoice: Invoice | None

    @property
    def payment_hash(self) -> str:
        return self.terms.payment_hash


@dataclass(frozen=True, slots=True)
class Flow:
    """A payment that was planned: a young one spares Blink another look at the invoice."""

    planned_at: datetime
    fee: int | None  # None until a probe has told it


@dataclass(slots=True)
class Flows:
    """Blink's cache of payment flows, by hash, sender's wallet and amount."""

    _flows: dict[tuple[str, str, int], Flow] = field(default_factory=dict)

    def young(self, bill: Bill, wallet_id: str, now: datetime) -> Flow | None:
        flow = self._flows.get((bill.payment_hash, wallet_id, bill.sats))
        return flow if flow and now - flow.planned_at <= FLOW_LIFETIME else None

    def remember(self, bill: Bill, wallet_id: str, flow: Flow) -> None:
        self._flows[bill.payment_hash, wallet_id, bill.sats] = flow


def read(invoices: Invoices, payment_request: str, amount: int | None) -> Bill:
    """What an invoice comes to; raises what Blink would refuse."""
    decoded = decode(payment_request)
    sats = _agreed_amount(decoded.terms.sats, amount)
    return Bill(decoded.terms, payment_request, sats, issued(invoices, decoded))


def issued(invoices: Invoices, decoded: bolt11.Decoded) -> Invoice | None:
    """The invoice of Blink's that this is; None when another node has signed it."""
    if decoded.payee != invoices.node.id:
        return None
    return invoices.get(decoded.terms.payment_hash)


def decode(payment_request: str) -> bolt11.Decoded:
    try:
        return bolt11.decode(payment_request)
    except ValueError as error:
        message = "Invalid lightning request, couldn't decode."
        raise errors.refusal("INVOICE_DECODE_ERROR", message) from error


def _agreed_amount(asked: int | None, offered: int | None) -> int:
    if offered is None:
        if not asked:
            message = "Invoice does not have a valid amount to pay"
            raise errors.refusal("INVALID_INPUT", message)
        return asked
    if asked is not None:
        raise errors.refusal("INVALID_INPUT", "Invoice must be a zero-amount invoice")
    if offered == 0:
        raise errors.amount_required("satoshi")
    return offered
