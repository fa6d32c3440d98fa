"""The application: every route in one table, and what goes around all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from forwarder.web import (
    desk,
    errors,
    health,
    invoices,
    origins,
    pages,
    qr,
    replies,
    status,
    traffic,
)
from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.web.sockets import Sockets

if TYPE_CHECKING:
    from forwarder.worker.service import Service

MAX_BODY_BYTES: Final = 16 * 1024

ROUTES: Final = (
    web.post("/api/invoice", invoices.create),
    web.get("/api/invoice", invoices.newest),
    web.get("/api/invoice/{external_id}", invoices.show),
    web.delete("/api/invoice/{external_id}", invoices.cancel),
    web.get("/api/invoice/{external_id}/qr.svg", qr.show),
    web.get("/api/status", status.show),
    web.post("/api/payments/{payment_hash}/replay", desk.replay),
    web.post("/api/payments/{payment_hash}/resolve", desk.resolve),
    web.post("/api/reconcile", desk.reconcile),
    web.get("/ws", pages.connect, allow_head=False),
    web.get("/health", health.health),
    web.get("/livez", health.alive),
    web.get("/readyz", health.ready),
)


def make_app(service: Service) -> web.Application:
    """The application that serves `service`."""
    app = web.Application(
        middlewares=[traffic.log_request, errors.answer_errors, origins.answer_preflight],
        client_max_size=MAX_BODY_BYTES,
    )
    app[SERVICE] = service
    app[SOCKETS] = Sockets()
    app.add_routes(ROUTES)
    app.on_response_prepare.append(replies.harden)
    app.on_response_prepare.append(origins.share)
    app.on_shutdown.append(_close_sockets)
    return app


async def _close_sockets(app: web.Application) -> None:
    await app[SOCKETS].close()
