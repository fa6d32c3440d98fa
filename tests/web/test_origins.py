"""Which websites may use the service from a visitor's browser."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from yarl import URL

from forwarder.web.server import Server
from tests.web.fakes import AS_ALICE, FakeService

SHOP = "https://shop.example"
PREFLIGHT = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "pos.example"),
        ("http://pos.example", "pos.example"),
        ("https://pos.example", "pos.example"),
        ("https://pos.example", "pos.example:443"),
        ("http://pos.example:4000", "pos.example:4000"),
        ("http://POS.example", "pos.EXAMPLE"),
        ("http://[::1]:4000", "[::1]:4000"),
        (SHOP, "pos.example"),
    ],
)
async def test_own_and_listed_pages_may_connect(
    client: ClientSession, service: FakeService, origin: str | None, host: str
) -> None:
    service.settings.allowed_origins = (SHOP,)
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    async with client.ws_connect("/ws", headers=headers) as ws:
        assert (await ws.receive_json())["type"] == "connected"


@pytest.mark.parametrize(
    "origin",
    [
        SHOP,
        "http://pos.example:4001",
        "http://pos.example.evil.example",
        "http://evil.example/pos.example",
        "http://x@pos.example:99",
        "null",
        "",
        "http://",
        "http://[",
        "http://pos.example:port",
        "\xff",
    ],
)
async def test_other_websites_may_not(client: ClientSession, origin: str) -> None:
    headers = {"Host": "pos.example", "Origin": origin}
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/ws", headers=headers)
    assert refused.value.status == 403


async def test_a_preflight_of_a_listed_website_is_answered(
    client: ClientSession, service: FakeService
) -> None:
    service.settings.allowed_origins = (SHOP,)
    answer = await client.options("/api/invoice", headers=PREFLIGHT)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert answer.headers["Vary"] == "Origin"


async def test_any_other_preflight_is_not(client: ClientSession, service: FakeService) -> None:
    answer = await client.options("/api/invoice", headers=PREFLIGHT)
    assert answer.status == 405
    assert "Access-Control-Allow-Origin" not in answer.headers
    service.settings.allowed_origins = (SHOP,)
    answer = await client.options("/nothing", headers=PREFLIGHT)
    assert answer.status == 404
    answer = await client.options("/api/invoice", headers={**PREFLIGHT, "Origin": "null"})
    assert answer.status == 405


async def test_a_listed_website_may_read_answers_and_errors(
    client: ClientSession, service: FakeService
) -> None:
    service.settings.allowed_origins = (SHOP,)
    for path in ("/api/invoice", "/nothing"):
        answer = await client.get(path, headers={**AS_ALICE, "Origin": SHOP})
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        answer = await client.get(path, headers={**AS_ALICE, "Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


def test_the_server_knows_its_own_address(server: Server) -> None:
    assert URL(server.url).port not in (None, 0)
