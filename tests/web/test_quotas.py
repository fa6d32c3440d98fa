"""Too many calls are refused, and what was counted is forgotten."""

from __future__ import annotations

from ipaddress import ip_network
from typing import cast

import pytest
from aiohttp import ClientResponse, ClientSession, WSCloseCode, WSMsgType
from limits import RateLimitItem, RateLimitItemPerMinute

from forwarder.web import quotas, sockets
from forwarder.web.errors import ApiError
from forwarder.web.quotas import Quotas, Windows
from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.web.fakes import AS_ALICE, AS_BOB, AS_OPERATOR, FakeService

THREE = RateLimitItemPerMinute(3, namespace="things")


class Time:
    """A clock that only goes up, and only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def is_refused(kept: Quotas, who: str = "alice") -> bool:
    try:
        await kept.spend(THREE, who)
    except ApiError as exc:
        return (exc.status, exc.code) == (429, "rate_limited")
    return False


async def test_the_window_moves() -> None:
    time = Time()
    kept = Quotas(time)
    for _ in range(3):
        assert not await is_refused(kept)
        time.now += 10
    assert await is_refused(kept)  # 30 s after the first
    time.now += 30
    assert not await is_refused(kept)  # the first is a minute old
    assert await is_refused(kept)


async def test_who_is_refused_is_told_how_long() -> None:
    time = Time()
    kept = Quotas(time)
    for _ in range(3):
        await kept.spend(THREE, "alice")
    time.now += 12.5
    with pytest.raises(ApiError) as told:
        await kept.spend(THREE, "alice")
    assert told.value.headers["Retry-After"] == "48"
    time.now += 47.5
    await kept.spend(THREE, "alice")


async def test_callers_do_not_count_for_each_other() -> None:
    kept = Quotas(Time())
    for _ in range(3):
        await kept.spend(THREE, "alice")
    assert await is_refused(kept)
    assert not await is_refused(kept, "bob")


async def test_to_look_counts_nothing() -> None:
    kept = Quotas(Time())
    for _ in range(10):
        await kept.require_left(THREE, "alice")
    for _ in range(3):
        await kept.spend(THREE, "alice")
    with pytest.raises(ApiError):
        await kept.require_left(THREE, "alice")


async def test_whoever_is_silent_for_a_minute_is_forgotten() -> None:
    time = Time()
    windows = Windows(time)
    for number in range(1_000):
        await windows.acquire_entry(f"caller-{number}", 3, 60)
    assert windows.callers == 1_000
    time.now += 61
    await windows.acquire_entry("the last", 3, 60)
    assert windows.callers == 1


def shrink(monkeypatch: pytest.MonkeyPatch, name: str, amount: int) -> None:
    full = cast(RateLimitItem, getattr(quotas, name))
    monkeypatch.setattr(quotas, name, RateLimitItemPerMinute(amount, namespace=full.namespace))


async def assert_limited(answer: ClientResponse) -> None:
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (await answer.json())["error"]["code"] == "rate_limited"


async def test_an_address_may_call_so_often_whatever_it_calls(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "CALLS", 4)
    for path in ("/nothing", "/api/invoice", "/ws", "/api/status"):
        assert (await client.get(path)).status != 429
    for path in ("/nothing", "/api/invoice", "/ws", "/api/status"):
        await assert_limited(await client.get(path, headers=AS_ALICE))


async def test_a_flood_does_not_hide_how_the_process_is(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "CALLS", 0)
    shrink(monkeypatch, "PROBES", 3)
    for path in ("/livez", "/readyz", "/health"):
        assert (await client.get(path)).status == 200
    await assert_limited(await client.get("/livez"))


async def test_each_merchant_and_the_operator_have_their_own(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "CALLS_OF_TOKEN", 2)
    for _ in range(2):
        assert (await client.get("/api/invoice", headers=AS_ALICE)).status == 200
    await assert_limited(await client.get("/api/invoice", headers=AS_ALICE))
    assert (await client.get("/api/invoice", headers=AS_BOB)).status == 200
    assert (await client.get("/api/status", headers=AS_OPERATOR)).status == 200


async def test_after_too_many_wrong_tokens_none_is_looked_at(
    client: ClientSession, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "WRONG_TOKENS", 3)
    guess = {"Authorization": "Bearer guess"}
    page = "/api/invoice/sale-1/qr.svg?token=guess"
    for path, headers in (("/api/invoice", guess), ("/api/status", guess), (page, {})):
        assert (await client.get(path, headers=headers)).status == 401
    asked = len(service.sales.tokens_asked)
    for path, headers in (("/api/invoice", AS_ALICE), ("/api/status", AS_OPERATOR), (page, {})):
        await assert_limited(await client.get(path, headers=headers))
    assert len(service.sales.tokens_asked) == asked
    assert (await client.get("/livez")).status == 200


async def test_no_token_is_no_guess(client: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, "WRONG_TOKENS", 1)
    for _ in range(3):
        assert (await client.get("/api/invoice")).status == 401
    assert (await client.get("/api/invoice", headers=AS_ALICE)).status == 200


async def test_guesses_over_a_websocket_count_too(
    client: ClientSession, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "WRONG_TOKENS", 2)
    service.sale()
    codes = []
    async with client.ws_connect("/ws") as ws:
        await ws.receive_json()
        for _ in range(3):
            await ws.send_json({"type": "identify", "externalId": "sale-1", "token": "guess"})
            codes.append((await ws.receive_json())["code"])
    assert codes == ["unauthorized", "unauthorized", "rate_limited"]


async def test_a_proxy_that_is_trusted_does_not_count_for_its_clients(
    client: ClientSession, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "CALLS", 1)
    service.settings.trusted_proxies = (ip_network("127.0.0.1"),)
    for number in range(1, 4):
        address = {"X-Forwarded-For": f"198.51.100.{number}"}
        assert (await client.get("/nothing", headers=address)).status == 404
        await assert_limited(await client.get("/nothing", headers=address))


async def test_a_websocket_that_says_too_much_is_closed(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "MESSAGES", 2)
    async with client.ws_connect("/ws") as ws:
        await ws.receive_json()
        for _ in range(3):
            await ws.send_str("{}")
        kinds = [(await ws.receive(timeout=5)).type for _ in range(3)]
        assert kinds == [WSMsgType.TEXT, WSMsgType.TEXT, WSMsgType.CLOSE]
        assert ws.close_code == WSCloseCode.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("name", "status"), [("MAX_SOCKETS_OF_ADDRESS", 429), ("MAX_SOCKETS", 503)]
)
async def test_there_is_an_end_to_websockets_and_room_again_when_one_has_gone(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    monkeypatch.setattr(sockets, name, 2)
    async with (
        Server.serve(cast(Service, service), "127.0.0.1", 0) as server,
        ClientSession(server.url) as client,
        client.ws_connect("/ws"),
    ):
        async with client.ws_connect("/ws"):
            refused = await client.get("/ws")
            assert refused.status == status
            assert "Retry-After" in refused.headers
        while (await client.get("/ws")).status != 426:
            pass
        async with client.ws_connect("/ws") as again:
            assert (await again.receive_json())["type"] == "connected"
