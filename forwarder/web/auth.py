"""Who is calling: a merchant's POS, the operator, or the page of one invoice."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from forwarder.model.invoice import Invoice
from forwarder.model.merchant import Merchant
from forwarder.web.errors import unauthorized
from forwarder.web.keys import SERVICE
from forwarder.web.tokens import PageTokens

if TYPE_CHECKING:
    from forwarder.worker.service import Service

MAX_TOKEN_CHARACTERS: Final = 512

# Printable ASCII: what comes in a header is otherwise anything, and has no one encoding.
_TOKEN: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_TOKEN_CHARACTERS}}}")


async def merchant(request: web.Request) -> Merchant:
    """The merchant whose POS token the call carries. Raises `ApiError`."""
    token = _bearer(request)
    found = None if token is None else await request.app[SERVICE].sales.merchant_of(token)
    if found is None:
        raise unauthorized("this call needs the POS token of a merchant")
    return found


def require_operator(request: web.Request) -> None:
    """Raise `ApiError` unless the call carries the operator's token."""
    expected = request.app[SERVICE].settings.operator_token
    token = _bearer(request)
    if expected is None or token is None or not _same(token, expected.get_secret_value()):
        raise unauthorized("this call needs the operator token")


async def page_invoice(service: Service, token: str, external_id: str) -> Invoice:
    """The invoice of that name, if the page token is for it. Raises `ApiError`."""
    refused = unauthorized("the token is not one for this invoice, or no longer good")
    if _TOKEN.fullmatch(token) is None:
        raise refused
    invoice_id = PageTokens(service.keyring).invoice_id(token, service.clock())
    invoice = None if invoice_id is None else await service.sales.by_id(invoice_id)
    if invoice is None or invoice.external_id != external_id:
        raise refused
    return invoice


def has_bearer(request: web.Request) -> bool:
    """Whether the call says by a header who it is."""
    return "Authorization" in request.headers


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip(" ")
    return token if scheme.lower() == "bearer" and _TOKEN.fullmatch(token) else None


def _same(token: str, expected: str) -> bool:
    return hmac.compare_digest(token.encode(), expected.encode())
