"""The network between a life, the sandbox, and its node, without sockets.

gql, its transports, the node's client, and all that lies above them are the real ones; only the
last call, which would have reached for a socket, ends here. What goes wrong raises what aiohttp and
websockets raise.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.common.adapters import websockets as adapter
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from forwarder.blink import client as blink_client
from forwarder.model.source import Source
from forwarder.phoenixd import client as node_client
from forwarder.sandbox import Sandbox, Timing
from forwarder.sandbox.answers import Answer
from forwarder.sandbox.api import Request
from forwarder.sandbox.messages import Message
from forwarder.sandbox.phoenixd import Phoenixd
from forwarder.sandbox.phoenixd import api as node_api
from forwarder.sandbox.phoenixd.faults import Operation
from forwarder.sandbox.session import Session
from tests.faults.life import Life

T = TypeVar("T")
Hook = Callable[[], Awaitable[None]]

PAY = "lnInvoicePaymentSend"
CREATE = "lnInvoiceCreate"
_NODE_MOMENTS = {"createinvoice": "network.node_sale_made", "payinvoice": "network.node_paid"}
_FASTEST, _SLOWEST = 0.005, 0.06  # seconds, one way


class Network:
    """The one network of a run. `hooks` are called when somebody has acted and has not answered."""

    current: Network

    def __init__(self, sandbox: Sandbox, node: Phoenixd, pos_id: str) -> None:
        self.sandbox = sandbox
        self.node = node
        self.timing = Timing()
        self.down: set[Source] = set()
        self.hooks: dict[str, Hook] = {}
        self.sockets: list[Socket] = []
        self.broken: list[str] = []
        self._pos_id = pos_id
        self._context = Context()  # what happens at the far end belongs to no life

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let something happen at the far end."""
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    async def post(self, request: Request) -> Answer:
        """One exchange with Blink over HTTP, up to its answer's arrival."""
        act = partial(self.sandbox.api.answer, request)
        return await self._exchange(Source.BLINK, act, self._moment(request))

    async def ask_node(self, request: node_api.Request) -> node_api.Answer | None:
        """One exchange with the node, up to its answer's arrival."""
        moment = _NODE_MOMENTS.get(request.operation, "network.node_asked")
        return await self._exchange(Source.PHOENIXD, partial(self.node.api.answer, request), moment)

    async def _exchange(
        self, source: Source, act: Callable[[], Coroutine[Any, Any, T]], moment: str
    ) -> T:
        await _travel()
        if source in self.down:
            raise aiohttp.ClientConnectorError(_KEY, ConnectionRefusedError(111, "refused"))
        answer = await asyncio.shield(self.spawn(act()))
        if hook := self.hooks.get(moment):
            await hook()
        await _travel()
        return answer

    @contextmanager
    def counted(self, source: Source, *, is_send: bool) -> Iterator[None]:
        """A source takes one send at a time, and one life sends no more than that."""
        life = Life.current.get()
        if life is None or not is_send:
            yield
            return
        life.sending[source] += 1
        if life.sending[source] > 1:
            self.broken.append("two sends left at once")
        try:
            yield
        finally:
            life.sending[source] -= 1

    def _moment(self, request: Request) -> str:
        """The name of the moment at which this call has had its effect."""
        caller = self.sandbox.api.caller(request.api_key)
        for operation, moment in ((PAY, "paid"), ("lnInvoiceCancel", "cancelled")):
            if operation in request.query:
                return f"network.{moment}"
        if CREATE in request.query:
            is_sale = caller is not None and caller.account_id == self._pos_id
            return "network.sale_made" if is_sale else "network.payout_made"
        return "network.asked"

    async def connect(self, _url: str, **_: object) -> Socket:
        """One websocket handshake."""
        await _travel()
        if Source.BLINK in self.down:
            raise ConnectionRefusedError(111, "refused")
        if status := self.sandbox._websocket._refused_status():
            raise InvalidStatus(Response(status, "", Headers(), b""))
        socket = Socket(self)
        self.sockets.append(socket)
        return socket

    @property
    def open_sockets(self) -> int:
        return sum(1 for socket in self.sockets if socket.is_open)

    def freeze(self) -> None:
        """Leave all present websockets half-open."""
        for socket in self.sockets:
            socket.is_frozen = True

    def cut(self) -> None:
        """Reset all present websockets."""
        for socket in self.sockets:
            socket.reset()


_KEY: Any = ConnectionKey("out-of-reach.test", 443, True, True, None, None, None, None)


async def _travel() -> None:
    await asyncio.sleep(random.uniform(_FASTEST, _SLOWEST))  # noqa: S311


