"""Blink's webhooks: what they say, who has signed it, and how often it is said."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from forwarder.sandbox import Fault, Sandbox, Timing
from forwarder.sandbox.callbacks import Endpoint
from tests.sandbox.client import Clock, Shop

IMPATIENT = Timing(callback_pauses=(0.01, 0.01))


@dataclass
class Ear:
    """A receiver; `statuses` are its next answers, and afterwards it takes everything."""

    world: Shop
    endpoint: Endpoint
    statuses: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append((headers, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def told(self, count: int = 1) -> list[dict[str, Any]]:
        """What was said, as soon as it was said so often."""
        async with asyncio.timeout(10):
            while len(self.world.sandbox.callbacks) < count:
                await asyncio.sleep(0.01)
        return [json.loads(body) for _, body in self.heard]

    async def sell(self, **more: object) -> str:
        return str((await self.world.create(2_100, **more))["paymentRequest"])


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        opening = Sandbox.serve(clock=clock, seed=7, timing=IMPATIENT)
        sandbox = await stack.enter_async_context(opening)
        http = await stack.enter_async_context(ClientSession())
        world = Shop(sandbox, clock, http)
        made = Ear(world, Endpoint("", []))
        app = web.Application()
        app.router.add_post("/", made.take)
        server = await stack.enter_async_context(TestServer(app))
        made.endpoint = sandbox.call_back(world.shop, str(server.make_url("/")))
        yield made


def signatures(ear: Ear) -> list[str]:
    """What the last call has to be signed with, one for each secret."""
    headers, body = ear.heard[-1]
    signed = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in ear.endpoint.secrets]
    made = [hmac.digest(key, signed, "sha256") for key in keys]
    return [f"v1,{base64.b64encode(one).decode()}" for one in made]


async def test_a_receipt_is_told_as_blink_tells_it(ear: Ear) -> None:
    request = await ear.sell(externalId="order-42", memo="tea")
    receipt = await ear.world.sandbox.pay(request)
    [told] = await ear.told()
    assert told == {
        "accountId": ear.world.shop.id,
        "eventType": "receive.lightning",
        "walletId": ear.world.wallet,
        "transaction": {
            "id": receipt.id,
            "walletId": ear.world.wallet,
            "externalId": "order-42",
            "status": "success",
            "createdAt": told["transaction"]["createdAt"],
            "memo": "tea",
            "settlementAmount": 2_100,
            "settlementFee": 0,
            "settlementCurrency": "BTC",
            "settlementDisplayAmount": "2.10",
            "settlementDisplayFee": "0.00",
            "settlementDisplayPrice": {
                "base": "100000000000",
                "offset": "12",
                "displayCurrency": "USD",
                "walletCurrency": "BTC",
            },
            "initiationVia": {"type": "lightning", "paymentHash": receipt.payment_hash},
            "settlementVia": {"type": "lightning", "revealedPreImage": receipt.preimage},
        },
    }
    assert told["transaction"]["createdAt"].endswith("Z")


async def test_a_send_is_told_too_and_an_invoice_among_users_is_lightning(ear: Ear) -> None:
    await ear.world.send(await ear.world.payout())
    [told] = await ear.told()
    assert told["eventType"] == "send.lightning"
    assert told["transaction"]["settlementAmount"] == -2_100
    assert told["transaction"]["settlementVia"]["type"] == "intraledger"


async def test_a_call_is_signed_and_by_both_secrets_while_there_are_two(ear: Ear) -> None:
    await ear.world.sandbox.pay(await ear.sell())
    await ear.told()
    assert ear.heard[-1][0]["svix-timestamp"] == str(int(ear.world.clock().timestamp()))
    assert ear.heard[-1][0]["svix-signature"].split() == signatures(ear)
    ear.endpoint.secrets.insert(0, ear.world.sandbox.bank.callbacks.new_secret())
    await ear.world.sandbox.pay(await ear.sell())
    await ear.told(2)
    assert ear.heard[-1][0]["svix-signature"].split() == signatures(ear)
    assert len(signatures(ear)) == 2


async def test_what_is_not_taken_is_sent_again_under_the_same_id(ear: Ear) -> None:
    ear.statuses = [500, 302]
    await ear.world.sandbox.pay(await ear.sell())
    await ear.told(3)
    assert [one.status for one in ear.world.sandbox.callbacks] == [500, 302, 204]
    assert len({headers["svix-id"] for headers, _ in ear.heard}) == 1


async def test_a_receiver_that_never_takes_it_is_given_up(ear: Ear) -> None:
    ear.endpoint.url = "http://127.0.0.1:1/"
    await ear.world.sandbox.pay(await ear.sell())
    await ear.told(3)
    assert [one.status for one in ear.world.sandbox.callbacks] == [None, None, None]


async def test_a_call_can_be_lost_doubled_and_late(ear: Ear) -> None:
    for kind in ("drop", "duplicate", "delay"):
        ear.world.sandbox.faults.add(Fault("callback", kind, seconds=0.05))
    for _ in range(3):
        await ear.world.sandbox.pay(await ear.sell())
    await ear.told(4)
    ids = [headers["svix-id"] for headers, _ in ear.heard]
    assert sorted(ids.count(one) for one in set(ids)) == [1, 3]


async def test_an_account_of_level_zero_is_told_nothing(ear: Ear) -> None:
    ear.world.shop.level = "ZERO"
    await ear.world.sandbox.pay(await ear.sell())
    ear.world.shop.level = "ONE"
    await ear.world.sandbox.pay(await ear.sell())
    assert len(await ear.told()) == 1


async def test_a_webhook_can_be_set_up_from_outside(ear: Ear) -> None:
    url = f"{ear.world.sandbox.control_url}/callbacks"
    order = {"accountId": ear.world.shop.id, "url": ear.endpoint.url, "secret": "whsec_c2VjcmV0"}
    async with ear.world.http.post(url, json=order) as answer:
        assert await answer.json() == {"secret": "whsec_c2VjcmV0"}
    await ear.world.sandbox.pay(await ear.sell())
    assert len(await ear.told(2)) == 2
