"""Which websites may use the service from a visitor's browser.

Its own pages always may; others when they are listed. A call without an Origin is not a website's.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from forwarder.web import proxies
from forwarder.web.errors import ApiError
from forwarder.web.keys import SERVICE

_PREFLIGHT_SECONDS: Final = 600


def require_allowed(request: web.Request) -> None:
    """Raise `ApiError` for a call from a website that is neither ours nor listed.

    Browsers put no same-origin policy on websockets, so the server has to.
    """
    origin = request.headers.get("Origin")
    if origin is None or _is_listed(request) or _is_own(origin, proxies.host(request)):
        return
    raise ApiError(403, "origin_not_allowed", "this website may not connect here")


@web.middleware
async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that asks for a listed website whether it may make a call."""
    refused = request.match_info.http_exception
    if not _is_preflight(request) or not isinstance(refused, web.HTTPMethodNotAllowed):
        return await handler(request)
    headers = {
        "Access-Control-Allow-Methods": ", ".join(sorted(refused.allowed_methods)),
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return web.Response(status=204, headers=headers)


async def share(request: web.Request, response: web.StreamResponse) -> None:
    """Let a listed website read the answer."""
    if not request.app[SERVICE].settings.allowed_origins:
        return
    response.headers["Vary"] = "Origin"
    if _is_listed(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


def _is_preflight(request: web.Request) -> bool:
    asks = "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks and _is_listed(request)


def _is_listed(request: web.Request) -> bool:
    return request.headers.get("Origin") in request.app[SERVICE].settings.allowed_origins


def _is_own(origin: str, host: str) -> bool:
    # The scheme is not compared: behind a proxy that speaks TLS, ours is another.
    try:
        theirs = URL(origin)
        ours = URL(f"{theirs.scheme}://{host}")
        return theirs.host is not None and (theirs.host, theirs.port) == (ours.host, ours.port)
    except ValueError:
        return False