class Socket:
    """Both ends of one websocket: websockets' connection here, the wire of a session there."""

    def __init__(self, network: Network) -> None:
        self._delay = random.uniform(_FASTEST, _SLOWEST)  # noqa: S311  the same: in order
        self._inbox: asyncio.Queue[str | Exception] = asyncio.Queue()
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._session = Session(network.sandbox.api, self._Wire(self), network.timing)
        self.response = Response(101, "", Headers(), b"")
        self.is_open = True
        self.is_frozen = False
        life = Life.current.get()
        if life is not None:
            life.peers.append(self)
        self._serving = network.spawn(self._serve())

    # As gql sees it

    async def send(self, text: str) -> None:
        if not self.is_open:
            raise ConnectionClosedError(None, None)
        asyncio.get_running_loop().call_later(self._delay, self._outbox.put_nowait, text)

    async def recv(self) -> str:
        item = await self._inbox.get()
        if isinstance(item, Exception):
            self._inbox.put_nowait(item)
            raise item
        return item

    async def close(self) -> None:
        self.drop()

    # As Blink sees it

    class _Wire:
        def __init__(self, socket: Socket) -> None:
            self._socket = socket

        async def send(self, message: Message) -> None:
            self._socket._deliver(json.dumps(message))

        async def close(self, code: int, reason: str) -> None:
            self._socket._end(ConnectionClosedError(Close(code, reason), None))

        def reset(self) -> None:
            self._socket.reset()

    def reset(self) -> None:
        """The connection is lost, and both sides notice."""
        self._end(ConnectionClosedError(None, None))

    def drop(self) -> None:
        """The client has gone."""
        self.is_open = False
        self._outbox.put_nowait(None)

    def _deliver(self, item: str | Exception) -> None:
        if self.is_open and not self.is_frozen:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay, self._inbox.put_nowait, item)

    def _end(self, exc: Exception) -> None:
        self._deliver(exc)
        self.drop()

    async def _serve(self) -> None:
        self._session.start()
        try:
            while (text := await self._outbox.get()) is not None:
                if not self.is_frozen:
                    await self._session.receive(text)
        finally:
            await self._session.stop()


class _Answer:
    """An answer as aiohttp shows it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.headers: dict[str, str] = {}

    async def json(self, loads: Callable[[str], object], content_type: object) -> object:
        return loads(await self.text())

    async def text(self) -> str:
        if self._answer.delivery == "half":
            raise aiohttp.ClientPayloadError("Response payload is not completed")
        return self._answer.body.decode()

    def raise_for_status(self) -> None:
        if self._answer.status >= 400:
            info: Any = None
            raise aiohttp.ClientResponseError(info, (), status=self._answer.status)


class _Exchange:
    """What aiohttp's `post` returns: nothing happens before it is entered."""

    def __init__(self, network: Network, request: Request) -> None:
        self._network = network
        self._request = request

    async def __aenter__(self) -> _Answer:
        with self._network.counted(Source.BLINK, is_send=PAY in self._request.query):
            return await self._answer()

    async def _answer(self) -> _Answer:
        answer = await self._network.post(self._request)
        if answer.delivery == "never":
            await asyncio.sleep(self._network.timing.hang)
        if answer.delivery in ("never", "reset"):
            raise aiohttp.ServerDisconnectedError
        return _Answer(answer)

    async def __aexit__(self, *_: object) -> None: ...


class _Session:
    """aiohttp's session with one API key."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._key = headers["X-API-KEY"]

    def post(self, _url: str, *, json: dict[str, Any], **_: object) -> _Exchange:
        query, variables = json["query"], json.get("variables")
        request = Request(query, variables, json.get("operationName"), self._key)
        return _Exchange(Network.current, request)


class _Transport(AIOHTTPTransport):
    """gql's own transport, on a session without sockets."""

    async def connect(self) -> None:
        self.session = _Session(dict(self.headers or {}))  # type: ignore[assignment, arg-type]

    async def close(self) -> None:
        self.session = None


class _NodeSession:
    """aiohttp's session with the node."""

    def __init__(self, *, headers: dict[str, str], **_: object) -> None:
        self._authorization = headers["Authorization"]

    async def __aenter__(self) -> _NodeSession:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        data: Mapping[str, str] | None,
        **_: object,
    ) -> _NodeExchange:
        operation, payment_hash = _routed(method, urlsplit(url).path)
        request = node_api.Request(
            operation, self._authorization, payment_hash, params or {}, data or {}
        )
        return _NodeExchange(Network.current, request)


def _routed(method: str, path: str) -> tuple[Operation, str]:
    """Which call this is, and the payment hash at the end of its path, if there is one."""
    if found := node_api.ROUTES.get((method, path)):
        return found, ""
    folder, _, payment_hash = path.rpartition("/")
    return node_api.ROUTES[method, folder + "/{hash}"], payment_hash


class _NodeExchange:
    """What aiohttp's `request` returns, and the answer as it shows it."""

    def __init__(self, network: Network, request: node_api.Request) -> None:
        self._network = network
        self._request = request
        self._text = ""
        self.status = 0

    async def __aenter__(self) -> _NodeExchange:
        with self._network.counted(
            Source.PHOENIXD, is_send=self._request.operation == "payinvoice"
        ):
            answer = await self._network.ask_node(self._request)
        if answer is None:
            raise aiohttp.ServerDisconnectedError
        self._text, self.status = answer.text, answer.status
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self) -> bytes:
        return self._text.encode()


class _Websockets:
    """What gql uses of the library `websockets`."""

    @staticmethod
    async def connect(url: str, **arguments: object) -> Socket:
        return await Network.current.connect(url, **arguments)


def replace(patch: pytest.MonkeyPatch) -> None:
    """Have every call to Blink and to the node go this way."""
    patch.setattr(blink_client, "AIOHTTPTransport", _Transport)
    patch.setattr(node_client, "ClientSession", _NodeSession)
    patch.setattr(adapter, "websockets", _Websockets)
