"""Whatever comes over the line is answered in the contract's form."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs
from yarl import URL

from forwarder.web import requests, traffic
from forwarder.web.server import Server
from tests.web.fakes import AS_ALICE, FakeService

START = b"POST /api/invoice HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice-token\r\n"


async def test_an_unknown_path_is_not_found(client: ClientSession, server: Server) -> None:
    for path in ("/nothing", "/api/invoice/a/b", "//livez", "/livez/", "/%00", "/%ff"):
        answer = await client.get(URL(server.url + path, encoded=True))
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "not_found"


async def test_a_wrong_method_is_told_the_right_ones(client: ClientSession) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "DELETE"):
        answer = await client.request(method, "/api/invoice", headers=AS_ALICE)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")
        assert (await answer.json())["error"]["code"] == "method_not_allowed"


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(160):
        yield b"x" * 65_536


@pytest.mark.parametrize("chunked", [True, False])
async def test_ten_megabytes_are_refused_and_nothing_hangs(
    client: ClientSession, service: FakeService, chunked: bool
) -> None:
    begun = time.monotonic()
    data: Any = _chunks() if chunked else io.BytesIO(b"x" * 10_485_760)
    answer = await client.post("/api/invoice", data=data, headers=AS_ALICE)
    assert answer.status == 413
    assert (await answer.json())["error"]["code"] == "body_too_large"
    assert time.monotonic() - begun < 2
    assert service.sales.invoices == []


@pytest.mark.parametrize(("size", "status"), [(16_384, 400), (16_385, 413)])
async def test_a_body_may_have_16_kib_and_no_more(
    client: ClientSession, size: int, status: int
) -> None:
    answer = await client.post("/api/invoice", data=b"x" * size, headers=AS_ALICE)
    assert answer.status == status


async def raw(server: Server, sent: bytes) -> tuple[int, str, dict[str, Any]]:
    """The answer to some bytes: its status, its head and its JSON."""
    url = URL(server.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.partition("Content-Length: ")[2].split()[0])
        body = json.loads(await reader.readexactly(length))
    writer.close()
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
        (b"GET livez HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 400),
        (START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        (START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
        (START + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417),
        (
            START + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
            400,
        ),
        (b"GET /api/invoice HTTP/1.0\r\nAuthorization: Bearer \xff\xfe\r\n\r\n", 401),
        (b"GET /ws HTTP/1.0\r\nOrigin: http://x\r\n\r\n", 403),
        (
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xc3\xa9\r\n\r\n",
            426,
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_what_is_hardly_http_is_refused_without_telling_versions(
    server: Server, sent: bytes, status: int
) -> None:
    with capture_logs() as logged:
        answered, head, body = await raw(server, sent)
    assert answered == status
    assert set(body["error"]) == {"code", "message"}
    assert "aiohttp" not in head
    assert "Server: blink-pos-forwarder" in head
    assert {line["log_level"] for line in logged} <= {"debug"}


async def test_a_body_that_does_not_come_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    url = URL(server.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(START + b"Content-Length: 20\r\n\r\n{")
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_a_client_that_goes_in_the_middle_of_its_body_is_no_trouble(
    client: ClientSession, server: Server, service: FakeService
) -> None:
    url = URL(server.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(START + b"Expect: 100-continue\r\nContent-Length: 20\r\n\r\n{")
    assert b" 100 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    with capture_logs() as logged:
        writer.close()
        while not any(line["route"] == "/api/invoice" for line in logged):
            await client.get("/livez")
    assert {line["log_level"] for line in logged} == {"debug"}
    assert service.sales.invoices == []


async def test_a_mistake_outside_the_handlers_is_answered_in_the_same_form(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_route", None)
    with capture_logs() as logged:
        answer = await client.get("/livez")
    assert answer.status == 500
    assert (await answer.json())["error"]["code"] == "internal_error"
    assert answer.headers["Server"] == "blink-pos-forwarder"
    assert [type(line["exc_info"]) for line in logged] == [TypeError]


async def test_a_call_is_logged_by_its_route_and_without_its_secrets(
    client: ClientSession, service: FakeService
) -> None:
    token = service.token(service.sale())
    with capture_logs() as logged:
        await client.get(f"/api/invoice/sale-1/qr.svg?token={token}")
        await client.get("/nothing/secret-path")
    lines = [(line["method"], line["route"], line["status"]) for line in logged]
    route = "/api/invoice/{external_id}/qr.svg"
    assert lines == [("GET", route, 200), ("GET", "elsewhere", 404)]
    assert token not in str(logged)
    assert "secret-path" not in str(logged)


async def test_a_mistake_of_ours_is_logged_whole_and_told_not_at_all(
    client: ClientSession, service: FakeService
) -> None:
    service.sales.failure = KeyError("the mistake")
    with capture_logs() as logged:
        answer = await client.get("/api/invoice", headers=AS_ALICE)
    assert answer.status == 500
    assert "the mistake" not in await answer.text()
    assert [line["exc_info"] for line in logged if "exc_info" in line] == [service.sales.failure]
