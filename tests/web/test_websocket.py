"""`/ws`: who may follow an invoice, and what a page is told, in which order, how often."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from yarl import URL

from forwarder.model import message
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.model.message import Body, Message
from forwarder.model.units import Sats
from forwarder.web import sockets, websocket
from forwarder.web.server import Server
from tests.web.fakes import BOB, NOW, FakeService

Frame = dict[str, Any]
STAMP = "2026-01-31T12:00:00.000Z"


class Page:
    """A connected page."""

    def __init__(self, service: FakeService, ws: ClientWebSocketResponse) -> None:
        self.service = service
        self.ws = ws

    async def hears(self) -> Frame:
        frame: Frame = await self.ws.receive_json(timeout=5)
        return frame

    async def say(self, invoice: Invoice, **parts: object) -> None:
        said = {"externalId": invoice.external_id, "token": self.service.token(invoice), **parts}
        await self.ws.send_json({"type": "identify", **said})

    async def identify(self, invoice: Invoice, *history: Message) -> None:
        await self.say(invoice)
        assert await self.hears() == identified(invoice)
        assert [await self.hears() for _ in history] == [told.body for told in history]

    async def hears_nothing_more(self) -> None:
        """Whatever was on its way would come before the answer to this."""
        await self.ws.send_str("?")
        assert (await self.hears())["code"] == "invalid_json"

    async def is_refused(self, said: object) -> str:
        await self.ws.send_str(said if isinstance(said, str) else json.dumps(said))
        frame = await self.hears()
        assert set(frame) == {"type", "code", "message"}
        assert frame["type"] == "error"
        assert frame["message"]
        return str(frame["code"])


async def connected(client: ClientSession) -> int:
    health = await (await client.get("/health")).json()
    return int(health["websocket"]["clients"])


def identified(invoice: Invoice) -> Frame:
    return {"type": "identified", "externalId": invoice.external_id, "timestamp": STAMP}


def paid(invoice: Invoice) -> Message:
    return message.paid(invoice, Sats(21), NOW)


def forwarded(invoice: Invoice) -> Message:
    return message.forwarded(invoice, Sats(21), NOW)


@pytest.fixture
async def page(client: ClientSession, service: FakeService) -> AsyncIterator[Page]:
    async with client.ws_connect("/ws") as ws:
        connected = Page(service, ws)
        await connected.hears()
        yield connected


@pytest.fixture
def invoice(service: FakeService) -> Invoice:
    return service.sale()


async def test_the_server_greets_first(client: ClientSession) -> None:
    async with client.ws_connect("/ws") as ws:
        assert await ws.receive_json() == {
            "type": "connected",
            "message": "Connected to WebSocket server",
            "timestamp": STAMP,
        }


async def test_a_page_is_told_what_happens_to_its_invoice(page: Page, invoice: Invoice) -> None:
    await page.identify(invoice)
    await page.service.happen(paid(invoice))
    await page.service.happen(forwarded(invoice))
    assert [(await page.hears())["type"] for _ in range(2)] == ["payment", "forwarded"]


async def test_a_page_that_comes_late_is_told_what_has_happened(
    page: Page, invoice: Invoice
) -> None:
    await page.service.happen(paid(invoice))
    await page.service.happen(forwarded(invoice))
    await page.identify(invoice, paid(invoice), forwarded(invoice))
    await page.hears_nothing_more()


@pytest.mark.parametrize("looks_first", [True, False])
async def test_what_happens_while_the_history_is_read_is_told_once_and_after_identified(
    page: Page, invoice: Invoice, looks_first: bool
) -> None:
    sales = page.service.sales
    sales.looks_first = looks_first
    sales.may_read.clear()
    await page.say(invoice)
    await sales.reading.wait()
    await page.service.happen(paid(invoice))
    sales.may_read.set()
    await page.service.happen(forwarded(invoice))
    expected = [identified(invoice), paid(invoice).body, forwarded(invoice).body]
    assert [await page.hears() for _ in expected] == expected
    await page.hears_nothing_more()


async def test_a_message_that_is_delivered_twice_is_told_once(page: Page, invoice: Invoice) -> None:
    await page.identify(invoice)
    for _ in range(2):
        await page.service.happen(paid(invoice))
    assert await page.hears() == paid(invoice).body
    await page.hears_nothing_more()


async def test_a_page_that_asks_again_is_told_again(page: Page, invoice: Invoice) -> None:
    await page.service.happen(paid(invoice))
    for _ in range(2):
        await page.identify(invoice, paid(invoice))
    await page.service.happen(forwarded(invoice))
    assert await page.hears() == forwarded(invoice).body


async def test_one_socket_follows_several_invoices(page: Page, invoice: Invoice) -> None:
    other = page.service.sale("sale-2", BOB)
    await page.identify(invoice)
    await page.identify(other)
    for told in (paid(other), paid(invoice)):
        await page.service.happen(told)
        assert await page.hears() == told.body


async def test_a_page_hears_nothing_of_other_invoices(page: Page, invoice: Invoice) -> None:
    other = page.service.sale("sale-2", BOB)
    await page.identify(invoice)
    await page.service.happen(paid(other))
    await page.hears_nothing_more()


async def test_the_watch_is_told_while_an_invoice_is_waited_for(
    page: Page, invoice: Invoice
) -> None:
    tell_watch = page.service.notifier.tell_watch
    await tell_watch("connecting", NOW)
    await page.identify(invoice)
    await tell_watch("open", NOW)
    assert await page.hears() == {"type": "subscription", "state": "open", "timestamp": STAMP}
    await page.service.happen(message.ended(invoice, InvoiceState.EXPIRED, NOW))
    assert (await page.hears())["type"] == "expired"
    await tell_watch("closed", NOW)
    await page.hears_nothing_more()


async def test_the_watch_is_not_told_of_an_invoice_that_was_paid_before(
    page: Page, invoice: Invoice
) -> None:
    await page.service.happen(paid(invoice))
    await page.identify(invoice, paid(invoice))
    await page.service.notifier.tell_watch("closed", NOW)
    await page.hears_nothing_more()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("hello", "invalid_json"),
        ("", "invalid_json"),
        ("NaN", "invalid_json"),
        ("[" * 10_000, "invalid_json"),
        ('{"type": "identify", "type": "identify"}', "invalid_json"),
        ([], "invalid_request"),
        (None, "invalid_request"),
        ({}, "invalid_request"),
        ({"type": "subscribe"}, "invalid_request"),
        ({"type": ["identify"]}, "invalid_request"),
        ({"type": "identify"}, "invalid_request"),
        ({"type": "identify", "externalId": 1, "token": "x"}, "invalid_request"),
        ({"type": "identify", "externalId": "", "token": "x"}, "invalid_request"),
        ({"type": "identify", "externalId": "\ud800", "token": "x"}, "invalid_request"),
        ({"type": "identify", "externalId": "sale-1", "token": 1}, "invalid_request"),
        ({"type": "identify", "externalId": "sale-1", "token": "x", "more": 1}, "invalid_request"),
        ({"type": "identify", "externalId": "sale-1"}, "unauthorized"),
        ({"type": "identify", "externalId": "sale-1", "token": None}, "unauthorized"),
        ({"type": "identify", "externalId": "sale-1", "token": ""}, "unauthorized"),
        ({"type": "identify", "externalId": "sale-1", "token": "x"}, "unauthorized"),
        ({"type": "identify", "externalId": "sale-1", "token": "\N{PILE OF POO}"}, "unauthorized"),
        ({"type": "identify", "externalId": "sale-1", "token": "x" * 600}, "unauthorized"),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_what_is_wrong_with_a_message_is_said_and_the_socket_stays_open(
    page: Page, invoice: Invoice, said: object, code: str
) -> None:
    assert await page.is_refused(said) == code
    await page.identify(invoice)


async def test_a_binary_message_is_refused(page: Page, invoice: Invoice) -> None:
    await page.ws.send_bytes(b"{}")
    assert (await page.hears())["code"] == "invalid_request"
    await page.identify(invoice)


async def test_a_token_opens_no_other_invoice(page: Page, invoice: Invoice) -> None:
    other = page.service.sale("sale-2", BOB)
    said = {"type": "identify", "externalId": "sale-1", "token": page.service.token(other)}
    assert await page.is_refused(said) == "unauthorized"
    said["externalId"] = "sale-3"
    assert await page.is_refused(said) == "unauthorized"
    await page.service.happen(paid(invoice))
    await page.hears_nothing_more()


async def test_without_tokens_the_name_is_enough_if_it_is_the_only_one(
    page: Page, invoice: Invoice
) -> None:
    page.service.settings.ws_require_token = False
    said = {"type": "identify", "externalId": "sale-1"}
    await page.ws.send_json(said)
    assert await page.hears() == identified(invoice)
    assert await page.is_refused({**said, "externalId": "sale-2"}) == "not_found"
    assert await page.is_refused({**said, "token": "wrong"}) == "unauthorized"
    twin = page.service.sale("sale-1", BOB)
    assert await page.is_refused(said) == "ambiguous"
    await page.identify(twin)


async def test_a_database_that_fails_is_told_and_the_page_can_ask_again(
    page: Page, invoice: Invoice
) -> None:
    page.service.sales.failure = OperationalError("SELECT", {}, Exception("locked"))
    await page.say(invoice)
    assert (await page.hears())["code"] == "unavailable"
    await page.service.notifier.deliver([paid(invoice)])
    page.service.sales.failure = None
    await page.hears_nothing_more()
    page.service.sales.told[invoice.id] = [paid(invoice)]
    await page.identify(invoice, paid(invoice))


async def test_one_socket_does_not_follow_invoices_without_end(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_INVOICES", 2)
    first, second, third = (page.service.sale(f"sale-{number}") for number in range(3))
    await page.identify(first)
    await page.identify(second)
    await page.say(third)
    assert (await page.hears())["code"] == "too_many_invoices"
    await page.identify(first)


async def test_a_page_that_talks_only_nonsense_is_sent_away(page: Page) -> None:
    for _ in range(websocket.MAX_ERRORS_IN_A_ROW):
        assert await page.is_refused("?") == "invalid_json"
    closing = await page.ws.receive(timeout=5)
    assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1008)


async def test_a_frame_may_have_16_kib_and_no_more(page: Page) -> None:
    assert await page.is_refused("x" * sockets.MAX_FRAME_BYTES) == "invalid_json"
    await page.ws.send_str("x" * (sockets.MAX_FRAME_BYTES + 1))
    closing = await page.ws.receive(timeout=5)
    assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1009)


async def test_nothing_is_compressed(client: ClientSession) -> None:
    async with client.ws_connect("/ws", compress=15) as ws:
        assert not ws.compress


async def test_a_page_that_goes_is_forgotten(
    client: ClientSession,
    service: FakeService,
    invoice: Invoice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgotten: list[object] = []
    monkeypatch.setattr(service.notifier, "leave", forgotten.append)
    async with client.ws_connect("/ws") as ws:
        page = Page(service, ws)
        await page.hears()
        await page.identify(invoice)
    assert await connected(client) == 0
    assert len(forgotten) == 1


async def test_a_silent_client_is_closed_and_forgotten(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT_SECONDS", 0.1)
    async with client.ws_connect("/ws", autoping=False) as ws:
        kinds = [(await ws.receive(timeout=5)).type for _ in range(3)]
    assert kinds[:2] == [WSMsgType.TEXT, WSMsgType.PING]
    assert kinds[2] in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
    assert await connected(client) == 0


async def test_a_client_that_takes_nothing_is_cut_off_and_holds_nobody_up(
    client: ClientSession,
    server: Server,
    service: FakeService,
    invoice: Invoice,
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SEND_SECONDS", 0.1)
    await page.identify(invoice)
    writer = await _deaf_page(URL(server.url), service, invoice)
    named = {"type": "payment", "externalId": "sale-1", "timestamp": STAMP}
    big: Body = {**named, "text": "x" * 500_000}
    sent = 0
    while await connected(client) > 1:
        async with asyncio.timeout(5):
            await service.happen(Message(f"id-{sent}", invoice.id, big))
        assert await page.hears() == big
        sent += 1
    writer.close()


async def _deaf_page(url: URL, service: FakeService, invoice: Invoice) -> asyncio.StreamWriter:
    """A page that identifies its invoice and then reads no more."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    await asyncio.get_running_loop().sock_connect(deaf, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=deaf, limit=1024)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    said = {"type": "identify", "externalId": "sale-1", "token": service.token(invoice)}
    text = json.dumps(said).encode()
    writer.write(b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text)
    await reader.readuntil(b"identified")
    return writer


