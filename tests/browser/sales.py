"""Sales that others have made before a visitor comes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e.conftest import OPERATOR_TOKEN, World


async def sell(world: World, name: str, sats: int, **more: object) -> dict[str, Any]:
    """A sale that is paid and has arrived."""
    sale = await world.till.sell(sats, externalId=name, **more)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    return sale


async def hold(world: World, name: str, sats: int) -> dict[str, Any]:
    """A sale that is paid, and whose forward is held: the merchant may not receive."""
    world.blink.disable_receive(world.merchant)
    sale = await world.till.sell(sats, externalId=name)
    await world.blink.pay(sale["invoice"])
    path = f"/api/payments/{sale['paymentHash']}"
    async with asyncio.timeout(15):
        while await state_of(world, path) != "held":
            await asyncio.sleep(0.02)
    return sale


async def state_of(world: World, path: str) -> str:
    """The state of a payment, as the operator is told."""
    _, found = await world.till.call("GET", path, token=OPERATOR_TOKEN)
    return str(found["payment"]["state"])
