"""Every call that the service takes: its place, who may make it, and what does the work.

To add a call is to add a `Route` here. The role is checked before the handler is reached, so no
handler can forget to; `tests/web/test_roles.py` walks every route as every kind of caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import web
from limits import RateLimitItem
from pydantic import BaseModel

from forwarder.web import (
    auth,
    books,
    credentials,
    desk,
    health,
    invoices,
    metrics,
    openapi,
    qr,
    quotas,
    site,
    status,
    webhooks,
    websocket,
)
from forwarder.web.answers import (
    Alive,
    Credentials,
    Health,
    Made,
    Noted,
    Ready,
    Snapshot,
    Snapshots,
)
from forwarder.web.auth import Role
from forwarder.web.keys import QUOTAS
from forwarder.web.questions import (
    Broadcast,
    Charted,
    Closing,
    Exported,
    Found,
    Listed,
    Resolution,
    Where,
)
from forwarder.web.requests import Listing, NewInvoice
from forwarder.web.views import (
    ClosedView,
    FindingsView,
    PageView,
    Reconciled,
    Replayed,
    Resolved,
    StatusView,
    StoryView,
    ToldView,
    TradesView,
)
from forwarder.web.webhooks import BlinkEvent, NodeEvent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON."""

    media_type: str


Answer = type | Text


