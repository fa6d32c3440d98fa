"""The sandbox by remote control."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import Shop


async def call(
    world: Shop, method: str, path: str, body: object = None
) -> tuple[int, dict[str, Any]]:
    url = f"{world.sandbox.control_url}/{path}"
    async with world.http.request(method, url, json=body) as response:
        return response.status, await response.json()


async def test_a_sale_can_be_made_from_outside(world: Shop) -> None:
    _, account = await call(world, "POST", "accounts", {"username": "bobby", "sats": 5})
    _, made = await call(world, "POST", "keys", {"accountId": account["id"], "scopes": ["READ"]})
    answer = await world.ask("{ me { username } }", key=made["key"])
    assert answer["data"]["me"]["username"] == "bobby"
    invoice = await world.create(100, externalId="x")
    _, tx = await call(world, "POST", "pay", {"paymentRequest": invoice["paymentRequest"]})
    assert (tx["direction"], tx["amount"]) == ("RECEIVE", 100)
    _, ledger = await call(world, "GET", "ledger")
    wallets = {wallet["id"]: wallet for wallet in ledger["wallets"]}
    assert wallets[account["btcWalletId"]]["balance"] == 5
    assert wallets[world.wallet]["balance"] == 1_000_100
    assert wallets[world.wallet]["transactions"] == [tx]
    assert wallets[world.wallet]["invoices"][0]["state"] == "paid"
    assert wallets[world.wallet]["invoices"][0]["externalId"] == "x"


async def test_faults_and_latency_can_be_set_and_cleared(world: Shop) -> None:
    fault = {"operation": "me", "kind": "http_503", "times": None}
    assert await call(world, "POST", "faults", fault) == (200, {})
    assert (await world.post("{ me { id } }"))[0] == 503
    assert await call(world, "DELETE", "faults") == (200, {})
    assert (await world.post("{ me { id } }"))[0] == 200
    await call(world, "POST", "latency", {"operation": "*", "seconds": 0.01})
    assert world.sandbox.api.latency("me") == 0.01


async def test_calls_and_websockets_are_shown_and_cut(world: Shop) -> None:
    listener = await world.listen()
    await world.create(7)
    _, shown = await call(world, "GET", "calls")
    assert shown["calls"][0]["operation"] == "lnInvoiceCreate"
    assert shown["calls"][0]["outcome"] == "answered"
    assert shown["calls"][0]["variables"]["input"]["amount"] == 7
    _, sockets = await call(world, "GET", "websockets")
    assert (sockets["open"], sockets["subscriptions"]) == (1, 1)
    assert sockets["handshakes"] == [world.clock().isoformat()]
    assert await call(world, "POST", "cut") == (200, {"cut": 1})
    assert await listener.close_code() == 1006


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("accounts", {}, "username is missing"),
        ("accounts", {"username": 5}, "username has the wrong type"),
        ("accounts", {"username": "alice"}, "username 'alice' is taken"),
        ("accounts", {"username": "new", "sats": -1}, "sats must not be negative"),
        ("accounts", {"username": "new", "sats": True}, "sats has the wrong type"),
        ("accounts", [], "not a JSON object"),
        ("keys", {"accountId": "nobody"}, "no account 'nobody'"),
        ("pay", {"paymentRequest": "lnbc1"}, "Invalid lightning request, couldn't decode."),
        ("faults", {"operation": "me", "kind": "nonsense"}, "cannot happen"),
        ("faults", {"operation": "me", "kind": "slow", "mood": 1}, "unknown fields: ['mood']"),
        ("faults", {"operation": "me", "kind": "slow", "times": "2"}, "times has the wrong type"),
        ("faults", {"operation": "me"}, "kind"),
        ("latency", {"operation": "me"}, "seconds is missing"),
        ("latency", {"operation": "me", "seconds": -1}, "seconds must not be negative"),
    ],
)
async def test_wrong_input_is_named(world: Shop, path: str, body: object, message: str) -> None:
    status, answer = await call(world, "POST", path, body)
    assert status == 400
    assert message in answer["error"]


async def test_scopes_have_to_exist_and_json_to_be_json(world: Shop) -> None:
    body = {"accountId": world.shop.id, "scopes": ["ADMIN"]}
    assert await call(world, "POST", "keys", body) == (
        400,
        {"error": "unknown scopes: ['ADMIN']"},
    )
    url = f"{world.sandbox.control_url}/pay"
    async with world.http.post(url, data="{") as response:
        assert response.status == 400
