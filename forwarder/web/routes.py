"""Every call that the service takes: its place, who may make it, and what does the work.

To add a call is to add a `Route` here. The role is checked before the handler is reached, so no
handler can forget to; `tests/web/test_roles.py` walks every route as every kind of caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web
from limits import RateLimitItem
from pydantic import BaseModel

from forwarder.web import (
    auth,
    credentials,
    desk,
    health,
    invoices,
    metrics,
    pages,
    qr,
    quotas,
    status,
)
from forwarder.web.auth import Role
from forwarder.web.keys import QUOTAS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = type[BaseModel]


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
    answer: Model | None = None
    summary: str = ""
    tags: tuple[str, ...] = ()
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
    Route("POST", "/api/invoice", invoices.create, Role.POS),
    Route("GET", "/api/invoice", invoices.newest, Role.POS),
    Route("GET", "/api/invoice/{external_id}", invoices.show, Role.POS),
    Route("DELETE", "/api/invoice/{external_id}", invoices.cancel, Role.POS),
    Route("GET", "/api/invoice/{external_id}/qr.svg", qr.show, Role.POS_OR_PAGE),
    Route(
        "GET",
        "/api/blink/blinkpos-credentials",
        credentials.show,
        Role.POS,
        quota=quotas.HANDOUTS,
    ),
    Route("GET", "/api/status", status.show, Role.OPERATOR),
    Route("POST", "/api/payments/{payment_hash}/replay", desk.replay, Role.OPERATOR),
    Route("POST", "/api/payments/{payment_hash}/resolve", desk.resolve, Role.OPERATOR),
    Route("POST", "/api/reconcile", desk.reconcile, Role.OPERATOR),
    Route("GET", "/metrics", metrics.show, Role.OPERATOR),
    # Each invoice is opened by its own token, in a message.
    Route("GET", "/ws", pages.connect, Role.ANYONE, is_socket=True),
    Route("GET", "/health", health.health, Role.ANYONE),
    Route("GET", "/livez", health.alive, Role.ANYONE),
    Route("GET", "/readyz", health.ready, Role.ANYONE),
)
