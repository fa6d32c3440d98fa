"""The invoices of one merchant: made, shown, listed and cancelled by its POS."""

from __future__ import annotations

import uuid

from aiohttp import web

from forwarder.model.invoice import Invoice, Order
from forwarder.model.units import Sats
from forwarder.web import auth, requests
from forwarder.web.errors import ApiError, not_found
from forwarder.web.keys import SERVICE
from forwarder.web.replies import answer, made, snapshot
from forwarder.web.requests import Listing, NewInvoice
from forwarder.web.tokens import PageTokens


async def create(request: web.Request) -> web.Response:
    """`POST /api/invoice`."""
    service = request.app[SERVICE]
    merchant = await auth.merchant(request)
    wanted = await requests.body(request, NewInvoice)
    if wanted.source == "phoenixd":
        raise ApiError(400, "source_unavailable", "no phoenixd node is set up here")
    invoice = await service.sales.create(
        merchant, _order(wanted, service.settings.invoice_expiry_seconds)
    )
    return answer(made(invoice, PageTokens(service.keyring).issue(invoice, service.clock())))


async def newest(request: web.Request) -> web.Response:
    """`GET /api/invoice`."""
    merchant = await auth.merchant(request)
    listing = requests.query(request, Listing)
    found = await request.app[SERVICE].sales.newest(merchant, listing.since, listing.limit)
    return answer({"success": True, "invoices": [snapshot(invoice) for invoice in found]})


async def show(request: web.Request) -> web.Response:
    """`GET /api/invoice/{externalId}`."""
    return answer(snapshot(await own(request)))


async def cancel(request: web.Request) -> web.Response:
    """`DELETE /api/invoice/{externalId}`."""
    invoice = await own(request)
    return answer(snapshot(await request.app[SERVICE].sales.cancel(invoice)))


async def own(request: web.Request) -> Invoice:
    """The invoice that the path names, of the merchant who calls. Raises `ApiError`."""
    merchant = await auth.merchant(request)
    external_id = named(request)
    invoice = await request.app[SERVICE].sales.find(merchant, external_id)
    if invoice is None:
        raise not_found()
    return invoice


def named(request: web.Request) -> str:
    """The externalId in the path. Raises `ApiError` for what cannot be one."""
    external_id = request.match_info["external_id"]
    if not requests.is_external_id(external_id):
        raise not_found()
    return external_id


def _order(wanted: NewInvoice, default_expiry_seconds: int) -> Order:
    return Order(
        external_id=wanted.external_id or str(uuid.uuid4()),
        amount=Sats(wanted.amount_sat),
        description=wanted.description or "",
        expires_in_seconds=wanted.expires_in_seconds or default_expiry_seconds,
    )