async def test_what_is_no_websocket_is_told_so(client: ClientSession) -> None:
    answer = await client.get("/ws")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")
    assert (await answer.json())["error"]["code"] == "upgrade_required"


async def test_a_mistake_of_ours_is_logged_and_told_as_such(page: Page, invoice: Invoice) -> None:
    page.service.sales.failure = KeyError("the mistake")
    with capture_logs() as logged:
        await page.say(invoice)
        assert (await page.hears())["code"] == "internal_error"
    assert [line["exc_info"] for line in logged] == [page.service.sales.failure]


async def test_a_mistake_beyond_a_message_closes_the_socket(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("the mistake")

    monkeypatch.setattr(websocket.ConnectedPage, "listen", fail)
    with capture_logs() as logged:
        async with client.ws_connect("/ws") as ws:
            closing = await ws.receive(timeout=5)
    assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1011)
    assert [line["log_level"] for line in logged if "exc_info" in line] == ["error"]
    assert await connected(client) == 0


async def test_a_page_that_goes_without_a_word_troubles_nobody(
    client: ClientSession, service: FakeService, invoice: Invoice
) -> None:
    service.sales.may_read.clear()
    with capture_logs() as logged:
        ws = await client.ws_connect("/ws")
        page = Page(service, ws)
        await page.hears()
        await page.say(invoice)
        await service.sales.reading.wait()
        transport = ws.get_extra_info("socket")
        transport.shutdown(socket.SHUT_RDWR)
        await ws.close()
        service.sales.may_read.set()
        while await connected(client):
            await service.happen(paid(invoice))
    assert {line["log_level"] for line in logged} == {"debug"}
