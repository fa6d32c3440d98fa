"""What clients are answered: JSON, and an invoice as they see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web

from forwarder.model.invoice import Invoice
from forwarder.model.units import iso
from forwarder.web import proxies
from forwarder.web.answers import Made, SaleStatus, Snapshot

Body = Mapping[str, object]

# aiohttp would tell its own and Python's version.
_ALWAYS: Final = {"Server": "blink-pos-forwarder", "X-Content-Type-Options": "nosniff"}

# For an answer that does not say better. It is about money or a secret, so it is not kept on the
# way; and it is no page, so a browser that shows it all the same is to load nothing for it.
_UNLESS_SAID: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_BY_TLS_ALONE: Final = f"max-age={365 * 86_400}"


def answer(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON."""
    return web.json_response(body, status=status, headers=headers)


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer that all of them carry."""
    protect(response)
    if proxies.is_secure(request):
        response.headers["Strict-Transport-Security"] = _BY_TLS_ALONE


def protect(response: web.StreamResponse) -> None:
    """Put those headers on an answer that need not know the call."""
    response.headers.update(_ALWAYS)
    for name, value in _UNLESS_SAID.items():
        response.headers.setdefault(name, value)


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
        "paidAt": _iso_or_none(invoice.paid_at),
        "forwardedAt": _iso_or_none(invoice.forwarded_at),
    }


def status_of(invoice: Invoice) -> SaleStatus:
    """The state of an invoice, with `forwarded` as one more: its money is with the merchant."""
    return "forwarded" if invoice.forwarded_at is not None else invoice.state.value


def _iso_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
