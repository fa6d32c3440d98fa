"""One client's connection, as far as it is ours: what is wrong before a handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from forwarder.web import proxies
from forwarder.web.crowd import Crowd
from forwarder.web.errors import invalid, told
from forwarder.web.proxies import Network
from forwarder.web.responses import protect

log = structlog.get_logger(__name__)

HEAD_SECONDS: Final = 10.0  # from the first byte to the last header
MAX_CONNECTIONS: Final = 16_384
MAX_OF_PEER: Final = 4_096  # 2 000 pages behind one address, and the calls they make

_IDLE_SECONDS: Final = 75.0
_LINGER_SECONDS: Final = 2.0  # for a client that still sends to see that it was refused


class Connection(web.RequestHandler):
    """Answers in the contract's form also what is not HTTP, or fails outside the application.

    It is closed when there are too many, and when a request does not come to the end of its head.
    """

    __slots__ = ("_crowd", "_deadline", "_is_in", "_peer", "_trusted")

    def __init__(
        self,
        manager: web.Server,
        crowd: Crowd,
        trusted: Sequence[Network],
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._crowd = crowd
        self._trusted = trusted
        self._peer = ""
        self._is_in = False
        self._deadline: asyncio.TimerHandle | None = None
        # A body is never unpacked: there is nothing in 16 KiB of JSON to save.
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=_IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or hang up at once on one too many."""
        super().connection_made(transport)
        self._peer = (transport.get_extra_info("peername") or ("",))[0]
        is_shared = proxies.is_trusted(self._peer, self._trusted)
        self._is_in = self._crowd.enter(self._peer, is_shared=is_shared)
        if not self._is_in:
            log.warning("a connection was refused: there are too many", peer=self._peer)
            self.force_close()
        self._expect_a_head()

    def data_received(self, data: bytes) -> None:
        """Take in what has come: it may be the first byte of a request."""
        self._expect_a_head()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._expect_nothing()
        if self._is_in:
            self._is_in = False
            self._crowd.leave(self._peer)
        super().connection_lost(exc)

    def _expect_a_head(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(HEAD_SECONDS, self._hang_up_on_a_dribbler)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up_on_a_dribbler(self) -> None:
        self._deadline = None
        # While a request is being answered nobody waits; aiohttp asks the same when it is idle.
        if self._waiter is not None and not self._waiter.done():
            log.debug("a request did not come to the end of its head")
            self.force_close()

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
        # aiohttp repeats in its refusals what was sent, also where it has no encoding.
        if status < 500 or isinstance(exc, UnicodeError):
            log.debug("a request was not HTTP", reason=type(exc).__name__)
            return _last(invalid("this is not HTTP as it should be").response())
        cause = exc if isinstance(exc, Exception) else RuntimeError(f"status {status}: {message}")
        return _last(told(cause).response())

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. An HTTP exception here is one that the middlewares never saw."""
        self._expect_nothing()
        if isinstance(resp, web.HTTPException):
            resp = told(resp).response()
        return await super().finish_response(request, resp, start_time)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse | None, time: float | None
    ) -> None:
        """Log nothing: the access log has whole paths, with the tokens in them."""


def _last(response: web.Response) -> web.Response:
    # No route was found yet, so nothing else puts them on.
    protect(response)
    response.force_close()
    return response
