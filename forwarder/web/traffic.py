"""Each call in the log and in the metrics: by its route, for paths and queries can hold secrets."""

from __future__ import annotations

import re
import time
import uuid
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bind_contextvars, clear_contextvars

from forwarder.web.keys import SERVICE

log = structlog.get_logger(__name__)

REQUEST_ID: Final = "X-Request-Id"
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_ELSEWHERE: Final = "elsewhere"  # whatever somebody has thought of: it must not become a label


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log and count how a call was answered, and how long that took.

    Its id, the caller's or a new one, is in every line that is logged meanwhile, and in the answer.
    """
    begun = time.monotonic()
    request_id = _request_id(request)
    clear_contextvars()  # what the last call on this connection has left
    bind_contextvars(request_id=request_id)
    response = await handler(request)
    seconds = time.monotonic() - begun
    _count(request, response.status, seconds)
    log.debug(
        "a call was answered",
        method=request.method,
        route=_route(request),
        status=response.status,
        milliseconds=round(seconds * 1000, 1),
    )
    if not response.prepared:
        response.headers[REQUEST_ID] = request_id
    return response


def _request_id(request: web.Request) -> str:
    theirs = request.headers.get(REQUEST_ID, "")
    return theirs if _SANE_ID.fullmatch(theirs) else uuid.uuid4().hex


def _count(request: web.Request, status: int, seconds: float) -> None:
    metrics, route = request.app[SERVICE].metrics, _route(request)
    method = _ELSEWHERE if route == _ELSEWHERE else request.method
    metrics.requests.labels(method, route, f"{status // 100}xx").inc()
    if status != HTTPStatus.SWITCHING_PROTOCOLS:  # a websocket is open for hours
        metrics.request_seconds.labels(route).observe(seconds)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return _ELSEWHERE if resource is None else resource.canonical
