"""One client's connection, as far as it is ours: what is wrong before a handler sees it."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from forwarder.web.errors import invalid, told
from forwarder.web.replies import HEADERS

log = structlog.get_logger(__name__)

_IDLE_SECONDS: Final = 75.0
_LINGER_SECONDS: Final = 2.0  # for a client that still sends to see that it was refused


class Connection(web.RequestHandler):
    """Answers in the contract's form also what is not HTTP, or fails outside the application."""

    __slots__ = ()

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop) -> None:
        # A body is never unpacked: there is nothing in 16 KiB of JSON to save.
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=_IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer, without the parser's message, which repeats what was sent, and hang up."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, and cannot become another")
        if status < 500:
            log.debug("a request was not HTTP", reason=type(exc).__name__)
            return _last(invalid("this is not HTTP as it should be").response())
        cause = exc if isinstance(exc, Exception) else RuntimeError(f"status {status}: {message}")
        return _last(told(cause).response())

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. An HTTP exception here is one that the middlewares never saw."""
        if isinstance(resp, web.HTTPException):
            resp = told(resp).response()
        return await super().finish_response(request, resp, start_time)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse | None, time: float | None
    ) -> None:
        """Log nothing: the access log has whole paths, with the tokens in them."""


def _last(response: web.Response) -> web.Response:
    # No route was found yet, so nothing else puts them on.
    response.headers.update(HEADERS)
    response.force_close()
    return response
