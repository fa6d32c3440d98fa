"""The calls that watch over the process, and the operator's view of it."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession

from tests.web.fakes import AS_ALICE, AS_OPERATOR, FakeService


async def test_health_counts_the_open_websockets(client: ClientSession) -> None:
    async with client.ws_connect("/ws") as page:
        await page.receive_json()
        answer = await client.get("/health")
        assert await answer.json() == {
            "status": "ok",
            "service": "blink-pos-forwarder",
            "websocket": {"enabled": True, "clients": 1},
        }


async def test_livez_asks_nothing_of_the_service(
    client: ClientSession, service: FakeService
) -> None:
    service.sales.failure = OSError("the database is gone")
    service.lack = "the database does not answer"
    answer = await client.get("/livez")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_readyz_says_whether_sales_can_be_made(
    client: ClientSession, service: FakeService
) -> None:
    answer = await client.get("/readyz")
    assert (answer.status, await answer.json()) == (200, {"status": "ready"})
    service.lack = "the database does not answer"
    answer = await client.get("/readyz")
    told = {"status": "not ready", "reason": "the database does not answer"}
    assert (answer.status, await answer.json()) == (503, told)


async def test_the_operator_sees_the_state_and_the_open_websockets(client: ClientSession) -> None:
    answer = await client.get("/api/status", headers=AS_OPERATOR)
    assert answer.status == 200
    found = await answer.json()
    assert found["websocket"] == {"clients": 0}
    assert found["subscription"]["state"] == "closed"
    assert found["forwards"] == {"queued": 0}


@pytest.mark.parametrize("headers", [{}, AS_ALICE, {"Authorization": "Bearer operator-tokex"}])
async def test_nobody_else_sees_it(client: ClientSession, headers: dict[str, str]) -> None:
    answer = await client.get("/api/status", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_without_an_operator_token_everyone_is_refused(
    client: ClientSession, service: FakeService
) -> None:
    service.settings.operator_token = None
    answer = await client.get("/api/status", headers=AS_OPERATOR)
    assert answer.status == 401


async def test_every_answer_has_the_headers_and_tells_no_versions(client: ClientSession) -> None:
    for path in ("/livez", "/nothing", "/api/invoice"):
        answer = await client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Server"] == "blink-pos-forwarder"


async def test_head_works_where_get_does(client: ClientSession) -> None:
    answer = await client.head("/livez")
    assert (answer.status, await answer.read()) == (200, b"")
