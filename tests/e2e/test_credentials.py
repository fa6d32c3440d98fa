"""A POS page is given a key that can only read BlinkPOS, and watches by itself."""

from __future__ import annotations

import asyncio

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport

from tests.e2e.conftest import OPERATOR_TOKEN, World

CALL = "/api/blink/blinkpos-credentials"


async def given(world: World, status: int) -> dict[str, object]:
    """What the call answers, once Blink was asked about the key."""
    async with asyncio.timeout(10):
        while (answer := await world.till.call("GET", CALL))[0] != status:
            await asyncio.sleep(0.05)
    return answer[1]


async def test_a_page_is_given_a_key_with_which_it_can_read(world: World) -> None:
    await world.forwarder.stop()
    key = world.blink.create_key(world.pos, ["READ"])
    await world.forwarder.start(BLINKPOS_READ_API_KEY=key)
    credentials = await given(world, 200)
    assert credentials == {
        "success": True,
        "apiUrl": world.blink.api_url,
        "wsUrl": world.blink.ws_url,
        "apiKey": key,
        "walletId": world.pos.btc_wallet_id,
        "scopes": ["READ"],
    }
    transport = AIOHTTPTransport(str(credentials["apiUrl"]), headers={"X-API-KEY": key})
    async with Client(transport=transport) as page:
        found = await page.execute(gql("{ me { defaultAccount { wallets { id } } } }"))
    wallets = [wallet["id"] for wallet in found["me"]["defaultAccount"]["wallets"]]
    assert world.pos.btc_wallet_id in wallets
    assert key.encode() not in world.forwarder.output


async def test_a_key_that_could_pay_is_kept_and_said_to_be(world: World) -> None:
    await world.forwarder.stop()
    key = world.blink.create_key(world.pos, ["READ", "WRITE"])
    await world.forwarder.start(BLINKPOS_READ_API_KEY=key)
    status: dict[str, object] = {}
    async with asyncio.timeout(10):
        while "not READ alone" not in str(status.get("reason")):
            found = await world.till.call("GET", "/api/status", token=OPERATOR_TOKEN)
            status = found[1]["credentials"]
            await asyncio.sleep(0.05)
    refused = await given(world, 404)
    assert refused["error"] == {
        "code": "credentials_disabled",
        "message": "there is no key here that may be handed out",
    }
    assert key.encode() not in world.forwarder.output


async def test_it_is_given_so_often_and_then_no_more(world: World) -> None:
    answers = [await world.till.call("GET", CALL) for _ in range(21)]
    assert [status for status, _ in answers] == [404] * 20 + [429]
    assert answers[-1][1]["error"]["code"] == "rate_limited"
    await world.till.sell()
