"""The invoices of one merchant: made, shown, listed and cancelled by its POS."""

from __future__ import annotations

import uuid

from aiohttp import web
from structlog.contextvars import bind_contextvars

from forwarder.model.invoice import Invoice, Order
from forwarder.model.source import Source
from forwarder.model.units import Sats
from forwarder.web import auth, requests
from forwarder.web.answers import Snapshots
from forwarder.web.errors import ApiError, not_found
from forwarder.web.keys import SERVICE
from forwarder.web.requests import Listing, NewInvoice
from forwarder.web.responses import answer
from forwarder.web.snapshots import made, snapshot
from forwarder.web.tokens import PageTokens


async def create(request: web.Request) -> web.Response:
    """`POST /api/invoice`."""
    service = request.app[SERVICE]
    wanted = await requests.body(request, NewInvoice)
    if wanted.source not in (None, *service.sources):
        raise ApiError(409, "source_unavailable", "no phoenixd node is set up here")
    order = _order(wanted, service.settings.invoice_expiry_seconds)
    bind_contextvars(external_id=order.external_id)
    invoice = await service.sales.create(auth.merchant(request), order)
    return answer(made(invoice, PageTokens(service.keyring).issue(invoice, service.clock())))


async def newest(request: web.Request) -> web.Response:
    """`GET /api/invoice`."""
    listing, sales = requests.query(request, Listing), request.app[SERVICE].sales
    found = await sales.newest(auth.merchant(request), listing.since, listing.limit)
    return answer(Snapshots(success=True, invoices=[snapshot(invoice) for invoice in found]))


async def show(request: web.Request) -> web.Response:
    """`GET /api/invoice/{externalId}`."""
    return answer(snapshot(await own(request)))


async def cancel(request: web.Request) -> web.Response:
    """`DELETE /api/invoice/{externalId}`."""
    invoice = await own(request)
    return answer(snapshot(await request.app[SERVICE].sales.cancel(invoice)))


async def own(request: web.Request) -> Invoice:
    """The invoice that the path names, of the merchant who calls. Raises `ApiError`."""
    external_id = requests.external_id_in_path(request)
    invoice = await request.app[SERVICE].sales.find(auth.merchant(request), external_id)
    if invoice is None:
        raise not_found()
    bind_contextvars(payment_hash=invoice.payment_hash, external_id=external_id)
    return invoice


def _order(wanted: NewInvoice, default_expiry_seconds: int) -> Order:
    return Order(
        external_id=wanted.external_id or str(uuid.uuid4()),
        amount=Sats(wanted.amount_sat),
        description=wanted.description or "",
        expires_in_seconds=wanted.expires_in_seconds or default_expiry_seconds,
        source=wanted.source or Source.BLINK,
    )
