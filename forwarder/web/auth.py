"""Who is calling: a merchant's POS, the operator, or the page of one invoice."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from aiohttp import web
from structlog.contextvars import bind_contextvars

from forwarder.model.invoice import Invoice
from forwarder.model.merchant import Merchant
from forwarder.web import proxies, quotas
from forwarder.web.errors import ApiError, WrongToken, unauthorized
from forwarder.web.keys import QUOTAS, SERVICE
from forwarder.web.requests import external_id_in_path
from forwarder.web.tokens import PageTokens

if TYPE_CHECKING:
    from forwarder.worker.service import Service

MAX_TOKEN_CHARACTERS: Final = 512

# Printable ASCII: what comes in a header is otherwise anything, and has no one encoding.
_TOKEN: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_TOKEN_CHARACTERS}}}")


class Role(StrEnum):
    """Who may make a call. Each route has one role, and `admit` alone enforces it."""

    ANYONE = "anyone"
    PEOPLE = "people"
    """Whoever opens a page in a browser: what it loads holds nothing that is anybody's own."""
    POS = "pos"
    """A merchant, by its POS token; the handler finds it with `merchant`."""
    POS_OR_PAGE = "pos or page"
    """A merchant, or the page of the invoice in the path; the handler asks `shown_invoice`."""
    OPERATOR = "operator"
    SIGNED = "signed"
    """Another service, by the signature of its body, which only the handler can verify."""


_MERCHANT: Final = web.RequestKey("merchant", Merchant)
_INVOICE: Final = web.RequestKey("invoice", Invoice)


async def admit(request: web.Request, role: Role) -> str:
    """Let the call through to its handler, or raise `ApiError`; returns for whom it counts."""
    match role:
        case Role.ANYONE | Role.PEOPLE | Role.SIGNED:
            return proxies.caller(request)
        case Role.POS | Role.POS_OR_PAGE | Role.OPERATOR:
            async with _counting_wrong_tokens(request):
                caller = await _identify(request, role)
            await request.app[QUOTAS].spend(quotas.CALLS_OF_TOKEN, caller)
            return caller
        case _:
            assert_never(role)


def merchant(request: web.Request) -> Merchant:
    """The merchant who calls, where the route's role wants one."""
    return request[_MERCHANT]


def shown_invoice(request: web.Request) -> Invoice | None:
    """The invoice whose page calls; None if it is a merchant."""
    return request.get(_INVOICE)


async def page_invoice(request: web.Request, token: str, external_id: str) -> Invoice:
    """The invoice of that name, if the page token is for it. Raises `ApiError`."""
    async with _counting_wrong_tokens(request):
        return await _invoice_of(request.app[SERVICE], token, external_id)


@asynccontextmanager
async def _counting_wrong_tokens(request: web.Request) -> AsyncIterator[None]:
    """Look at no token from where too many wrong ones came. To show none is not to guess."""
    kept, caller = request.app[QUOTAS], proxies.caller(request)
    await kept.require_left(quotas.WRONG_TOKENS, caller)
    try:
        yield
    except WrongToken:
        await kept.spend(quotas.WRONG_TOKENS, caller)
        raise


async def _identify(request: web.Request, role: Role) -> str:
    """Find out who calls, for the handler too."""
    page_token = request.query.get("token")
    if role is Role.OPERATOR:
        _require_operator(request)
        return "operator"
    if role is Role.POS_OR_PAGE and page_token is not None and not _has_bearer(request):
        name = external_id_in_path(request)
        request[_INVOICE] = invoice = await _invoice_of(request.app[SERVICE], page_token, name)
        return f"page of invoice {invoice.id}"
    request[_MERCHANT] = merchant = await _merchant_of(request)
    bind_contextvars(merchant=merchant.name)
    return f"merchant {merchant.id}"


async def _invoice_of(service: Service, token: str, external_id: str) -> Invoice:
    refused = WrongToken("the token is not one for this invoice, or no longer good")
    if _TOKEN.fullmatch(token) is None:
        raise refused
    invoice_id = PageTokens(service.keyring).invoice_id(token, service.clock())
    invoice = None if invoice_id is None else await service.sales.by_id(invoice_id)
    if invoice is None or invoice.external_id != external_id:
        raise refused
    return invoice


async def _merchant_of(request: web.Request) -> Merchant:
    token = _bearer(request)
    found = None if token is None else await request.app[SERVICE].sales.merchant_of(token)
    if found is None:
        raise _refusal(request, "this call needs the POS token of a merchant")
    return found


def _require_operator(request: web.Request) -> None:
    expected = request.app[SERVICE].settings.operator_token
    token = _bearer(request)
    if expected is None or token is None or not _same(token, expected.get_secret_value()):
        raise _refusal(request, "this call needs the operator token")


def _refusal(request: web.Request, message: str) -> ApiError:
    return WrongToken(message) if _has_bearer(request) else unauthorized(message)


def _has_bearer(request: web.Request) -> bool:
    return "Authorization" in request.headers


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip(" ")
    return token if scheme.lower() == "bearer" and _TOKEN.fullmatch(token) else None


def _same(token: str, expected: str) -> bool:
    return hmac.compare_digest(token.encode(), expected.encode())
