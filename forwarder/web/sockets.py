"""The open websockets. Nobody ever waits long for one: a client that takes nothing is cut off."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from aiohttp import WSCloseCode, web

from forwarder.web.crowd import Crowd
from forwarder.web.errors import ApiError
from forwarder.web.responses import Body

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES: Final = 16 * 1024
MAX_SOCKETS: Final = 10_000  # each takes some 30 KiB
MAX_SOCKETS_OF_ADDRESS: Final = 4_000
FULL_RETRY_SECONDS: Final = 30
HEARTBEAT_SECONDS: Final = 30.0  # a pong has half of it to come back

SEND_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 1.0


class Socket:
    """One websocket, seen from the side that sends. Its methods never raise."""

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        self.name = str(uuid.uuid4())
        self._request = request
        self._response = response

    async def send(self, body: Body) -> None:
        """Send a message. Returns within a second; then the client has it, or is gone."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._response.send_str(json.dumps(body))
        except TimeoutError:
            log.info("a page that takes no messages was cut off")
            self._cut()
        except ConnectionError:
            log.debug("a page had gone before its message")

    async def close(self, code: WSCloseCode, reason: str) -> None:
        """Say goodbye, and wait no more than a second for the answer."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._response.close(code=code, message=reason.encode())
        except TimeoutError:
            self._cut()

    def _cut(self) -> None:
        # Closing would first wait for everything to be sent, which is what does not happen.
        if self._request.transport is not None:
            self._request.transport.abort()


class Sockets:
    """All open websockets."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()
        self._crowd = Crowd(MAX_SOCKETS, MAX_SOCKETS_OF_ADDRESS)
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def room_for(self, caller: str) -> Iterator[None]:
        """Keep a place for a websocket of that caller. Raises `ApiError`."""
        if not self._crowd.enter(caller):
            raise self._refusal()
        try:
            yield
        finally:
            self._crowd.leave(caller)

    def _refusal(self) -> ApiError:
        retry = {"Retry-After": str(FULL_RETRY_SECONDS)}
        if self._crowd.is_full:
            return ApiError(503, "unavailable", "no more websockets can be taken now", retry)
        message = f"one address can have {MAX_SOCKETS_OF_ADDRESS} websockets, and has them"
        return ApiError(429, "rate_limited", message, retry)

    @contextmanager
    def holding(self, socket: Socket) -> Iterator[None]:
        """Count a socket as open."""
        self._open.add(socket)
        try:
            yield
        finally:
            self._open.discard(socket)

    async def close(self) -> None:
        """Close them all, side by side, and let no new one in."""
        self.is_closing = True
        closing = (
            socket.close(WSCloseCode.GOING_AWAY, "the service is stopping") for socket in self._open
        )
        await asyncio.gather(*closing)


def accept(request: web.Request) -> web.WebSocketResponse | None:
    """A websocket for this call, not yet open; None if the call does not ask for one."""
    response = web.WebSocketResponse(
        heartbeat=HEARTBEAT_SECONDS,
        max_msg_size=MAX_FRAME_BYTES + 1,  # aiohttp refuses what reaches it
        compress=False,  # a small frame could grow without bound
        timeout=CLOSE_SECONDS,
    )
    try:
        return response if response.can_prepare(request).ok else None
    except ValueError:  # a key that is not ASCII
        return None
