"""An invoice as its POS sees it, in the contract's names."""

from __future__ import annotations

from forwarder.model.invoice import Invoice
from forwarder.model.units import iso, iso_or_none
from forwarder.web.answers import Made, SaleStatus, Snapshot


def made(invoice: Invoice, token: str) -> Made:
    """An invoice as the POS that has asked for it sees it; `token` is for its page."""
    return {
        "success": True,
        "invoice": invoice.payment_request,
        "paymentHash": invoice.payment_hash,
        "externalId": invoice.external_id,
        "amountSat": invoice.amount,
        "status": status_of(invoice),
        "expiresAt": iso(invoice.expires_at),
        "token": token,
    }


def snapshot(invoice: Invoice) -> Snapshot:
    """An invoice as it stands now."""
    return {
        "success": True,
        "externalId": invoice.external_id,
        "status": status_of(invoice),
        "amountSat": invoice.amount,
        "paymentHash": invoice.payment_hash,
        "invoice": invoice.payment_request,
        "expiresAt": iso(invoice.expires_at),
        "paidAt": iso_or_none(invoice.paid_at),
        "forwardedAt": iso_or_none(invoice.forwarded_at),
    }


def status_of(invoice: Invoice) -> SaleStatus:
    """The state of an invoice, with `forwarded` as one more: its money is with the merchant."""
    return "forwarded" if invoice.forwarded_at is not None else invoice.state.value
