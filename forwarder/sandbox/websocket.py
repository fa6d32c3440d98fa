"""GET /graphql: sessions of `graphql-transport-ws` on aiohttp's websockets."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from forwarder.sandbox import answers, wires
from forwarder.sandbox.api import Api
from forwarder.sandbox.http import respond
from forwarder.sandbox.limits import Handshakes
from forwarder.sandbox.messages import Message
from forwarder.sandbox.session import PROTOCOL, Session
from forwarder.sandbox.timing import Timing

CLOSE_TIMEOUT = 1.0  # seconds for the client to answer a close frame
REASON_BYTES = 123  # what a close frame has room for
REFUSED_STATUS = {"refuse": 503, "http_429": 429}


class Socket:
    """One open websocket: the wire of a session."""

    def __init__(self, request: web.Request, api: Api, timing: Timing) -> None:
        self._request = request
        self._timing = timing
        # Without autoping the PONGs come through, which the keep-alive has to see.
        self._ws = web.WebSocketResponse(
            protocols=(PROTOCOL,), autoping=False, compress=False, timeout=CLOSE_TIMEOUT
        )
        self._session = Session(api, self, timing)
        self._alive = True
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.ended = asyncio.Event()

    async def run(self) -> web.WebSocketResponse:
        """Serve the client until either side has gone."""
        keep_alive = asyncio.create_task(self._keep_alive(), name="websocket keep-alive")
        try:
            await self._ws.prepare(self._request)
            if self._ws.ws_protocol == PROTOCOL:
                self._session.start()
                await self._read()
            else:
                await self.close(4406, "Subprotocol not acceptable")
        finally:
            keep_alive.cancel()
            await self._session.stop()
            self.ended.set()
        return self._ws

    async def send(self, message: Message) -> None:
        await self._thawed.wait()
        # A client that has just gone is noticed by the reader.
        with suppress(ConnectionError):
            await self._ws.send_json(message)

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code=code, message=reason.encode()[:REASON_BYTES])

    def reset(self) -> None:
        wires.reset(self._request)

    def freeze(self) -> None:
        """Neither read nor answer any more, and keep the connection: half-open."""
        self._thawed.clear()
        wires.stop_reading(self._request)

    def thaw(self) -> None:
        self._thawed.set()

    async def _read(self) -> None:
        async for message in self._ws:
            await self._thawed.wait()
            match message.type:
                case WSMsgType.TEXT:
                    await self._session.receive(message.data)
                case WSMsgType.PING:
                    await self._ws.pong(message.data)
                case WSMsgType.PONG:
                    self._alive = True
                case _:
                    await self.close(4400, "Invalid message received")

    async def _keep_alive(self) -> None:
        """PING now and then; who has not answered by the next time is dropped."""
        while True:
            await asyncio.sleep(self._timing.ping_period)
            await self._thawed.wait()
            if not self._alive:
                self.reset()
                return
            self._alive = False
            with suppress(ConnectionError):
                await self._ws.ping()


@dataclass(slots=True)
class WebsocketSide:
    api: Api
    timing: Timing
    handshakes: Handshakes = field(default_factory=Handshakes)
    sockets: set[Socket] = field(default_factory=set)

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        if status := self._refused_status():
            return respond(answers.gateway(status))
        socket = Socket(request, self.api, self.timing)
        self.sockets.add(socket)
        try:
            return await socket.run()
        finally:
            self.sockets.discard(socket)

    async def cut(self) -> None:
        """Drop every websocket, and return when the server has noticed."""
        cut = list(self.sockets)
        for socket in cut:
            socket.thaw()
            socket.reset()
        for socket in cut:
            await socket.ended.wait()

    def freeze(self) -> None:
        for socket in self.sockets:
            socket.freeze()

    def _refused_status(self) -> int | None:
        bank = self.api.bank
        admitted = self.handshakes.admit(bank.clock())
        fault = bank.faults.take("handshake", "websocket", None)
        if fault is not None:
            return REFUSED_STATUS[fault.kind]
        return None if admitted else 503