@dataclass(frozen=True, slots=True)
class Route:
    """One call. What stands after `role` describes it to those who make it."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Handler
    role: Role
    quota: RateLimitItem | None = None
    """What one caller may ask for of this alone, beside what it may of everything."""
    body: Model | None = None
    query: Model | None = None
    answer: Answer | None = None
    errors: tuple[int, ...] = ()
    """The statuses of its own failures, beside those that every such call can have."""
    others: Mapping[int, type] = field(default_factory=dict)
    """What is answered in another form than that of an error."""
    summary: str = ""
    is_socket: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def definition(self) -> web.RouteDef:
        """The route as aiohttp takes it, with its guard in front of the handler."""
        # A GET is also there as HEAD, but a websocket is nothing without its body.
        more = {"allow_head": not self.is_socket} if self.method == "GET" else {}
        return web.RouteDef(self.method, self.path, self._guarded, more)

    async def _guarded(self, request: web.Request) -> web.StreamResponse:
        caller = await auth.admit(request, self.role)
        if self.quota is not None:
            await request.app[QUOTAS].spend(self.quota, caller)
        return await self.handler(request)


ROUTES: Final = (
    Route(
        "POST",
        "/api/invoice",
        invoices.create,
        Role.POS,
        body=NewInvoice,
        answer=Made,
        errors=(409, 502),
        summary="Make an invoice, or find the one that was made under this externalId before",
    ),
    Route(
        "GET",
        "/api/invoice",
        invoices.newest,
        Role.POS,
        query=Listing,
        answer=Snapshots,
        summary="List the merchant's own invoices, newest first",
    ),
    Route(
        "GET",
        "/api/invoice/{external_id}",
        invoices.show,
        Role.POS,
        answer=Snapshot,
        summary="Show how an invoice stands",
    ),
    Route(
        "DELETE",
        "/api/invoice/{external_id}",
        invoices.cancel,
        Role.POS,
        answer=Snapshot,
        errors=(409, 502),
        summary="Cancel an invoice, at its source and here",
    ),
    Route(
        "GET",
        "/api/invoice/{external_id}/qr.svg",
        qr.show,
        Role.POS_OR_PAGE,
        answer=Text("image/svg+xml"),
        summary="The QR code of an invoice",
    ),
    Route(
        "GET",
        "/api/blink/blinkpos-credentials",
        credentials.show,
        Role.POS,
        quota=quotas.HANDOUTS,
        answer=Credentials,
        errors=(404,),
        summary="Hand out a key that can read BlinkPOS and nothing else",
    ),
    Route(
        "POST",
        "/api/webhook",
        webhooks.phoenixd,
        Role.SIGNED,
        body=NodeEvent,
        answer=Noted,
        errors=(401, 404),
        summary="Tell that a payment has arrived at the phoenixd node, signed by it",
    ),
    Route(
        "POST",
        "/api/webhook/blink",
        webhooks.blink,
        Role.SIGNED,
        body=BlinkEvent,
        answer=Noted,
        errors=(401, 404),
        summary="Tell that a payment has arrived at Blink, signed by Svix",
    ),
    Route(
        "GET",
        "/api/status",
        status.show,
        Role.OPERATOR,
        query=Where,
        answer=StatusView,
        summary="Show everything at a glance",
    ),
    Route(
        "GET",
        "/api/figures",
        books.figures,
        Role.OPERATOR,
        query=Charted,
        answer=TradesView,
        summary="Show what came and what arrived, hour by hour or day by day",
    ),
    Route(
        "GET",
        "/api/export.csv",
        books.export,
        Role.OPERATOR,
        query=Exported,
        answer=Text("text/csv"),
        summary="Write one line for each forward, for a spreadsheet",
    ),
    Route(
        "POST",
        "/api/broadcast",
        desk.broadcast,
        Role.OPERATOR,
        body=Broadcast,
        answer=ToldView,
        summary="Tell every connected page something",
    ),
    Route(
        "GET",
        "/api/payments",
        books.payments,
        Role.OPERATOR,
        query=Listed,
        answer=PageView,
        summary="List sales, newest first, or look for some",
    ),
    Route(
        "GET",
        "/api/payments/{payment_hash}",
        books.payment,
        Role.OPERATOR,
        answer=StoryView,
        summary="Show one sale with all that is known of it",
    ),
    Route(
        "POST",
        "/api/payments/{payment_hash}/replay",
        desk.replay,
        Role.OPERATOR,
        answer=Replayed,
        summary="Try again, now, what is held or waits; safe to press twice",
    ),
    Route(
        "POST",
        "/api/payments/{payment_hash}/resolve",
        desk.resolve,
        Role.OPERATOR,
        body=Resolution,
        answer=Resolved,
        errors=(409, 502),
        summary="Record that what is held was settled by hand",
    ),
    Route(
        "GET",
        "/api/findings",
        books.findings,
        Role.OPERATOR,
        query=Found,
        answer=FindingsView,
        summary="List what a source's ledger shows and nothing here explains, oldest first",
    ),
    Route(
        "POST",
        "/api/findings/{id}/close",
        desk.close_finding,
        Role.OPERATOR,
        body=Closing,
        answer=ClosedView,
        errors=(409,),
        summary="Record what a person knows of a finding, and close it",
    ),
    Route(
        "POST",
        "/api/reconcile",
        desk.reconcile,
        Role.OPERATOR,
        answer=Reconciled,
        errors=(400, 502),
        summary="Compare the sources' own ledgers with ours now",
    ),
    Route(
        "GET",
        "/metrics",
        metrics.show,
        Role.OPERATOR,
        answer=Text("text/plain"),
        summary="Counts, times and how everything stands, for Prometheus",
    ),
    # Each invoice is opened by its own token, in a message.
    Route(
        "GET",
        "/ws",
        websocket.connect,
        Role.ANYONE,
        errors=(403, 426),
        summary="Open a page's websocket",
        is_socket=True,
    ),
    Route(
        "GET",
        "/health",
        health.health,
        Role.ANYONE,
        answer=Health,
        summary="Show that the service answers, and how many pages are connected",
    ),
    Route(
        "GET",
        "/livez",
        health.alive,
        Role.ANYONE,
        answer=Alive,
        summary="Show that the process is there; asks nothing of anything",
    ),
    Route(
        "GET",
        "/readyz",
        health.ready,
        Role.ANYONE,
        answer=Ready,
        others={503: Ready},
        summary="Show whether sales can be made",
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi.show,
        Role.ANYONE,
        answer=dict,
        summary="This document",
    ),
    *(Route("GET", path, site.show, Role.PEOPLE) for path in site.PATHS),
)
