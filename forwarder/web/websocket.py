"""`/ws`: a page says which invoices it shows, and is told what happens to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from forwarder.model.invoice import Invoice
from forwarder.model.message import Message, Notice
from forwarder.model.units import iso
from forwarder.web import auth, errors, origins, proxies, quotas, requests, sockets
from forwarder.web.errors import ApiError
from forwarder.web.keys import QUOTAS, SERVICE, SOCKETS
from forwarder.web.requests import Identify
from forwarder.web.sockets import Socket
from forwarder.web.stories import Story
from forwarder.worker.metrics import Timing

log = structlog.get_logger(__name__)

MAX_INVOICES: Final = 100
MAX_ERRORS_IN_A_ROW: Final = 100


async def connect(request: web.Request) -> web.StreamResponse:
    """`GET /ws`."""
    origins.require_allowed(request)
    with request.app[SOCKETS].room_for(proxies.caller(request)):
        return await _serve(request)


async def _serve(request: web.Request) -> web.StreamResponse:
    response = _accept(request)
    await response.prepare(request)
    socket = Socket(request, response)
    with request.app[SOCKETS].holding(socket), _page(request, socket) as page:
        try:
            await page.listen(response)
        except ConnectionError:
            log.debug("a page had gone before the pong to its ping")
        except Exception:
            # The answer has long begun, so it is too late for one in JSON.
            log.exception("a websocket failed unexpectedly")
            await socket.close(WSCloseCode.INTERNAL_ERROR, "something went wrong here")
    return response


def _accept(request: web.Request) -> web.WebSocketResponse:
    if request.app[SOCKETS].is_closing:
        raise ApiError(503, "unavailable", "the service is stopping")
    response = sockets.accept(request)
    if response is None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        raise ApiError(426, "upgrade_required", "this address is for websockets", headers)
    return response


@contextmanager
def _page(request: web.Request, socket: Socket) -> Iterator[ConnectedPage]:
    page = ConnectedPage(request, socket)
    try:
        yield page
    finally:
        request.app[SERVICE].notifier.leave(page)


class ConnectedPage:
    """One connected page, with the invoices that it has identified."""

    def __init__(self, request: web.Request, socket: Socket) -> None:
        self._request = request
        self._service = request.app[SERVICE]
        self._socket = socket
        self._stories: dict[int, Story] = {}

    async def listen(self, response: web.WebSocketResponse) -> None:
        """Greet the page, and answer what it says until it goes."""
        await self._say("connected", message="Connected to WebSocket server")
        self._service.notifier.enter(self)
        errors_in_a_row = 0
        async for frame in response:
            if not await self._may_say_more():
                await self._socket.close(WSCloseCode.POLICY_VIOLATION, "too many messages")
                break
            errors_in_a_row = 0 if await self._understood(frame) else errors_in_a_row + 1
            if errors_in_a_row == MAX_ERRORS_IN_A_ROW:
                await self._socket.close(WSCloseCode.POLICY_VIOLATION, "too many errors")

    async def tell(self, message: Message) -> None:
        """Send a new message of an identified invoice, when its turn has come."""
        story = self._stories.get(message.invoice_id)
        if story is not None and story.tells(message):
            await self._send(message, Timing.AT_ONCE)

    async def tell_watch(self, state: str, now: datetime) -> None:
        """Send how the watch on Blink stands, if the page waits for it."""
        if any(story.is_waiting for story in self._stories.values()):
            await self._socket.send({"type": "subscription", "state": state, "timestamp": iso(now)})

    async def tell_notice(self, notice: Notice) -> None:
        """Send what an operator tells every page."""
        await self._socket.send(notice.body)

    async def _may_say_more(self) -> bool:
        try:
            await self._request.app[QUOTAS].spend(quotas.MESSAGES, self._socket.name)
        except ApiError:
            return False
        return True

    async def _understood(self, frame: WSMessage) -> bool:
        try:
            await self._hear(frame)
        except Exception as exc:
            error = errors.told(exc)
            await self._socket.send({"type": "error", "code": error.code, "message": error.message})
            return False
        return True

    async def _hear(self, frame: WSMessage) -> None:
        if frame.type is not WSMsgType.TEXT:
            raise errors.invalid("messages are text in JSON")
        said = requests.read(frame.data, Identify)
        await self._identify(await self._invoice(said))

    async def _invoice(self, said: Identify) -> Invoice:
        if said.token is not None:
            return await auth.page_invoice(self._request, said.token, said.external_id)
        if self._service.settings.ws_require_token:
            raise errors.unauthorized("token: is missing")
        found = await self._service.sales.named(said.external_id)
        if len(found) > 1:
            message = "several invoices have this externalId; its token says which is meant"
            raise ApiError(409, "ambiguous", message)
        if not found:
            raise errors.not_found()
        return found[0]

    async def _identify(self, invoice: Invoice) -> None:
        """Say `identified`, then what has happened to the invoice, then what happens to it."""
        story = self._story(invoice)
        story.hold()
        # Join before reading: a message between the two would be lost.
        self._service.notifier.join(invoice.id, self)
        try:
            history = await self._service.sales.messages(invoice.id)
        except Exception:
            # Without its history the page knows nothing: it hears nothing until it asks again.
            del self._stories[invoice.id]
            raise
        await self._say("identified", externalId=invoice.external_id)
        for message in story.replay(history):
            await self._send(message, Timing.LATE)

    def _story(self, invoice: Invoice) -> Story:
        if invoice.id not in self._stories and len(self._stories) >= MAX_INVOICES:
            message = f"one socket can follow {MAX_INVOICES} invoices; open another"
            raise ApiError(429, "too_many_invoices", message)
        return self._stories.setdefault(invoice.id, Story())

    async def _send(self, message: Message, timing: Timing) -> None:
        await self._socket.send(message.body)
        self._service.metrics.told(message, timing, self._service.clock())
        log.debug(
            "a page was told",
            payment_hash=message.body.get("paymentHash"),
            external_id=message.body["externalId"],
            kind=message.body["type"],
            timing=timing.value,
        )

    async def _say(self, kind: str, **parts: str) -> None:
        await self._socket.send({"type": kind, **parts, "timestamp": iso(self._service.clock())})
