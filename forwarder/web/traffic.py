"""One line in the log for each call: by its route, for paths and queries can hold secrets."""

from __future__ import annotations

import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)


@web.middleware
async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log how a call was answered, and how long that took."""
    begun = time.monotonic()
    response = await handler(request)
    log.debug(
        "request",
        method=request.method,
        route=_route(request),
        status=response.status,
        milliseconds=round((time.monotonic() - begun) * 1000, 1),
    )
    return response


def _route(request: web.Request) -> str | None:
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical
