"""Each call has an id, and is counted by its route."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.web.fakes import AS_ALICE, AS_OPERATOR, FakeService
from tests.worker.conftest import until


async def test_a_caller_may_name_its_call(client: ClientSession) -> None:
    async with client.get("/health", headers={"X-Request-Id": "till-7.2026_01"}) as answer:
        assert answer.headers["X-Request-Id"] == "till-7.2026_01"


@pytest.mark.parametrize("name", ["", "short", "a" * 65, "with spaces", "brackets<>{}", "naïve-id"])
async def test_a_call_without_a_sane_name_gets_one(client: ClientSession, name: str) -> None:
    given = set()
    for _ in range(2):
        async with client.get("/health", headers={"X-Request-Id": name}) as answer:
            given.add(answer.headers["X-Request-Id"])
    assert len(given) == 2
    assert name not in given


async def test_refused_calls_have_a_name_too(client: ClientSession) -> None:
    async with client.get("/nowhere", headers={"X-Request-Id": "till-0001"}) as answer:
        assert answer.headers["X-Request-Id"] == "till-0001"


async def test_the_names_stand_in_the_log(client: ClientSession, service: FakeService) -> None:
    service.sales.failure = RuntimeError("unforeseen")
    with capture_logs(processors=[merge_contextvars]) as logged:
        await client.get("/api/invoice", headers={**AS_ALICE, "X-Request-Id": "till-0002"})
    assert [line["event"] for line in logged] == [
        "a call failed unexpectedly",
        "a call was answered",
    ]
    assert {line["request_id"] for line in logged} == {"till-0002"}


async def test_calls_are_counted_by_route_method_and_kind_of_status(
    client: ClientSession, service: FakeService
) -> None:
    await client.get("/health")
    await client.get("/api/invoice/sale-1", headers=AS_ALICE)
    await client.request("PATCH", "/health")
    counted = service.metrics.registry.get_sample_value
    name = "forwarder_http_requests_total"
    assert counted(name, {"method": "GET", "route": "/health", "status": "2xx"}) == 1
    route = "/api/invoice/{external_id}"
    assert counted(name, {"method": "GET", "route": route, "status": "4xx"}) == 1
    assert counted(name, {"method": "elsewhere", "route": "elsewhere", "status": "4xx"}) == 1
    assert counted("forwarder_http_request_seconds_count", {"route": "/health"}) == 1


async def test_a_websocket_is_counted_but_not_timed(
    client: ClientSession, service: FakeService
) -> None:
    async with client.ws_connect("/ws") as socket:
        await socket.receive_json()
    counted = service.metrics.registry.get_sample_value
    labels = {"method": "GET", "route": "/ws", "status": "1xx"}
    await until(lambda: counted("forwarder_http_requests_total", labels) == 1)
    assert counted("forwarder_http_request_seconds_count", {"route": "/ws"}) is None


async def test_the_metrics_are_for_the_operator_and_count_the_pages(client: ClientSession) -> None:
    async with client.ws_connect("/ws"), client.get("/metrics", headers=AS_OPERATOR) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert await answer.text() == "forwarder_pages_connected 1.0\n"
