"""The application: the routes, and what goes around all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aiohttp import web

from forwarder.web import errors, openapi, origins, quotas, responses, traffic
from forwarder.web.keys import DOCUMENT, QUOTAS, SERVICE, SOCKETS
from forwarder.web.quotas import Quotas
from forwarder.web.routes import ROUTES
from forwarder.web.sockets import Sockets

if TYPE_CHECKING:
    from forwarder.worker.service import Service

MAX_BODY_BYTES: Final = 16 * 1024


def make_app(service: Service, extras: Iterable[web.RouteDef] = ()) -> web.Application:
    """The application that serves `service`; `extras` are routes that go before our own."""
    app = web.Application(
        middlewares=[
            traffic.observe,
            errors.answer_errors,
            quotas.count_calls,
            origins.answer_preflight,
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    app[SERVICE] = service
    app[SOCKETS] = Sockets()
    app[QUOTAS] = Quotas()
    app[DOCUMENT] = openapi.document(ROUTES)
    app.add_routes(extras)
    app.add_routes([route.definition() for route in ROUTES])
    app.on_response_prepare.append(responses.harden)
    app.on_response_prepare.append(origins.share)
    app.on_shutdown.append(_close_sockets)
    return app


async def _close_sockets(app: web.Application) -> None:
    await app[SOCKETS].close()
